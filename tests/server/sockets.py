"""A client's WebSocket to the hub, spoken by hand."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp

from tests.server.hub import hub
from tests.server.speakers import speaks
from tests.server.test_directions import row
from tests.server.upstreams import Upstream, chat_chunk


class Talk:
    """One socket of a client."""

    def __init__(self, socket):
        self.socket = socket

    async def frame(self):
        """The next frame, parsed."""
        message = await self.socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def ask(self, *new, previous=None, **fields):
        """The frames of one turn, to its terminal or error."""
        await self.send(*new, previous=previous, **fields)
        return await self.answer()

    async def send(self, *new, previous=None, **fields):
        asked = {"type": "response.create", "model": "m", "store": False, "input": list(new), **fields}
        if previous is not None:
            asked["previous_response_id"] = previous
        await self.socket.send_str(json.dumps(asked))

    async def answer(self):
        frames = []
        while not frames or frames[-1]["type"] not in (
            "response.completed",
            "response.failed",
            "response.incomplete",
            "error",
        ):
            frames.append(await self.frame())
        return frames

    async def close_code(self):
        message = await self.socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
        return self.socket.close_code


@asynccontextmanager
async def talk(h, **headers):
    given = {"Authorization": f"Bearer {h.key}", "session-id": "s-1", **headers}
    async with h.session.ws_connect(h.url + "/v1/responses", headers=given, max_msg_size=0) as socket:
        yield Talk(socket)


def said(text, role="user"):
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def id_of(frames):
    assert frames[-1]["type"] == "response.completed", frames[-1]
    return frames[-1]["response"]["id"]


async def recorded(h, count):
    """The records of that many requests, once they are over."""
    while len(h.records.requests) < count or any(one.status == "running" for one in h.records.requests.values()):
        await asyncio.sleep(0.005)
    return list(h.records.requests.values())


async def emptied(h):
    """Once no socket is left; nothing of theirs may be."""
    while h.running.hub.sockets:
        await asyncio.sleep(0.005)
    assert h.running.hub.transcripts_held == 0


def text_of(frames):
    return "".join(frame["delta"] for frame in frames if frame["type"] == "response.output_text.delta")


@asynccontextmanager
async def talking(tmp_path, script=None, *, protocol="openai_chat", **options):
    """An upstream, a hub in front of it, and a socket to that."""
    given = script or speaks("openai_chat")
    async with Upstream(given) as up, hub(tmp_path, [row(protocol, up)], **options) as h, talk(h) as t:
        yield up, h, t


async def half(wire):
    """A script: some text, then silence."""
    await wire.head()
    await wire.chunk(chat_chunk({"content": "half "}))
    await wire.silence()
