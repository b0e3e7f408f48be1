"""The one line of a request, and the file it goes to."""

import io
import os
import re
import select
import threading

import msgspec
import pytest

from axonhub_cli.entities import AttemptRecord, RequestRecord, RequestStatus
from axonhub_cli.server import log
from axonhub_cli.server.log import Rarely, request_line, visible
from axonhub_cli.server.reloader import Reloader


def test_the_line_names_both_sides():
    record = RequestRecord(
        id="r",
        started_at=0,
        client_protocol="openai_responses",
        operation="generate",
        status=RequestStatus.COMPLETED,
        path="/v1/responses",
        client_model="gpt-5",
        http_status=200,
        ttft_ms=412,
        duration_ms=3100,
        input_tokens=41200,
        cached_tokens=39800,
        output_tokens=512,
        attempts=1,
    )
    attempt = AttemptRecord(
        id="a",
        request_id="r",
        number=1,
        channel="deepseek",
        upstream_protocol="openai_chat",
        upstream_model="deepseek-reasoner",
        reason="",
        started_at=0,
        url_path="/v1/chat/completions",
    )
    assert request_line(record, attempt) == (
        "POST /v1/responses gpt-5 → deepseek POST /v1/chat/completions deepseek-reasoner 200 "
        "ttft 412 ms 3.1 s in 41200 (cached 39800) out 512"
    )


@pytest.fixture
def restored():
    """The loggers as they were."""
    level, handlers = log.LOGGER.level, list(log.LOGGER.handlers)
    log.LOGGER.handlers = []
    yield
    for handler in log.LOGGER.handlers:
        handler.close()
    log.LOGGER.handlers, log.LOGGER.propagate = handlers, True
    log.LOGGER.setLevel(level)


@pytest.mark.parametrize("style", ["text", "json"])
def test_b18_nothing_of_others_commands_the_terminal(tmp_path, restored, style):
    steering = "\x1b]52;c;aGk=\x07\r\n\x7f\x9b31m\x9d\u061c\u200f\u2028\u202e\u2066\ufeff\U000e0041"
    stream = io.StringIO()
    log.setup("info", style, None, stream)
    said = {"path": steering, "client_model": steering, "served_model": steering, "error": steering}
    log.request_done(RequestRecord("r", 0, "openai_chat", "generate", upstream_model="m", **said), None)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    if style == "json":
        assert msgspec.json.decode(line)["served_instead"] == steering


@pytest.mark.parametrize("style", ["text", "json"])
def test_stderr_and_the_file_get_the_same_lines(tmp_path, restored, style):
    stream = io.StringIO()
    log.setup("info", style, tmp_path, stream)
    record = RequestRecord(id="r", started_at=0, client_protocol="openai_chat", operation="generate", path="/v1/x")
    log.request_done(record, None)
    log.LOGGER.warning("%s is %d", "one", 1)
    log.LOGGER.debug("not wanted")
    lines = stream.getvalue().splitlines()
    assert (tmp_path / "axonhub.log").read_text().splitlines() == lines
    if style == "text":
        assert [line.split(" ", 1)[1] for line in lines] == ["info    POST /v1/x - - running", "warning one is 1"]
        return
    done, one = map(msgspec.json.decode, lines)
    assert done.keys() == {"time", "level", "message", "request_id", "path", "status", "attempts"}
    assert done["message"] == "POST /v1/x - - running"
    assert one == {"time": one["time"], "level": "warning", "message": "one is 1"}


def test_b19_a_line_is_one_line():
    text = visible("a\r\nb\x1b[31m\u2028\u202ec\x85")
    assert text == "a\\x0d\\x0ab\\x1b[31m\\u2028\\u202ec\\x85"


def test_rarely_lets_one_through(caplog):
    now = [0.0]
    rarely = Rarely(60, lambda: now[0])
    for _ in range(5):
        rarely.warn("x")
    now[0] = 61
    rarely.warn("x")
    assert [record.getMessage() for record in caplog.records] == ["x", "x (4 more like it)"]


class Source:
    """A store whose snapshot can be broken."""

    def __init__(self, snapshot):
        self.value, self.number = snapshot, 1

    def revision(self):
        if self.number is None:
            raise OSError("gone")
        return self.number

    def snapshot(self):
        return self.value


def test_f23_a_broken_configuration_leaves_the_last_good_one(caplog):
    from axonhub_cli.entities import Channel, Snapshot

    good = Snapshot(1, channels={"a": Channel("c", "a", "openai", "https://x")})
    source = Source(good)
    reloader = Reloader(source)
    source.value, source.number = Snapshot(2, channels={"b": Channel("c", "b", "no-such-type", "https://x")}), 2
    assert list(reloader.current().snapshot.channels) == ["a"]
    assert "no-such-type" in caplog.text
    source.number = None
    assert list(reloader.current().snapshot.channels) == ["a"]
    source.value, source.number = Snapshot(3), 3
    assert reloader.current().snapshot.revision == 3


