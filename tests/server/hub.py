"""A running server for tests: a real home and store, traces kept in a list, limits shrunk."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
from msgspec.structs import replace

from axonhub_cli.config import Config
from axonhub_cli.entities import ApiKey, Channel, Profile, UpstreamKey
from axonhub_cli.paths import Home
from axonhub_cli.secrets import origin_of
from axonhub_cli.server.app import ServeOptions, start
from axonhub_cli.server.limits import Limits
from axonhub_cli.store.api_keys import new_api_key
from axonhub_cli.store.database import open_store

FAST = Limits(
    keepalive_s=0.15,
    first_byte_s=0.6,
    first_output_s=0.6,
    idle_upstream_s=0.6,
    stall_s=0.4,
    head_s=0.4,
    body_start_s=0.5,
    shutdown_s=0.3,
    batch_s=0.005,
)
# For tests that wait for none of these: a busy machine is slow, and no test should notice.
CALM = replace(FAST, keepalive_s=20.0, first_byte_s=20.0, first_output_s=20.0, idle_upstream_s=20.0)
UPSTREAM_KEY = "sk-upstream-canary-7f3a"


class Records:
    """Stands in for the store's traces; keeps what the recorder would write."""

    def __init__(self):
        self.requests, self.attempts, self.bodies, self.bindings = {}, {}, [], []

    def save(self, requests, attempts, bodies):
        self.requests.update((record.id, record) for record in requests)
        self.attempts.update((record.id, record) for record in attempts)
        self.bodies += bodies

    def save_bindings(self, bindings):
        self.bindings += bindings

    def binding(self, api_key_id, trace_id):
        return None

    @property
    def last(self):
        return list(self.requests.values())[-1]

    def attempts_of_last(self):
        return [attempt for attempt in self.attempts.values() if attempt.request_id == self.last.id]


class Hub:
    """The server under test and a client for it."""

    def __init__(self, running, key, store, records):
        self.running, self.key, self.store, self.records = running, key, store, records
        self.url = running.url
        self.session = None
        self.restart = None  # ends the server and starts it anew in the same home
        self.closers = []  # of the clients a test has made

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def post(self, path="/v1/responses", payload=None, *, headers=None, **options):
        payload = {"model": "m", "input": "hi", "stream": True} if payload is None else payload
        headers = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        return self.session.post(self.url + path, json=payload, headers=headers, **options)

    async def ask(self, path="/v1/responses", payload=None, **options):
        """Status, headers and the whole text."""
        async with self.post(path, payload, **options) as response:
            return response.status, response.headers, await response.text()

    async def finished(self, seconds=2.0, *, count=1):
        """The last request's record once it is over and written; `count`: of so many."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            if len(self.records.requests) >= count and self.records.last.status != "running":
                return self.records.last
            await asyncio.sleep(0.005)
        raise AssertionError("no finished request was recorded")

    async def raw(self, data):
        """Sends bytes as they are; everything that comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        try:
            async with asyncio.timeout(3):
                return await reader.read(-1)
        finally:
            writer.close()


def channel(name, url, *, type="openai-compatible", **fields):
    """A channel with one key for its own address, unless `keys` says otherwise."""
    fields.setdefault("keys", (UpstreamKey(f"uk_{name}", origin_of(url), env="UP_KEY"),))
    return Channel(id=f"ch_{name}", name=name, type=type, base_url=url, **fields)


@asynccontextmanager
async def hub(tmp_path, channels=(), *, limits=CALM, profile=None, demo=False, config=None, **options):
    """`channels` by name in the order to try them."""
    home, config = Home(tmp_path, tmp_path), config or Config()
    records = Records()

    def opener(home, config):
        store = open_store(home, config)
        store.traces = records
        return store

    store = open_store(home, config)
    for index, row in enumerate(channels):
        store.channels.add(replace(row, priority=row.priority or index))
    if profile is not None:
        store.profiles.add(profile)
        store.profiles.activate(profile.name, None)
    plain, digest, prefix = new_api_key()
    store.keys.add(ApiKey(id="key_t", name="tester", digest=digest, prefix=prefix))
    environ = {"UP_KEY": UPSTREAM_KEY, **options.pop("environ", {})}
    serve = ServeOptions(home=home, config=config, port=0, demo=demo, limits=limits, environ=environ, **options)
    running = await start(serve, opener=opener)
    running.hub.chance = lambda: 0.0  # no jitter: repeats come at once
    served = Hub(running, plain, store, records)

    async def restart():
        await served.running.stop(0)
        served.running = await start(serve, opener=opener)
        served.running.hub.chance = running.hub.chance
        served.url = served.running.url

    served.restart = restart
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            served.session = session
            yield served
            for close in served.closers:
                await close()
    finally:
        await served.running.stop(0)
        store.close()


def mapped(model, target):
    """A profile with one rule."""
    from axonhub_cli.entities import Rule

    return Profile(id="pr_t", name="tests", rules=(Rule(model, target),))


def events(text):
    """The data of each SSE event: parsed JSON, or the text itself."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[6:] for line in block.split("\n") if line.startswith("data: "))
        if data:
            found.append(json.loads(data) if data[0] == "{" else data)
    return found


def kinds(text):
    """The types of Responses events."""
    return [event["type"] for event in events(text)]
