"""CPU of the proxy for one translated Codex stream: a 40 kB request, 200 chunks, recording on.

    python -m tests.bench.bench_exchange [--rounds 7] [--requests 100] [--chunks-per-write 20] [--passthrough]
    python -m tests.bench.bench_exchange --chunks-per-write 1 --pause-ms 2 --requests 5   as a model speaks

Three processes: a fake upstream, the proxy, and this one as the client. CPU is the proxy's own, by getrusage. Where
neighbours share the processor even the best round is slowed by them; what no neighbour touched is then found request by
request: the 5th percentile of the CPU of the thread that answers, and the recorder's in the round where it took least.
"""

import argparse
import asyncio
import contextlib
import cProfile
import io
import json
import multiprocessing
import re
import resource
import statistics
import tempfile
import time
from pathlib import Path

CHUNKS = 200


def upstream(ports, passthrough, per_write, apart, pause=0.0):
    """Answers every request with the same stream, `per_write` events in a write. A write is one HTTP chunk, as HTTP
    servers make it; with `apart` each event is one."""
    from tests.server.upstreams import chat_stream, responses_events

    pieces = chat_stream("word " * CHUNKS)
    if passthrough:
        events = responses_events()
        pieces = [*events[:5], *([events[5]] * CHUNKS), *events[6:]]
    groups = [pieces[at : at + per_write] for at in range(0, len(pieces), per_write)]
    writes = [b"".join(map(_chunk, group if apart else [b"".join(group)])) for group in groups]

    async def serve(reader, writer):
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for data in writes:
                writer.write(data)
                await asyncio.sleep(pause)  # one system call each: the proxy may read as often
            writer.write(b"0\r\n\r\n")
            with contextlib.suppress(ConnectionError):  # the proxy does not wait for it once its client has gone
                await writer.drain()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def proxy(pipe, port, folder, options):
    from axonhub_cli.config import Config
    from axonhub_cli.entities import ApiKey
    from axonhub_cli.paths import Home
    from axonhub_cli.server import log
    from axonhub_cli.server.app import ServeOptions, start
    from axonhub_cli.server.workers import run_loop, spare_collector
    from axonhub_cli.store.api_keys import new_api_key
    from axonhub_cli.store.database import open_store
    from tests.server.hub import channel

    home, config = Home(Path(folder), Path(folder)), Config()
    plain, digest, prefix = new_api_key()
    kind = "openai" if options.passthrough else "deepseek"
    with open_store(home, config) as store:
        store.channels.add(channel("up", f"http://127.0.0.1:{port}/v1", type=kind))
        store.keys.add(ApiKey(id="key_b", name="bench", digest=digest, prefix=prefix))

    async def main():
        log.setup("info", "text", home.create_logs(), io.StringIO())
        running = await start(ServeOptions(home=home, config=config, port=0, environ={"UP_KEY": "sk-x"}))
        spare_collector()
        pipe.send((running.url, plain))
        loop = asyncio.get_running_loop()
        while (order := await loop.run_in_executor(None, pipe.recv)) != "stop":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send((usage.ru_utime + usage.ru_stime, _rss_mb()) if order == "cpu" else None)
        await running.stop(0)
        return 0

    run = asyncio.run if options.asyncio else run_loop
    if options.profile:
        profiler = cProfile.Profile()
        profiler.runcall(run, main())
        profiler.dump_stats(options.profile)
    else:
        run(main())


def _rss_mb():
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def codex_request(kind="first"):
    """What Codex 0.169 sends, about 40 kB: a captured request, its cut texts at their true length. `first` is the
    first turn, `tools` the one after a tool search; `long` is made up: many tools and a dozen turns."""
    if kind == "long":
        return long_request()
    name = {"first": "codex-gpt-5.5-turn1-freeform-and-tool-search", "tools": "codex-turn2-tool-search-output"}[kind]
    fixtures = Path(__file__).parents[1] / "fixtures" / "openai_responses"
    return _whole(json.loads((fixtures / f"{name}.request.json").read_text()))


