"""Starting, sharing and ending a server."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from axonhub_cli.config import Config
from axonhub_cli.entities import ApiKey
from axonhub_cli.errors import AxonHubError, ConflictError
from axonhub_cli.paths import Home
from axonhub_cli.server.app import ServeOptions, home_lock, listen, start
from axonhub_cli.store.api_keys import new_api_key
from axonhub_cli.store.database import open_store
from tests.server.hub import channel, hub, kinds
from tests.server.upstreams import Upstream, chat_stream, streams

SERVE = """
import sys
from pathlib import Path
from axonhub_cli.config import Config
from axonhub_cli.errors import AxonHubError
from axonhub_cli.paths import Home
from axonhub_cli.server.app import ServeOptions, serve
home = Home(Path(sys.argv[1]), Path(sys.argv[1]))
try:
    options = ServeOptions(home=home, config=Config(), port=int(sys.argv[2]), workers=int(sys.argv[3]), demo=True)
    raise SystemExit(serve(options))
except AxonHubError as error:
    print(error.message, file=sys.stderr)
    raise SystemExit(1)
"""


def free_port():
    with listen("127.0.0.1", 0) as listener:
        return listener.getsockname()[1]


def spawn(home, port, workers=1, before=""):
    command = [sys.executable, "-c", before + SERVE, str(home), str(port), str(workers)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_ready(port, process):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as response:
                return json.load(response)
        except OSError:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
    raise AssertionError("not ready")


@pytest.mark.parametrize("workers", [1, 2])
def test_f18_f20_a_server_holds_its_home_and_ends_on_sigterm(tmp_path, workers):
    port = free_port()
    process = spawn(tmp_path, port, workers)
    try:
        assert wait_ready(port, process)["status"] == "ok"
        second = spawn(tmp_path, free_port())
        assert second.wait(10) == 1
        told = second.stderr.read()
        assert str(process.pid) in told
        assert str(port) in told
        other = spawn(tmp_path / "other", port)
        assert other.wait(10) == 1
        assert f"port {port}" in other.stderr.read()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert "serving on" in (tmp_path / "logs" / "axonhub.log").read_text()
    assert (tmp_path / "logs" / "axonhub.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("workers", [1, 2])
def test_f20_a_killed_server_leaves_no_lock_and_no_worker(tmp_path, workers):
    port = free_port()
    process = spawn(tmp_path, port, workers)
    wait_ready(port, process)
    process.kill()
    process.wait()
    home_lock(ServeOptions(home=Home(tmp_path, tmp_path), config=Config())).release()
    end = time.monotonic() + 15
    while True:
        try:
            listen("127.0.0.1", port).close()  # the workers are gone too
            break
        except ConflictError:
            assert time.monotonic() < end, "a worker outlived its master"
            time.sleep(0.05)


async def refused(port):
    """Waits until nobody listens there."""
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("how", "twice"), [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGHUP, False)])
async def test_f18_a_terminals_signals_reach_every_process_of_the_group(tmp_path, monkeypatch, workers, how, twice):
    go_on = asyncio.Event()

    async def slow(wire):
        await wire.head()
        await wire.chunk(chat_stream()[0])
        await go_on.wait()
        for piece in chat_stream()[1:]:
            await wire.chunk(piece)
        await wire.end()

    async def ask(session):
        payload = {"model": "m", "input": "hi", "stream": True}
        async with session.post(f"http://127.0.0.1:{port}/v1/responses", json=payload) as response:
            return kinds(await response.text())[-1]

    import aiohttp

    monkeypatch.setenv("UP_KEY", "x")
    plain, digest, prefix = new_api_key()
    port = free_port()
    headers = {"Authorization": f"Bearer {plain}"}
    async with Upstream(slow) as up, aiohttp.ClientSession(headers=headers) as session:
        with open_store(Home(tmp_path, tmp_path), Config()) as store:
            store.channels.add(channel("a", up.url))
            store.keys.add(ApiKey(id="k", name="n", digest=digest, prefix=prefix))
        process = spawn(tmp_path, port, workers)
        try:
            await asyncio.to_thread(wait_ready, port, process)
            answers = [asyncio.create_task(ask(session)) for _ in range(6)]
            async with asyncio.timeout(5):
                while len(up.calls) < len(answers):
                    await asyncio.sleep(0.01)
            os.killpg(process.pid, how)
            await refused(port)  # rather than left to wait for a server that ends
            if twice or how is signal.SIGHUP:  # which a shell passes on after the terminal
                os.killpg(process.pid, how)
            if twice:
                assert await asyncio.to_thread(process.wait, 5) == 130
            await asyncio.sleep(0.1)
            go_on.set()
            told = await asyncio.gather(*answers, return_exceptions=True)
            if not twice:
                assert told == ["response.completed"] * len(answers)
                assert await asyncio.to_thread(process.wait, 5) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_nohup_outlives_its_terminal(tmp_path, workers):
    port = free_port()
    process = spawn(tmp_path, port, workers, "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n")
    try:
        wait_ready(port, process)
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.3)
        assert wait_ready(port, process)["status"] == "ok"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


FEW_FILES = """
import resource
import sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, {hard}))
sys.modules["uvloop"] = None
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize("hard", [40, 4096])
def test_more_connections_than_descriptors(tmp_path, hard):
    port = free_port()
    process = spawn(tmp_path, port, before=FEW_FILES.format(hard=hard))
    clients = []
    try:
        wait_ready(port, process)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
        end = time.monotonic() + 10
        while len(os.listdir(f"/proc/{process.pid}/fd")) < min(hard, 60):
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.2)
    finally:
        for client in clients:
            client.close()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=15)[1].splitlines()
    assert not [line for line in said if not line.startswith("20")]
    assert len([line for line in said if "Too many open files" in line]) == (hard < 60)


