"""Real Codex on Gemini: what only Gemini has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.codex import Codex
from tests.e2e.conftest import Stage
from tests.e2e.hub import Hub
from tests.e2e.pictures import red_square
from tests.fakes.gemini import GeminiProvider
from tests.fakes.gemini_rules import SENTINEL
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Say, Think

pytestmark = pytest.mark.e2e

ECHO = Call("exec_command", {"cmd": "echo hi"})
NewProvider = Callable[[str], Provider]


@pytest.fixture
def gemini(stage_of: Callable[[str], Stage]) -> Stage:
    return stage_of("gemini")


@pytest.fixture
def google(provider_of: NewProvider) -> GeminiProvider:
    provider = provider_of("gemini")
    assert isinstance(provider, GeminiProvider)
    return provider


def codex_on(hub: Hub, model: str, provider: Provider, root: Path) -> Codex:
    """One channel, and a profile that sends Codex to this model."""
    hub.add_channel("main", provider, "gemini")
    hub.do("profile", "add", "main", "--map", f"gpt-5.5={model}")
    codex = hub.codex(root / "me", hub.create_key("codex", "--profile", "main"))
    hub.start()
    return codex


def test_signatures_stay_on_their_parts_over_a_restart(gemini: Stage) -> None:
    # pitfalls 88, 128: one for each step, on the first of parallel calls, and one at the end of a turn of words
    gemini.provider.then([Think("First."), ECHO, Call("exec_command", {"cmd": "echo two"})], [Say("So."), ECHO])
    gemini.provider.then([Think("Last."), Say("Half done.")])
    turn = gemini.codex.exec("work")
    gemini.hub.restart()
    gemini.provider.then([Think("More."), ECHO], "Done.")
    assert gemini.codex.resume(turn.session, "go on").answer == "Done."
    last = gemini.provider.requests[-1]
    assert last.thoughts == ["First.", "Last.", "More."]
    calls = [part.get("thoughtSignature") for part in last.parts if "functionCall" in part]
    assert [signature is not None for signature in calls] == [True, False, True, True]
    assert SENTINEL not in calls


def test_each_request_begins_like_the_one_before(gemini: Stage) -> None:
    # pitfall 20: else Google's cache of beginnings finds nothing
    gemini.provider.then([Think("Hm."), ECHO], [Say("More."), ECHO, ECHO], "Done.")
    turn = gemini.codex.exec("work")
    gemini.provider.then("Again.")
    gemini.codex.resume(turn.session, "again")
    requests: list[Any] = gemini.provider.requests
    for one, following in itertools.pairwise(requests):
        assert following.parts[: len(one.parts)] == one.parts
        assert all(following.body[field] == one.body[field] for field in ("tools", "systemInstruction"))


def test_a_malformed_call_is_not_a_success(gemini: Stage) -> None:
    # pitfall 97: it is asked for once more, and Codex sees none of it
    gemini.provider.then(Call("exec_command", '{"cmd": "touch half'), ECHO, "Fine.")
    turn = gemini.codex.exec("work")
    assert turn.done.ok() and turn.answer == "Fine."
    assert [row["attempts"] for row in gemini.hub.requests(turn.session, count=2)] == [2, 1]
    assert not (gemini.codex.work / "half").exists()


def test_a_picture_stands_inside_of_its_result(gemini: Stage) -> None:
    # pitfall 93
    (gemini.codex.work / "a.png").write_bytes(red_square())
    gemini.provider.then(Call("view_image", {"path": "a.png"}), "Red.")
    assert gemini.codex.exec("look").answer == "Red."
    response = gemini.provider.requests[-1].parts[-1]["functionResponse"]
    assert response["parts"][0]["inlineData"]["mimeType"] == "image/png"


def test_an_older_gemini(hub: Hub, google: GeminiProvider, tmp_path: Path) -> None:
    # pitfalls 16, 93: thinks in tokens, takes pictures only behind the results, and no ids are its own
    codex = codex_on(hub, "gemini-2.5-flash", google, tmp_path)
    (codex.work / "a.png").write_bytes(red_square())
    google.then([Think("Hm."), ECHO, ECHO], [Say("And:"), Call("view_image", {"path": "a.png"})], "Red.")
    turn = codex.exec("work", "-c", 'model_reasoning_effort="high"')
    assert turn.done.ok() and turn.answer == "Red."
    last = google.requests[-1]
    assert last.config["thinkingConfig"]["thinkingBudget"] == 24576
    assert last.thoughts == ["Hm."]
    assert len(last.outputs) == 3 and len(last.images) == 1
    assert "inlineData" in last.parts[-1]


def test_a_model_takes_over_in_the_middle_of_a_tool_loop(hub: Hub, google: GeminiProvider, tmp_path: Path) -> None:
    # pitfall 89: what the older model did not sign gets the stand-in, or the newer one would refuse it
    codex = codex_on(hub, "gemini-2.5-flash", google, tmp_path)
    google.then(ECHO, lambda request: switch(hub, "gemini-3-pro-preview"), ECHO, "Done.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Done."
    assert [request.model for request in google.requests] == ["gemini-2.5-flash"] * 2 + ["gemini-3-pro-preview"] * 2
    calls = [part for part in google.requests[-1].parts if "functionCall" in part]
    assert [call["thoughtSignature"] == SENTINEL for call in calls] == [True, True, False]


def switch(hub: Hub, model: str) -> Call:
    """A call, and from then on another model."""
    hub.do("profile", "add", "other", "--map", f"gpt-5.5={model}")
    hub.do("profile", "activate", "other", "--key", "codex")
    return ECHO


def test_google_refuses_a_wrong_key_with_400(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 138: which is no fault of the request's; another channel answers
    second = provider_of("openai")
    with GeminiProvider(key="sk-another") as first:
        hub.add_channel("first", first, "gemini", "--model", "gpt-5.5")
        hub.add_channel("second", second, "openai", "--priority", "1")
        codex = hub.codex(tmp_path / "me", hub.create_key(), model="gpt-5.5")
        hub.start()
        second.then("Saved.")
        turn = codex.exec("work")
        assert turn.done.ok() and turn.answer == "Saved."
        assert first.calls == 1 and first.requests == []
