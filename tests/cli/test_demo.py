import os
import re
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from axonhub_cli.cli import demo_client
from tests.cli.conftest import AXONHUB
from tests.cli.test_tail import wait


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders go, to see that none is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    for number in (signal.SIGTERM, signal.SIGHUP):  # commands that ran in this process took them over
        signal.signal(number, signal.SIG_DFL)


def test_once_shows_the_reply_and_its_trace_and_leaves_nothing(program, home, temporary):
    done = program("demo", "--once", AXONHUB_SERVER_PORT="1", AXONHUB_DATABASE_URL="nonsense")
    lines = done.out.splitlines()
    assert lines[0] == "Hello from the AxonHub demo model."
    assert re.fullmatch(r"trace [0-9a-f-]{36}", lines[1])
    assert "gpt-5 → demo on demo (openai_chat)" in lines[3]
    assert any("user: Say hello" in line for line in lines)
    assert any("tools exec_command" in line for line in lines)
    assert "not passed on" in done.out
    assert "http://127.0.0.1:" in done.err
    assert list(temporary.iterdir()) == []
    assert not home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_nothing_however_early_it_ends(home, temporary, number):
    process = subprocess.Popen([AXONHUB, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait(lambda: list(temporary.iterdir()))
    process.send_signal(number)
    errors = process.communicate(timeout=10)[1]
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_keeps_serving_until_told(home, temporary, tmp_path, number):
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([AXONHUB, "demo"], stdout=out, stderr=subprocess.PIPE)
    try:
        text = wait(lambda: (shown := (tmp_path / "out").read_text()).endswith("'say hello'\n") and shown)
        key = re.search(r"^export AXONHUB_API_KEY=(ah-[\w-]{43})$", text, re.MULTILINE)[1]
        url = re.search(r'base_url="(http://127\.0\.0\.1:\d+/v1)"', text)[1]
        call = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(call, timeout=5) as answer:
            assert b"demo" in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/models", timeout=5)
        process.send_signal(number)
        assert process.wait(10) == (0 if number == signal.SIGTERM else 130)
    finally:
        process.kill()
        errors = process.communicate()[1]
    assert b"Traceback" not in errors
    assert list(temporary.iterdir()) == []


def test_a_wrong_answer_is_a_failure(cli, temporary, monkeypatch):
    monkeypatch.setattr(demo_client, "EXPECTED", "something else")
    done = cli("demo", "--once", code=1)
    assert "error: the demo's own request went wrong: the answer is 'Hello" in done.err
    assert list(temporary.iterdir()) == []


def test_a_refused_request_is_a_failure(cli, temporary, monkeypatch):
    monkeypatch.setattr("axonhub_cli.cli.demo.MODEL", "bad\x00model")
    assert "error: the demo's own request went wrong: HTTP 400" in cli("demo", "--once", code=1).err


def test_a_port_that_is_taken(cli, temporary):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = cli("demo", "--once", "--port", port, code=1)
    assert f"error: port {port} on 127.0.0.1 is in use" in done.err
    assert list(temporary.iterdir()) == []
    assert os.environ["TMPDIR"] == str(Path(temporary))