def _whole(value):
    """Texts that were cut for the fixture, filled up again."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    cut = re.search(r"\[cut: (\d+) characters in all\]$", value) if isinstance(value, str) else None
    return value if cut is None else ((value[: cut.start()] + "Words of it. " * 2000)[: int(cut[1])])


def long_request():
    """A dozen tools and thirty-seven items."""
    tools = [
        {
            "type": "function",
            "name": f"tool_{n}",
            "description": "Does a thing. " * 40,
            "strict": False,
            "parameters": {"type": "object", "properties": {f"a{i}": {"type": "string"} for i in range(8)}},
        }
        for n in range(12)
    ]
    items = [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules. " * 2400}]}]
    for n in range(12):
        items += [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "please " * 30}]},
            {"type": "function_call", "name": "tool_1", "arguments": '{"a1":"x"}', "call_id": f"c{n}"},
            {"type": "function_call_output", "call_id": f"c{n}", "output": "line\n" * 60},
        ]
    return {
        "model": "gpt-5",
        "stream": True,
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "11111111-2222-3333-4444-555555555555",
    }


async def load(url, key, count, kind="first", after_each=lambda: None):
    import aiohttp

    # Without spaces and escapes, as Codex writes JSON.
    asked = {**codex_request(kind), "model": "deepseek-reasoner"}
    body = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "session-id": "s-1"}
    times = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            start = time.perf_counter()
            async with session.post(f"{url}/v1/responses", data=body, headers=headers) as response:
                data = await response.read()
                assert b"response.completed" in data, data[-500:]
            times.append(time.perf_counter() - start)
            after_each()
    return len(body), times


class Threads:
    """The CPU of another process's threads, without that process doing anything for it. Linux only: None elsewhere."""

    def __init__(self, pid):
        self._main, self._all = Path(f"/proc/{pid}/schedstat"), Path(f"/proc/{pid}/task")
        self.known = self._main.exists()
        self.requests, self._last = [], 0.0

    def answering(self):
        """Of the thread that answers, in milliseconds."""
        return int(self._main.read_text().split()[0]) / 1e6 if self.known else 0.0

    def others(self):
        """Of all others, in milliseconds."""
        tasks = self._all.glob("*/schedstat") if self.known else ()
        return sum(int(task.read_text().split()[0]) / 1e6 for task in tasks) - self.answering()

    def begin(self):
        self._last = self.answering()

    def note(self):
        """A request is over."""
        now = self.answering()
        self.requests.append(now - self._last)
        self._last = now


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100, help="in a round")
    parser.add_argument("--request", choices=("first", "tools", "long"), default="first", help="what is sent")
    parser.add_argument("--rounds", type=int, default=7, help="the best tells most on a busy machine")
    parser.add_argument("--chunks-per-write", type=int, default=20, help="20 is what a fast model looks like")
    parser.add_argument("--apart", action="store_true", help="an HTTP chunk for each event, however they are written")
    parser.add_argument("--pause-ms", type=float, default=0.0, help="between two writes")
    parser.add_argument("--asyncio", action="store_true", help="Python's own loop, even where uvloop is installed")
    parser.add_argument("--passthrough", action="store_true")
    parser.add_argument("--profile")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ports, far_ports = context.Pipe()
    far = (far_ports, options.passthrough, options.chunks_per_write, options.apart, options.pause_ms / 1000)
    up = context.Process(target=upstream, args=far, daemon=True)
    up.start()
    with tempfile.TemporaryDirectory() as folder:
        pipe, far = context.Pipe()
        process = context.Process(target=proxy, args=(far, ports.recv(), folder, options))
        process.start()
        url, key = pipe.recv()
        pipe.send("cpu")
        idle_rss = pipe.recv()[1]
        asyncio.run(load(url, key, min(30, options.requests), options.request))
        time.sleep(1.5)  # the table of prices is loaded once, with the first request
        costs, times, recording, threads = [], [], [], Threads(process.pid)
        for _ in range(options.rounds):
            pipe.send("cpu")
            before, _ = pipe.recv()
            others = threads.others()
            threads.begin()
            size, taken = asyncio.run(load(url, key, options.requests, options.request, threads.note))
            time.sleep(0.3)  # the recorder's share belongs to the bill
            recording.append((threads.others() - others) / options.requests)
            pipe.send("cpu")
            after, rss = pipe.recv()
            costs.append((after - before) / options.requests * 1000)
            times += taken
        pipe.send("stop")
        process.join(10)
    up.terminate()
    print(f"request {size / 1000:.0f} kB, {CHUNKS} chunks, {'passthrough' if options.passthrough else 'translated'}")
    print(f"CPU per request: best round {min(costs):.2f} ms, median {statistics.median(costs):.2f} ms")
    if threads.known:
        answering, recorder = statistics.quantiles(threads.requests, n=20)[0], min(recording)
        print(f"undisturbed: {answering + recorder:.2f} ms, answering {answering:.2f} and recording {recorder:.2f}")
    print(f"wall per request: median {statistics.median(times) * 1000:.2f} ms")
    print(f"RSS: idle {idle_rss:.0f} MB, after {rss:.0f} MB")


if __name__ == "__main__":
    main()
