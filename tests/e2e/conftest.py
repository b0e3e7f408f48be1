"""What the end-to-end tests stand on: a hub in front of a fake, and real clients in front of the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from axonhub_cli.config import Config
from axonhub_cli.paths import Home
from axonhub_cli.store.database import Store, open_store
from tests.e2e import judges
from tests.e2e.claude_code import ClaudeCode
from tests.e2e.codex import Codex
from tests.e2e.hub import Hub
from tests.fakes.chat import ChatProvider
from tests.fakes.chat_rules import DEEPSEEK, OPENAI
from tests.fakes.gemini import GeminiProvider
from tests.fakes.messages import MessagesProvider
from tests.fakes.provider import JSON, Provider
from tests.fakes.responses import ResponsesProvider


@dataclass(frozen=True)
class Kind:
    """A kind of upstream, by which the scenarios differ in nothing but these facts."""

    provider: Callable[[], Provider]
    channel: str  # its type
    protocol: str
    model: str
    small: str  # what the names of small models are mapped to
    own: str  # how the names begin that are passed on as they are
    sees: bool = True  # takes images
    reads: bool = True  # takes PDFs
    schema: bool = True  # answers by a JSON schema; False: it is asked to in words
    sparing: bool = False  # writes nothing at all for a call without arguments
    without_tools: Callable[[JSON], bool] = lambda body: "tools" not in body  # how a request says: call nothing


KINDS = {
    "deepseek": Kind(
        lambda: ChatProvider(dialect=DEEPSEEK),
        "deepseek",
        "openai_chat",
        "deepseek-reasoner",
        "deepseek-chat",
        "deepseek-",
        sees=False,
        reads=False,
        schema=False,
        sparing=True,
    ),
    "openai": Kind(ResponsesProvider, "openai", "openai_responses", "gpt-5.5", "gpt-5.5-mini", "gpt-"),
    "anthropic": Kind(
        MessagesProvider,
        "anthropic",
        "anthropic_messages",
        "claude-opus-4-8",
        "claude-haiku-5-5",
        "claude-",
        sparing=True,
        without_tools=lambda body: body.get("tool_choice") == {"type": "none"},
    ),
    "gemini": Kind(
        GeminiProvider, "gemini", "gemini", "gemini-3-pro-preview", "gemini-3-flash-preview", "gemini-", sparing=True
    ),
}
# The same vendor, asked over the older of its two protocols.
ALL_KINDS = {
    **KINDS,
    "openai-chat": Kind(
        lambda: ChatProvider(dialect=OPENAI), "openai", "openai_chat", "gpt-5.5", "gpt-5.5-mini", "gpt-"
    ),
}
# What clients ask for: the beginning of a name, and whether a small model is meant. The first that fits counts.
NAMES = {"claude-haiku-": True, "claude-": False, "gpt-": False}


@dataclass
class Stage:
    """One scenario's set: script `provider`, then let `codex` or `claude` play."""

    kind: Kind
    hub: Hub
    provider: Provider
    key: str
    codex: Codex
    claude: ClaudeCode


def rules(kind: Kind) -> list[str]:
    """A profile's options that map other vendors' names."""
    pairs = [(name, kind.small if small else kind.model) for name, small in NAMES.items()]
    return [word for name, to in pairs if not name.startswith(kind.own) for word in ("--map-regex", f"{name}.*={to}")]


def set_up(hub: Hub, provider: Provider, kind: Kind) -> str:
    """One channel, one profile, one key; returns the key."""
    hub.add_channel("main", provider, kind.channel)
    hub.do("profile", "add", "main", *rules(kind))
    hub.do("profile", "activate", "main")
    return hub.create_key()


def keep_their_secrets(first: Provider, second: Provider) -> None:
    """Neither was shown what the other had sealed."""
    for one, other in ((first, second), (second, first)):
        seen = "".join(json.dumps(request.body) for request in one.requests)
        assert not [seal for seal in other.seals if seal in seen]


