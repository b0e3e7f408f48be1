import json
import signal
import subprocess
import urllib.request

import pytest

from tests.cli.conftest import AXONHUB
from tests.cli.test_tail import wait


@pytest.fixture
def serve(home, tmp_path):
    """Starts `serve` on a free port; `said()` is what it has printed so far."""
    started = []

    def start(*arguments):
        path = tmp_path / f"serve-{len(started)}"
        with path.open("wb") as file:
            command = [AXONHUB, "serve", "--port", "0", *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file)
        process.said = path.read_text
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_banner_then_log(serve, cli, home):
    cli("channel", "add", "one", "--type", "demo")
    cli("key", "create", "k")
    process = serve("--log-format", "json")
    wait(lambda: "serving on" in process.said())
    banner, _, log = process.said().partition("{")
    assert banner == (
        "axonhub on http://127.0.0.1:(a free port)/v1\n"
        f"  home      {home}\n"
        "  channels  one\n"
        "  codex     axonhub codex setup   (then run codex as ever)\n"
        "  others    Anthropic's and Gemini's take http://127.0.0.1:(a free port) as their base URL\n"
        "  watch     axonhub traces tail\n"
    )
    assert all(json.loads(line) for line in ("{" + log).splitlines())
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout.read() == b""


def test_without_anything_it_says_what_to_do(serve):
    process = serve()
    wait(lambda: "serving on" in process.said())
    assert "channels  none yet: axonhub channel add NAME --type TYPE" in process.said()
    assert (
        'hint: no client can get in without a key: export AXONHUB_API_KEY="$(axonhub key create NAME)"'
        in process.said()
    )


def test_other_addresses_warn_and_need_a_key(serve, cli):
    refused = cli("serve", "--host", "0.0.0.0", "--port", "0", code=1)
    assert refused.err.startswith("error: refusing to listen on 0.0.0.0")
    cli("key", "create", "k")
    process = serve("--host", "0.0.0.0")
    wait(lambda: "serving on" in process.said())
    assert "warning: listening on 0.0.0.0: other machines can reach this hub" in process.said()
    assert "take http://127.0.0.1:(a free port) as their base URL" in process.said()


def test_a_port_that_is_taken(serve, cli, tmp_path):
    process = serve()
    wait(lambda: "serving on http://" in process.said())
    port = process.said().split("serving on http://127.0.0.1:")[1].split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        assert answer.status == 200
    done = cli("--home", str(tmp_path / "other"), "serve", "--port", port, code=1)
    assert done.err.startswith(f"error: port {port} on 127.0.0.1 is in use")
    assert cli("serve", "--port", "0", code=1).err.startswith("error: another axonhub serves this home already (pid ")


def test_a_folder_nobody_may_write_to(cli, home):
    cli("key", "create", "k")
    (home / "server.lock").mkdir()  # stands for what permissions do to people who are not root
    assert cli("serve", code=1).err == (
        f"error: cannot write {home}/server.lock: Is a directory\n"
        "hint: Make the folder writable, or give another --home.\n"
    )


def test_a_secret_that_is_none(cli, home):
    cli("key", "create", "k")
    (home / "secret.key").write_text("x")
    assert cli("serve", code=1).err.startswith(f"error: {home}/secret.key does not hold 32 bytes")


@pytest.mark.parametrize("arguments", [("--port", "99999"), ("--workers", "0"), ("--log-level", "loud")])
def test_wrong_usage(cli, arguments):
    assert cli("serve", *arguments, code=2).err.startswith("error: Invalid value")