async def test_s13_other_addresses_need_a_key(tmp_path):
    home = Home(tmp_path, tmp_path)
    options = ServeOptions(home=home, config=Config(), host="0.0.0.0", port=0, environ={})
    with pytest.raises(AxonHubError, match="refusing to listen"):
        await start(options)
    with open_store(home, Config()) as store:
        _, digest, prefix = new_api_key()
        store.keys.add(ApiKey(id="k", name="n", digest=digest, prefix=prefix))
    running = await start(options)
    await running.stop(0)


def test_a_port_in_use_is_named():
    with listen("127.0.0.1", 0) as first, pytest.raises(ConflictError, match=str(first.getsockname()[1])):
        listen("127.0.0.1", first.getsockname()[1])


async def test_f18_streams_that_do_not_end_in_time_are_told(tmp_path):
    async def stalls(wire):
        await wire.head()
        for piece in chat_stream()[:3]:
            await wire.chunk(piece)
        await wire.silence()

    async with Upstream(stalls) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        request = asyncio.create_task(h.ask())
        while not up.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        start_s = time.monotonic()
        await h.running.stop(0.1)
        _, _, text = await request
        assert time.monotonic() - start_s < 2
    assert kinds(text)[-1] == "response.failed"
    assert "being stopped" in text
    assert h.records.last.status == "failed"


async def test_the_real_store_keeps_what_happened(tmp_path):
    home, config = Home(tmp_path, tmp_path), Config()
    plain, digest, prefix = new_api_key()
    async with Upstream(streams()) as up:
        with open_store(home, config) as store:
            store.channels.add(channel("a", up.url))
            store.keys.add(ApiKey(id="k", name="n", digest=digest, prefix=prefix))
            running = await start(ServeOptions(home=home, config=config, port=0, environ={"UP_KEY": "x"}))
            import aiohttp

            headers = {"Authorization": f"Bearer {plain}", "session-id": "trace-1"}
            async with aiohttp.ClientSession() as session:
                payload = {"model": "m", "input": "hi", "stream": True}
                async with session.post(running.url + "/v1/responses", json=payload, headers=headers) as response:
                    await response.read()
            await asyncio.sleep(0.3)  # the promise: visible within 300 ms
            (record,) = store.traces.requests()
            assert (record.status, record.trace_id, record.output_tokens) == ("completed", "trace-1", 3)
            assert len(store.traces.attempts(record.id)) == 1
            assert {body.kind for body in store.traces.bodies(record.id)} == {"request", "response"}
            assert store.traces.binding("k", "trace-1").channel_id.startswith("ch_")
            await running.stop(0)


def test_umask_does_not_open_the_log(tmp_path):
    from axonhub_cli.server import log

    old = os.umask(0)
    try:
        log.setup("info", "json", tmp_path)
        log.LOGGER.info("hello")
    finally:
        os.umask(old)
    assert (tmp_path / "axonhub.log").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "axonhub.log").read_text())["message"] == "hello"