@pytest.fixture(scope="session")
def halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Hub, Provider, str, Path]]]:
    """For each kind a hub and its fake that stay up for all scenarios."""
    made: dict[str, tuple[Hub, Provider, str, Path]] = {}

    def hall(kind: str) -> tuple[Hub, Provider, str, Path]:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind)
            hub, provider = Hub(root), KINDS[kind].provider()
            provider.__enter__()
            key = set_up(hub, provider, KINDS[kind])
            template = hub.codex(root / "template", key)
            made[kind] = (hub.start(), provider, key, template.config)
        return made[kind]

    yield hall
    for hub, provider, _, _ in made.values():
        hub.stop()
        provider.__exit__()


@pytest.fixture
def stage_of(
    halls: Callable[[str], tuple[Hub, Provider, str, Path]], tmp_path: Path
) -> Iterator[Callable[[str], Stage]]:
    """A stage of a kind; at its end the script must have been followed and no request refused."""
    used: list[Stage] = []

    def make(kind: str) -> Stage:
        hub, provider, key, template = halls(kind)
        provider.reset()
        config = tmp_path / "codex" / "config.toml"
        config.parent.mkdir()
        config.write_bytes(template.read_bytes())
        codex = Codex(tmp_path, env={"AXONHUB_API_KEY": key})
        claude = ClaudeCode(tmp_path / "claude", hub, key)
        used.append(Stage(KINDS[kind], hub, provider, key, codex, claude))
        return used[-1]

    yield make
    for stage in used:
        stage.provider.assert_used_up()


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, stage_of: Callable[[str], Stage]) -> Stage:
    """A scenario on every kind of upstream."""
    return stage_of(request.param)


@pytest.fixture
def deepseek(stage_of: Callable[[str], Stage]) -> Stage:
    """A scenario on a Chat upstream only."""
    return stage_of("deepseek")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub of its own, not yet started."""
    hub = Hub(tmp_path / "hub")
    yield hub
    hub.stop()


@pytest.fixture
def provider_of() -> Iterator[Callable[[str], Provider]]:
    """Fakes of a kind for one test."""
    made: list[Provider] = []

    def make(kind: str) -> Provider:
        made.append(ALL_KINDS[kind].provider().__enter__())
        return made[-1]

    yield make
    for provider in made:
        provider.__exit__()
        provider.assert_used_up()


@dataclass
class Court:
    """A hub with the channels aimock-PROTOCOL and llmock-PROTOCOL; each is pinned by its own name as the model's.

    The model spare-PROTOCOL is llmock's in that protocol, and when it fails, aimock's in the next.
    """

    hub: Hub
    key: str
    aimock: judges.Aimock
    llmock: judges.Llmock
    store: Store

    @property
    def url(self) -> str:
        return self.hub.url.removesuffix("/v1")

    def forgive(self) -> None:
        """Ends what the hub has learned of llmock's health, as `channel enable` does, but without a process for it."""
        for channel in self.store.channels.list():
            if channel.name.startswith("llmock-"):
                self.store.channels.replace(channel)


def has(model: str) -> tuple[str, ...]:
    return ("--model", "judged", "--model", model)


@pytest.fixture(scope="session")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    root = tmp_path_factory.mktemp
    with judges.aimock(root("aimock")) as aimock, judges.llmock(root("llmock")) as llmock:
        hub = Hub(root("court"))
        judges.add_channels(hub, "llmock", llmock.url, judges.LLMOCK_PATHS, lambda own: has(f"spare-{own}"))
        judges.add_channels(
            hub,
            "aimock",
            aimock.url,
            judges.AIMOCK_PATHS,
            lambda own: (*has(f"spare-{judges.before(own)}"), "--priority", "1"),
        )
        names = [f"{name}-{protocol}" for name in ("aimock", "llmock") for protocol in judges.PROTOCOLS]
        hub.do("profile", "add", "pins", *(word for name in names for word in ("--map", f"{name}={name}/judged")))
        hub.do("profile", "activate", "pins")
        key = hub.create_key("judge")
        with open_store(Home(hub.home, hub.home), Config()) as store:
            yield Court(hub.start(), key, aimock, llmock, store)
        hub.stop()


@pytest.fixture
def judged(court: Court) -> Iterator[Court]:
    """The court for a test that makes llmock fail: nothing of that stays."""
    court.llmock.reset()
    yield court
    court.llmock.reset()
    court.forgive()
