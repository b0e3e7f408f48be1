"""Real Codex over WebSocket: one socket for many turns, on every kind of upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.clients import program
from tests.e2e.codex import Codex
from tests.e2e.conftest import Stage
from tests.e2e.hub import Hub
from tests.e2e.screen import Screen
from tests.e2e.test_codex_agents import LIMIT, full, is_child
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Fault, Reply, Say, Search, Summary, Think

pytestmark = pytest.mark.e2e


def over_websocket(codex: Codex) -> Codex:
    """The same Codex, told that the hub serves WebSockets."""
    text = codex.config.read_text()
    head = "[model_providers.axonhub-responses]\n"
    assert head in text
    codex.config.write_text(text.replace(head, f"{head}supports_websockets = true\n"))
    return codex


@pytest.fixture
def socketed(stage: Stage) -> Stage:
    """A stage whose Codex opens sockets; how many shows the hub's own count."""
    over_websocket(stage.codex)
    return stage


def shell(command: str) -> Call:
    return Call("exec_command", {"cmd": command})


def opened(hub: Hub) -> int:
    return hub.metric("axonhub_sockets_total")


def test_a_tool_loop_on_one_socket(socketed: Stage) -> None:  # pitfalls 127, 159, 160
    provider, before = socketed.provider, opened(socketed.hub)
    provider.then([Think("First."), shell("echo one > a")], [Say("Next."), shell("cat a")], shell("rm a"), "All done.")
    turn = socketed.codex.exec("work")
    assert turn.done.ok() and turn.answer == "All done."
    assert turn.items("error") == [] and "ebSocket" not in turn.errors
    assert opened(socketed.hub) - before == 1
    assert [len(request.outputs) for request in provider.requests] == [0, 1, 2, 3]
    assert provider.requests[-1].outputs[1].endswith("one\n")
    assert provider.requests[-1].thoughts[0] == "First."
    assert "Next." in provider.requests[-1].text
    rows = socketed.hub.requests(turn.session, count=4)  # the warm-up is none
    assert {(row["trace_id"], row["thread_id"], row["status"]) for row in rows} == {
        (turn.session, turn.session, "completed")
    }


def test_a_session_goes_on_over_a_restart_and_over_http(socketed: Stage) -> None:
    # pitfalls 33, 119: what only the upstream understands comes back whichever way
    provider, codex = socketed.provider, socketed.codex
    provider.then([Think("First thoughts."), shell("echo one")], "Half done.")
    turn = codex.exec("work")
    socketed.hub.restart()
    provider.then([Think("Second."), shell("echo two")], "More done.")
    assert codex.resume(turn.session, "go on").answer == "More done."
    codex.config.write_text(codex.config.read_text().replace("supports_websockets = true\n", ""))
    provider.then([Think("Third."), shell("echo three")], "All done.")
    assert codex.resume(turn.session, "go on").answer == "All done."
    thoughts = [thought for thought in provider.requests[-1].thoughts if thought[0].isalpha()]
    assert thoughts == ["First thoughts.", "Second.", "Third."]
    assert len(provider.requests[-1].outputs) == 3
    assert {row["trace_id"] for row in socketed.hub.requests(turn.session, count=6)} == {turn.session}


def test_a_hub_that_is_restarted_in_the_middle(socketed: Stage) -> None:
    provider = socketed.provider
    provider.then([Think("Hm."), shell("sleep 4; echo slept")], "Awake.")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(socketed.codex.exec, "work")
        provider.wait_for(1)
        socketed.hub.restart()
        turn = running.result()
    assert turn.done.ok() and turn.answer == "Awake."
    assert provider.requests[-1].outputs[0].endswith("slept\n")
    assert provider.calls == 2 and opened(socketed.hub) == 1


def test_an_error_ends_the_turn_with_the_upstreams_words(socketed: Stage) -> None:  # pitfall 161
    socketed.provider.then(Fault(400, "The model dislikes this prompt.", "invalid_prompt"))
    turn = socketed.codex.exec("work")
    assert turn.done.code != 0
    assert "The model dislikes this prompt." in turn.errors
    assert socketed.provider.calls == 1
    (row,) = socketed.hub.requests(turn.session, count=1)
    assert (row["status"], row["http_status"]) == ("failed", 400)


def test_an_answer_that_breaks_is_asked_for_again(socketed: Stage) -> None:  # pitfalls 129, 144
    half = Reply((Think("Hm."), Say("Half of "), Say("a long answer")), cut=6)
    socketed.provider.then(shell("echo hi"), half, "Whole.")
    turn = socketed.codex.exec("work")
    assert turn.done.ok() and turn.answer == "Whole."
    assert len(socketed.provider.requests[-1].outputs) == 1
    assert "Half" not in socketed.provider.requests[-1].text
    rows = socketed.hub.requests(turn.session, count=3)
    assert [row["status"] for row in rows] == ["completed", "failed", "completed"]


