import itertools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from axonhub_cli.cli.trace_follow import _Watcher
from axonhub_cli.cli.trace_tail import fitting, header, line
from axonhub_cli.config import Config
from axonhub_cli.entities import RequestStatus
from axonhub_cli.ids import now_ms
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store
from axonhub_cli.store.traces import RequestFilter
from tests.cli.conftest import AXONHUB
from tests.cli.test_traces import NOW, record

RUNNING = {"status": RequestStatus.RUNNING, "finished_at": None, "duration_ms": None, "http_status": None}


def wait(condition, seconds=20, told=str):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"it did not happen: {told()}"
        time.sleep(0.02)
    return found


@pytest.fixture
def tail(tmp_path):
    """Starts `traces tail` with its output in a file; `lines()` are those it has written."""
    started = []

    def start(*arguments):
        path = tmp_path / f"tail-{len(started)}"
        with path.open("wb") as file:
            process = subprocess.Popen([AXONHUB, "traces", "tail", *arguments], stdout=file, stderr=subprocess.PIPE)
        process.lines = lambda: path.read_text().splitlines()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_follows_from_before_the_database_exists(tail, home):
    process = tail("--json")
    wait((home / "axonhub.db").exists)
    with open_store(Home(home, home), Config()) as store:
        time.sleep(0.3)
        store.traces.save([record(1, **RUNNING)])
        store.traces.save([record(1), record(2, status=RequestStatus.FAILED)])
        start = time.monotonic()
        rows = wait(lambda: len(process.lines()) == 2 and list(map(json.loads, process.lines())))
        assert time.monotonic() - start < 0.3
    assert [(row["request_id"], row["status"]) for row in rows] == [("req_0001", "completed"), ("req_0002", "failed")]
    with open_store(Home(home, home), Config()) as store:  # another server
        store.traces.save([record(3, **RUNNING)])
        store.traces.abandon()
        wait(lambda: len(process.lines()) == 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("anew", [False, True], ids=["gone", "replaced"])
def test_ends_with_a_word_where_the_database_is_no_longer_there(tail, store, home, anew):
    process = tail("--json")
    store.traces.save([record(1)])
    wait(lambda: len(process.lines()) == 1)
    (home / "axonhub.db").rename(home / "old.db")
    if anew:
        open_store(Home(home, home), Config()).close()
    assert process.wait(10) == 1
    assert b"axonhub.db was moved or deleted" in process.stderr.read()


def test_what_a_killed_server_left_running_ends(tail, store, cli):
    server = subprocess.Popen(["sleep", "60"])
    store.traces.save([record(1, **RUNNING, server=f"{socket.gethostname()}:{server.pid}")])
    store.traces.save([record(2, **RUNNING, server=f"elsewhere:{server.pid}")])
    process = tail("--json")
    assert [row["status"] for row in cli("traces", "list", "--json").json] == ["running", "running"]
    server.kill()
    server.wait()
    (row,) = wait(lambda: [json.loads(text) for text in process.lines()])
    assert (row["request_id"], row["status"], row["error"]) == (
        *("req_0001", "failed", "the server ended before the answer did"),
    )
    store.traces.save([record(3, **RUNNING, server=f"{socket.gethostname()}:{server.pid}")])
    assert cli("traces", "show", "req_0003", "--json").json["status"] == "failed"
    store.traces.save([record(4, **RUNNING, server=f"{socket.gethostname()}:{server.pid}")])
    assert [row["status"] for row in cli("traces", "list", "--json").json] == ["failed", "failed", "running", "failed"]


def test_begins_with_the_last_ones_and_filters(tail, store):
    store.traces.save([record(number) for number in range(30)])
    process = tail("-n", "2", "--channel", "deepseek", "--status", "completed")
    wait(lambda: len(process.lines()) == 2)
    store.traces.save(
        [record(31, channel="kimi"), record(32, status=RequestStatus.FAILED), record(33, **RUNNING), record(34)]
    )
    wait(lambda: len(process.lines()) == 3)
    store.traces.save([record(33)])
    wait(lambda: len(process.lines()) == 4)
    assert [text.split()[-1] for text in process.lines()] == ["req_0028", "req_0029", "req_0034", "req_0033"]


def test_a_request_that_moved_to_another_channel_runs_on_this_one_no_more(store, home):
    watcher = _Watcher(store, RequestFilter(channel="deepseek"))
    assert watcher.begin(10) == []
    with open_store(Home(home, home), Config()) as server:
        server.traces.save([record(1, **RUNNING), record(2, **RUNNING)])
        assert watcher.look() == []
        assert [each.id for each in watcher.running] == ["req_0001", "req_0002"]
        server.traces.save([record(1, channel="kimi", **RUNNING)])
        assert watcher.look() == []
        assert [each.id for each in watcher.running] == ["req_0002"]
        server.traces.save([record(1, channel="kimi"), record(2)])
        assert [each.id for each in watcher.look()] == ["req_0002"]


def test_ends_when_nobody_reads_any_more(home, store):
    store.traces.save([record(1)])
    script = f"{shlex.quote(str(AXONHUB))} traces tail | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    first, code = done.stdout.splitlines()
    assert first.endswith("req_0001")
    assert code == "0"
    assert done.stderr == ""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_lines_fit_and_align(width):
    cells = fitting(width)
    texts = [
        header(cells),
        line(record(1), cells, NOW),
        line(record(2, client_model="a-model-with-a-very-long-name-indeed", status=RequestStatus.CANCELED), cells, NOW),
        line(record(3, channel=None, input_tokens=None, ttft_ms=None), cells, NOW),
        *(line(record(4, client_model=name), cells, NOW) for name in _ODD_NAMES),
    ]
    assert max(map(cell_len, texts)) <= max(width, 23)
    words = ("MODEL", "gpt", "a-m", "gpt", *(name[:1] for name in _ODD_NAMES))
    assert len({text.find(word) for text, word in zip(texts, words, strict=True)}) == 1
    ends = {cell_len(text) for text in texts[1:]}  # the last column is there, and in its place
    assert len(ends) == 1 or width == 20


_ODD_NAMES = ("通义千问最强推理模型", "🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀", "e\u0301tait-une-fois", "中")


class Screen:
    """A program in a tmux of its own: a server that is being killed would still take the next test's window."""

    numbers = itertools.count()

    def __init__(self, name, width, height=16):
        self.name = name
        self._server = f"axonhub-{os.getpid()}-{next(self.numbers)}"
        environment = [f"-e{key}={os.environ[key]}" for key in ("AXONHUB_HOME", "TZ")]
        command = f"{shlex.quote(str(AXONHUB))} traces tail; echo ended $?; sleep 60"
        self._tmux("new-session", "-d", "-s", name, "-x", str(width), "-y", str(height), *environment, command)

    def _tmux(self, *arguments):
        command = ["tmux", "-L", self._server, "-f", "/dev/null", *arguments]
        # pytest loads readline, which puts COLUMNS behind os.environ's back, and its workers inherit that.
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    def lines(self):
        return [text.rstrip() for text in self._tmux("capture-pane", "-p", "-t", self.name).rstrip().splitlines()]

    def shows_cursor(self):
        return self._tmux("display-message", "-p", "-t", self.name, "#{cursor_flag}").strip() == "1"

    def press(self, key):
        self._tmux("send-keys", "-t", self.name, key)

    def resize(self, width, height):
        self._tmux("resize-window", "-t", self.name, "-x", str(width), "-y", str(height))

    def close(self):
        self._tmux("kill-server")


def test_both_models_are_there_when_there_is_little_room():
    long = record(1, client_model="claude-opus-5-5", upstream_model="deepseek-reasoner")
    assert "claude… → deepse… " in line(long, fitting(80), NOW)
    assert "clau… → deep… " in line(long, fitting(40), NOW)
    assert "claude-opus-5-5 → deepseek-reasoner" in line(long, fitting(120), NOW)


@pytest.mark.parametrize(
    ("operation", "word"), [("generate", "ok"), ("count_tokens", "counted"), ("embeddings", "embedded")]
)
def test_what_was_no_answer_says_so(operation, word):
    assert line(record(1, operation=operation), fitting(80), NOW).split()[1] == word


@pytest.fixture
def screen(home):
    opened = []

    def start(width, height=16):
        opened.append(Screen("tail", width, height))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("width", "finished"),
    [
        (80, "12:26:41 ok         gpt-5 → deepseek… deepseek         1.0k     50  120ms  500ms"),
        (40, "12:26:41 ok         gpt-5 → deep…  500ms"),
    ],
)
def test_terminal(screen, store, width, finished):
    store.traces.save([record(1)])
    shown = screen(width)
    wait(lambda: any("12:26:41" in text for text in shown.lines()), told=shown.lines)
    started = now_ms()
    store.traces.save([record(2, **RUNNING | {"started_at": started})])
    spinner = re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d.*s gpt-5 → deepseek-chat.*")
    wait(lambda: any(map(spinner.fullmatch, shown.lines())), told=shown.lines)
    assert max(map(len, shown.lines())) <= width
    assert shown.shows_cursor()  # after Ctrl-Z or a kill nobody else would bring it back
    store.traces.save([record(2)])
    wait(lambda: any(text.startswith("12:26:42 ok") for text in shown.lines()), told=shown.lines)
    wait(lambda: not any(text.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")) for text in shown.lines()), told=shown.lines)
    lines = shown.lines()
    assert lines[0].split()[:3] == ["TIME", "STATUS", "MODEL"]
    assert lines[1:3] == [finished, finished.replace(":41", ":42")]
    shown.press("C-c")
    wait(lambda: "ended 130" in shown.lines(), told=shown.lines)
    assert not any("Traceback" in text for text in shown.lines())


def test_terminal_with_more_running_than_room(screen, store):
    started = now_ms()
    many = [replace(record(number, **RUNNING), started_at=started) for number in range(40)]
    shown = screen(80, 12)
    store.traces.save(many)
    wait(lambda: any("more running" in text for text in shown.lines()))
    store.traces.save([record(number) for number in range(40)])
    wait(lambda: any(text.startswith("12:27:19") for text in shown.lines()))
    wait(lambda: not any("running" in text for text in shown.lines()))
    shown.resize(50, 12)
    store.traces.save([record(41)])
    wait(lambda: any(text.startswith("12:27:21") and len(text) <= 50 for text in shown.lines()))
