"""Real Codex through a hub whose channels, profiles and keys change, fail and come back."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import KINDS, keep_their_secrets
from tests.e2e.hub import AXONHUB, Hub
from tests.e2e.processes import kill, start
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Fault, Reply, Say, Think

pytestmark = pytest.mark.e2e

NewProvider = Callable[[str], Provider]
ECHO = Call("exec_command", {"cmd": "echo hi"})


def test_a_session_stays_on_its_channel(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 169
    east, west = provider_of("openai"), provider_of("openai")
    hub.add_channel("east", east, "openai")
    hub.add_channel("west", west, "openai")
    codex = hub.codex(tmp_path / "me", hub.create_key())
    hub.start()
    for provider in (east, west):
        provider.when(lambda request: request.outputs == [], ECHO, forever=True)
        provider.when(lambda request: True, "Done.", forever=True)
    sessions = [codex.exec("work").session for _ in range(4)]
    codex.resume(sessions[0], "and again?")
    for session in sessions:
        rows = hub.requests(session, count=3 if session == sessions[0] else 2)
        assert len({row["channel"] for row in rows}) == 1
        assert {row["trace_id"] for row in rows} == {session}
    assert east.calls + west.calls == 9


MODEL = {kind: facts.model for kind, facts in KINDS.items()}


@pytest.mark.parametrize(("ours", "theirs"), [*itertools.permutations(KINDS, 2)])
def test_a_profile_switched_between_two_turns(
    hub: Hub, provider_of: NewProvider, tmp_path: Path, ours: str, theirs: str
) -> None:
    # pitfalls 60, 64, 128: ids, state and summaries made of one upstream's answers must not upset the other
    first, second = provider_of(ours), provider_of(theirs)
    hub.add_channel("first", first, KINDS[ours].channel, "--model", MODEL[ours])
    hub.add_channel("second", second, KINDS[theirs].channel, "--model", MODEL[theirs])
    hub.do("profile", "add", "one", "--map", f"gpt-5.5=first/{MODEL[ours]}")
    hub.do("profile", "add", "two", "--map", f"gpt-5.5=second/{MODEL[theirs]}")
    codex = hub.codex(tmp_path / "me", hub.create_key("codex", "--profile", "one"))
    hub.start()

    first.then([Think("Deep."), ECHO], "One.")
    turn = codex.exec("first", "-c", 'model_reasoning_summary="auto"')
    assert turn.answer == "One."
    hub.do("profile", "activate", "two", "--key", "codex")
    second.then([Think("Wide."), ECHO], "Two.")
    assert codex.resume(turn.session, "second").answer == "Two."
    assert second.requests[-1].thoughts[-1] == "Wide."
    hub.do("profile", "activate", "one", "--key", "codex")
    first.then([Think("Deeper."), ECHO], "Three.")
    assert codex.resume(turn.session, "third").answer == "Three."

    assert first.requests[-1].thoughts[0] == "Deep."
    assert first.requests[-1].thoughts[-1] == "Deeper."
    assert len(first.requests[-1].outputs) == 3
    keep_their_secrets(first, second)
    rows = hub.requests(turn.session, count=6)
    assert [row["channel"] for row in rows] == ["first"] * 2 + ["second"] * 2 + ["first"] * 2
    assert [row["profile"] for row in rows] == ["one"] * 2 + ["two"] * 2 + ["one"] * 2


FAILURES: dict[str, Fault | Reply] = {
    "503": Fault(503, "overloaded", type="server_error"),
    "500": Fault(500, "oops", type="server_error"),
    "429": Fault(429, "slow down", "rate_limit_exceeded", headers={"Retry-After": "30"}),
    "401": Fault(401, "bad key", "invalid_api_key"),
    "quota": Fault(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
    "cut before output": Reply((Say("never seen"),), cut=1),
    "error inside a 200": Reply((), error="The engine is overloaded"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failure", FAILURES)
def test_failover_that_codex_does_not_see(
    hub: Hub, provider_of: NewProvider, tmp_path: Path, kind: str, failure: str
) -> None:
    # pitfalls 135, 136, 138, 142
    first, second = provider_of(kind), provider_of("openai")
    hub.add_channel("first", first, KINDS[kind].channel, "--model", MODEL[kind])
    hub.add_channel("second", second, "openai", "--priority", "1", "--model", MODEL[kind])
    hub.do("profile", "add", "main", "--map", f"gpt-5.5={MODEL[kind]}")
    codex = hub.codex(tmp_path / "me", hub.create_key("codex", "--profile", "main"))
    hub.start()
    first.when(lambda request: True, FAILURES[failure], forever=True)
    second.then(ECHO, "Saved.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Saved."
    assert turn.items("error") == []
    assert 1 <= first.calls <= 2
    rows = hub.requests(turn.session, count=2)
    assert [row["channel"] for row in rows] == ["second", "second"]
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert rows[0]["attempts"] == first.calls + 1
    assert rows[1]["attempts"] == 1


@pytest.mark.parametrize(("ours", "theirs"), [*itertools.permutations(KINDS, 2)])
def test_failover_in_the_middle_of_a_session(
    hub: Hub, provider_of: NewProvider, tmp_path: Path, ours: str, theirs: str
) -> None:
    # pitfall 128: the second upstream gets no state of the first
    first, second = provider_of(ours), provider_of(theirs)
    name = "claude-opus-4-8"  # which the other fakes take as well
    hub.add_channel("first", first, KINDS[ours].channel, "--model", name)
    hub.add_channel("second", second, KINDS[theirs].channel, "--model", name, "--priority", "1")
    hub.do("profile", "add", "main", "--map", f"gpt-5.5={name}")
    codex = hub.codex(tmp_path / "me", hub.create_key("codex", "--profile", "main"))
    hub.start()
    down = Fault(503, "down", type="server_error")
    first.when(lambda request: True, [Think("Secret."), ECHO], down, forever=True)
    second.then([Think("Mine."), ECHO], "Saved.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Saved."
    assert len(second.requests[-1].outputs) == 2
    assert second.requests[-1].thoughts[-1] == "Mine."
    keep_their_secrets(first, second)


def test_nothing_is_repeated_once_output_was_shown(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 144: Codex repeats the turn itself, we do not send half of two answers
    first, second = provider_of("openai"), provider_of("openai")
    hub.add_channel("first", first, "openai")
    hub.add_channel("second", second, "openai", "--priority", "1")
    codex = hub.codex(tmp_path / "me", hub.create_key())
    hub.start()
    first.when(lambda request: True, Reply((Say("Half of a long answer that is cut"),), cut=6), "Whole.", forever=True)
    second.when(lambda request: True, "Whole.", forever=True)
    turn = codex.exec("talk")
    assert turn.done.ok() and turn.answer == "Whole."
    rows = hub.requests(turn.session, count=2)
    assert [row["status"] for row in rows] == ["failed", "completed"]
    assert rows[0]["attempts"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_upstream_that_is_down(hub: Hub, tmp_path: Path, kind: str) -> None:
    # pitfall 137
    hub.add_channel("gone", "http://127.0.0.1:9", KINDS[kind].channel, "--model", "gpt-5.5")
    codex = hub.codex(tmp_path / "me", hub.create_key())
    hub.start()
    turn = codex.exec("work")
    assert turn.done.code != 0
    rows = hub.requests()
    assert 1 <= len(rows) <= 6
    assert {row["status"] for row in rows} == {"failed"}
    assert all(row["error"] and row["http_status"] == 503 for row in rows)


def test_a_wrong_key(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("openai")
    hub.add_channel("main", provider, "openai")
    codex = hub.codex(tmp_path / "me", "ah-" + "x" * 43)
    hub.create_key()
    hub.start()
    turn = codex.exec("work", seconds=50)
    assert turn.done.code != 0
    assert "401" in turn.errors
    assert "axonhub" in turn.errors.lower()
    assert provider.calls == 0


def test_command_auth_takes_the_catalog_from_the_hub(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # wire.md M; pitfalls 116, 164
    provider = provider_of("deepseek")
    hub.add_channel("main", provider, "deepseek", "--model", "deepseek-reasoner", "--model", "deepseek-chat")
    hub.create_key()
    codex = hub.codex(tmp_path / "me", "", "--auth", "command", "--key", "codex", model="deepseek-reasoner")
    del codex.env["AXONHUB_API_KEY"]
    codex.env["AXONHUB_HOME"] = str(hub.home)
    hub.start()
    provider.then([Think("So."), Call("exec_command", {"cmd": "echo hi"})], "Fine.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Fine."
    assert "not found" not in turn.errors
    assert "apply_patch" in provider.requests[0].tools


def test_env_auth_and_gpt_5_as_the_manual_says(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("deepseek")
    hub.add_channel("main", provider, "deepseek")
    hub.do("profile", "add", "main", "--map", "gpt-5=deepseek-chat", "--unmapped", "deny")
    hub.do("profile", "activate", "main")
    codex = hub.codex(tmp_path / "me", hub.create_key(), model="gpt-5")
    hub.start()
    provider.then("Hello.")
    assert codex.exec("hi").answer == "Hello."
    assert provider.requests[0].model == "deepseek-chat"
    denied = codex.exec("hi", "-m", "gpt-5.5", seconds=50)
    assert denied.done.code != 0
    assert "main" in denied.errors
    assert provider.calls == 1


def test_tail_shows_each_request(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("deepseek")
    hub.add_channel("main", provider, "deepseek")
    codex = hub.codex(tmp_path / "me", hub.create_key(), model="deepseek-chat")
    hub.start()
    seen = (tmp_path / "tail").open("w+b")
    tail = start([AXONHUB, "traces", "tail", "--json"], env=hub.environment, cwd=tmp_path, stdout=seen)
    try:
        provider.then(ECHO, "Done.")
        turn = codex.exec("work")
        hub.requests(turn.session, count=2)
        rows = wait_for_lines(tmp_path / "tail", 2, tail)
    finally:
        kill(tail, signal.SIGINT)
        assert tail.wait(5) in (0, 130)
        seen.close()
    finished = {row["request_id"]: row for row in rows if row["status"] == "completed"}
    assert len(finished) == 2
    assert {row["trace_id"] for row in rows} == {turn.session}


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    """The objects in a growing file, when that many of them are of completed requests."""
    for _ in range(100):
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        if len([row for row in rows if row["status"] == "completed"]) >= count:
            return rows
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("tail ended")
    raise AssertionError(path.read_text())


def test_a_client_that_goes_away(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 145
    provider = provider_of("deepseek")
    hub.add_channel("main", provider, "deepseek")
    codex = hub.codex(tmp_path / "me", hub.create_key())
    hub.start()
    provider.then(Reply((Say("a b c d e f"),), hang=3))
    with pytest.raises(AssertionError, match="took more than"):
        codex.exec("talk", seconds=2)
    assert provider.hung_up.wait(2)
    (row,) = hub.requests(count=1)
    assert row["status"] == "canceled"