def test_a_rate_limit_is_waited_for(hub: Hub, provider_of: Callable[[str], Provider], tmp_path: Path) -> None:
    # pitfall 161: `retry-after` is read in the error frame
    provider = provider_of("openai")
    hub.add_channel("main", provider, "openai")
    codex = over_websocket(hub.codex(tmp_path / "me", hub.create_key()))
    hub.start()
    slow = Fault(429, "slow down", "rate_limit_exceeded", headers={"Retry-After": "4"})
    provider.then(slow, "Here.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Here."
    first, second = hub.requests(turn.session, count=2)
    assert (first["http_status"], second["http_status"]) == (429, 200)
    assert opened(hub) == 2


def test_a_wrong_key(hub: Hub, provider_of: Callable[[str], Provider], tmp_path: Path) -> None:
    provider = provider_of("openai")
    hub.add_channel("main", provider, "openai")
    codex = over_websocket(hub.codex(tmp_path / "me", "ah-" + "x" * 43))
    hub.create_key()
    hub.start()
    turn = codex.exec("work", seconds=90)
    assert turn.done.code != 0
    assert "401" in turn.errors and "axonhub" in turn.errors.lower()
    assert provider.calls == 0 and opened(hub) == 0


def test_a_sub_agent_has_a_socket_of_its_own(socketed: Stage) -> None:  # pitfall 168
    provider, space, before = socketed.provider, "collaboration", opened(socketed.hub)
    provider.when(is_child, "There are seven files.")
    provider.then(
        Call("spawn_agent", {"task_name": "kid", "message": "COUNT THE FILES", "fork_turns": "none"}, space),
        Call("wait_agent", {"timeout_ms": 20000}, space),
        "Seven, says my agent.",
    )
    turn = socketed.codex.exec("how many files?", "-m", "gpt-6-sol")
    assert turn.done.ok() and turn.answer == "Seven, says my agent."
    rows = socketed.hub.requests(turn.session, count=4)
    assert sorted(row["thread_id"] == turn.session for row in rows) == [False, True, True, True]
    assert {row["subagent"] for row in rows} == {None, "collab_spawn"}
    assert opened(socketed.hub) - before == 2


def test_tools_found_by_search_can_be_called(socketed: Stage) -> None:  # pitfall 108
    space = "multi_agent_v1"
    socketed.provider.then(
        Search("spawn agent"), Call("wait_agent", {"targets": ["none"], "timeout_ms": 1000}, space), "Nobody."
    )
    turn = socketed.codex.exec("who is there?")
    assert turn.done.ok() and turn.answer == "Nobody."


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_compaction_resets_the_socket(socketed: Stage, remote: bool) -> None:  # pitfalls 132, 163
    provider = socketed.provider
    if remote:
        with socketed.codex.config.open("a") as config:
            config.write('\n[model_providers.axonhub-responses.capabilities]\nremote_compaction = "v2"\n')
    provider.then(full(Think("Working."), shell("echo hi")), Summary("We said hi to all."))
    provider.then([Think("So."), shell("echo b")], "On.")
    turn = socketed.codex.exec("work", *LIMIT)
    assert turn.done.ok() and turn.answer == "On."
    assert [len(request.outputs) for request in provider.requests] == [0, 1, 0, 1]
    assert "We said hi to all." in provider.requests[3].text
    assert turn.items("error") == []


@pytest.fixture
def chat(hub: Hub, provider_of: Callable[[str], Provider]) -> Provider:
    """A Chat upstream with a channel to it; titles of tasks are not its script's business."""
    provider = provider_of("deepseek")
    provider.when(lambda request: "task title" in request.last_user, '{"title": "Files"}', forever=True)
    hub.add_channel("main", provider, "deepseek")
    return provider


@pytest.fixture
def screen(hub: Hub, chat: Provider, tmp_path: Path) -> Iterator[Screen]:
    """The interactive Codex over WebSocket."""
    codex = over_websocket(hub.codex(tmp_path / "me", hub.create_key(), model="deepseek-chat"))
    hub.start()
    command = [str(program("codex")), "--no-daemon", "--dangerously-bypass-approvals-and-sandbox"]
    with Screen(command, env=codex.environment, cwd=codex.work, socket=tmp_path / "tmux") as screen:
        screen.wait_for("Ask Codex to do anything")
        yield screen


def test_two_turns_on_the_screen_and_a_restart_between(hub: Hub, chat: Provider, screen: Screen) -> None:
    chat.then([Say("Looking."), shell("echo one")], "The first answer.", "The second answer.")
    screen.submit("Count the files")
    screen.wait_for("The first answer.")
    hub.restart()
    screen.submit("And now?")
    shown = screen.wait_for("The second answer.")
    assert "Reconnecting" not in shown and "rror" not in shown
    assert "The first answer." in chat.requests[-1].text


def test_a_turn_that_is_interrupted_ends_the_upstream_call(hub: Hub, chat: Provider, screen: Screen) -> None:
    # pitfall 145
    chat.then(Reply((Say("Half of it and more"),), hang=3), "The second answer.")
    screen.submit("Count the files")
    screen.wait_for("Half")
    screen.press("Escape")
    assert chat.hung_up.wait(5)
    screen.submit("And now?")
    screen.wait_for("The second answer.")
    assert sorted(row["status"] for row in hub.requests(count=3)) == ["canceled", "completed", "completed"]