def test_a_full_file_is_put_aside_and_none_is_readable_by_others(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "_MAX_FILE", 1000)
    monkeypatch.setattr(log.LOGGER, "handlers", [])
    monkeypatch.setattr(log.LOGGER, "propagate", False)
    log.setup("info", "text", tmp_path, io.StringIO())
    for number in range(60):
        log.LOGGER.info("line %03d %s", number, "x" * 40)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["axonhub.log", *(f"axonhub.log.{n}" for n in (1, 2, 3))]
    assert all(file.stat().st_mode & 0o777 == 0o600 and 0 < file.stat().st_size < 1200 for file in files)
    text = "".join(file.read_text() for file in reversed(files))
    kept = [int(line.split("line ")[1][:3]) for line in text.splitlines()]
    assert kept == list(range(kept[0], 60))


def test_a_full_disk_costs_lines_of_the_file_and_nothing_else(tmp_path, restored, capfd):
    resource = pytest.importorskip("resource")
    stream = io.StringIO()
    log.setup("info", "text", tmp_path, stream)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        log.LOGGER.info("one")
        log.LOGGER.info("two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.LOGGER.info("three")
    said = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert [said[0], *said[2:]] == ["info    one", "info    two", "info    three"]
    assert said[1].startswith("warning the log's file cannot be written") and "File too large" in said[1]
    assert (tmp_path / "axonhub.log").read_text().endswith("info    three\n")
    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_be_opened_costs_its_lines_and_nothing_else(tmp_path, restored):
    stream, path = io.StringIO(), tmp_path / "axonhub.log"
    path.mkdir()  # stands for another user's file, which stops nobody who is root
    log.setup("info", "text", tmp_path, stream)
    log.LOGGER.info("one")
    path.rmdir()
    log.LOGGER.info("two")
    said = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert [said[0], *said[2:]] == ["info    one", "info    two"]
    assert said[1].startswith("warning the log's file cannot be written") and "Is a directory" in said[1]
    assert path.read_text().endswith("info    two\n")


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path, restored):
    stream = io.StringIO()
    os.mkfifo(tmp_path / "axonhub.log")
    log.setup("info", "text", tmp_path, stream)
    log.LOGGER.info("one")  # nobody reads it
    reader = os.open(tmp_path / "axonhub.log", os.O_RDONLY | os.O_NONBLOCK)
    log.LOGGER.info("two")  # somebody does
    os.close(reader)
    said = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert [said[0], *said[2:]] == ["info    one", "info    two"]
    assert said[1].startswith("warning the log's file cannot be written")


def test_a_file_that_was_deleted_is_made_anew(tmp_path, restored):
    log.setup("info", "text", tmp_path, io.StringIO())
    log.LOGGER.info("one")
    (tmp_path / "axonhub.log").unlink()
    log.LOGGER.info("two")
    assert (tmp_path / "axonhub.log").read_text().endswith("info    two\n")


def test_a_terminal_that_is_gone_costs_nothing_but_its_lines(tmp_path, restored, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        log.setup("info", "text", tmp_path, stream)
        log.LOGGER.info("one")
        log.LOGGER.info("two")
        assert (tmp_path / "axonhub.log").read_text().count("\n") == 2
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # so that closing it has nowhere to fail
    assert capfd.readouterr() == ("", "")


def test_a_terminal_that_takes_nothing_stops_nobody(tmp_path, restored):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log.setup("info", "text", tmp_path, stream)
        for number in range(1000):
            log.LOGGER.info("line %03d %s", number, "x" * 200)
        shown = os.read(reading, 1 << 20).decode().splitlines()
        log.LOGGER.info("the reader is back")
        later = os.read(reading, 1 << 20).decode().splitlines()
    os.close(reading)
    assert 0 < len(shown) < 1000
    assert later[0] == f"({1000 - len(shown)} lines are not shown here)"
    assert later[1].endswith("the reader is back") and len(later) == 2
    assert (tmp_path / "axonhub.log").read_text().count("\n") == 1001


def test_a_terminal_that_nobody_reads_stops_nobody(tmp_path, restored):
    pty = pytest.importorskip("pty")
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w") as stream:
        log.setup("info", "text", tmp_path, stream)
        written = threading.Thread(
            target=lambda: [log.LOGGER.info("line %03d %s", number, "x" * (number % 250)) for number in range(1000)],
            daemon=True,
        )
        written.start()
        written.join(10)
        assert not written.is_alive()
        shown = os.read(reading, 1 << 20).decode()
        while select.select([reading], [], [], 0.2)[0]:
            shown += os.read(reading, 1 << 20).decode()
        log.LOGGER.info("the reader is back")
        later = os.read(reading, 1 << 20).decode().splitlines()
    os.close(reading)
    assert 0 < shown.count("line") < 1000
    assert re.fullmatch(r"\(\d+ lines are not shown here\)", later[-2])
    assert later[-1].endswith("the reader is back")
    assert (tmp_path / "axonhub.log").read_text().count("\n") == 1001


def test_workers_put_one_full_file_aside_once(tmp_path, restored, monkeypatch):
    monkeypatch.setattr(log, "_MAX_FILE", 300)
    handlers = []
    for _ in range(2):
        log.setup("info", "text", tmp_path, io.StringIO())
        handlers += log.LOGGER.handlers
        log.LOGGER.handlers = []
    for number in range(10):
        log.LOGGER.handlers = [handlers[number % 2]]
        log.LOGGER.info("line %d %s", number, "x" * 100)
    log.LOGGER.handlers = handlers
    files = sorted(tmp_path.iterdir(), reverse=True)
    lines = "".join(file.read_text() for file in files).splitlines()
    assert [int(line.split("line ")[1][0]) for line in lines] == list(range(10))
