"""A scripted upstream on a real socket: each connection gets what the test wrote, bytes and all."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Call:
    """One request that reached the upstream."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self):
        return json.loads(self.body)


class Wire:
    """What a script writes with."""

    def __init__(self, reader, writer, call):
        self.reader, self.writer, self.call = reader, writer, call

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status=200, media="text/event-stream", *, extra=(), length=None):
        framing = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
        lines = [f"HTTP/1.1 {status} X", *([f"Content-Type: {media}"] if media else []), framing, *extra]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def chunk(self, data):
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self):
        await self.raw(b"0\r\n\r\n")

    async def answer(self, status, body, media="application/json", extra=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(status, media, length=len(data), extra=extra)
        await self.raw(data)

    def reset(self):
        self.writer.transport.abort()

    async def silence(self):
        """Until the other side hangs up."""
        while await self.reader.read(1024):
            pass


Script = Callable[[Wire], Awaitable[None]]


class Upstream:
    """`script` answers each request; set it anew to change its mind. Whatever arrives is in `calls`."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script, self.tls = script, tls
        self.calls: list[Call] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while call := await self._request(reader, number):
                self.calls.append(call)
                try:
                    await self.script(Wire(reader, writer, call))
                except (ConnectionError, asyncio.CancelledError):
                    return
                finally:
                    if reader.at_eof() or writer.is_closing():
                        call.closed.set()
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            for call in self.calls:
                if call.connection == number:
                    call.closed.set()
            writer.close()
            self._tasks.discard(task)

    async def _request(self, reader, number):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape").split("\r\n")
        except asyncio.IncompleteReadError:
            return None
        method, path, _ = head[0].split(" ")
        headers = {}
        for line in head[1:]:
            if line:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Call(method, path, headers, body, number)


def chat_chunk(delta=None, *, finish=None, usage=None, model="up-model"):
    payload = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": []}
    if delta is not None or finish:
        payload["choices"] = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    if usage:
        payload["usage"] = usage
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 5},
}
DONE = b"data: [DONE]\n\n"


def chat_stream(text="Hello there"):
    """A whole, well-formed Chat stream."""
    words = [word + " " for word in text.split()]
    return [
        chat_chunk({"role": "assistant", "content": ""}),
        *(chat_chunk({"content": word}) for word in words),
        chat_chunk(finish="stop"),
        chat_chunk(usage=USAGE),
        DONE,
    ]


def streams(pieces=None):
    """A script: the pieces, one chunk each, well ended."""

    async def script(wire):
        await wire.head()
        for piece in pieces or chat_stream():
            await wire.chunk(piece)
        await wire.end()

    return script


async def silent(wire):
    """A script: nothing at all."""
    await wire.silence()


def answers(status, body, media="application/json", extra=()):
    """A script: one answer in one piece."""

    async def script(wire):
        await wire.answer(status, body, media, extra)

    return script


def chat_answer(text="Hello there"):
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "up-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def responses_events(text="Hello there"):
    """A Responses stream as a real upstream sends it, with an event and fields that do not exist yet."""
    response = {"id": "resp_up", "object": "response", "created_at": 1, "model": "up-model", "output": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    done = {**item, "content": [{"type": "output_text", "text": text, "annotations": []}]}
    usage = {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 14,
    }
    events = [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.in_progress", "response": {**response, "status": "in_progress"}, "new_field": 1},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {
            "type": "response.content_part.added",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {"type": "response.brand_new_thing", "output_index": 0},
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": text,
        },
        {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "content_index": 0, "text": text},
        {
            "type": "response.content_part.done",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "part": done["content"][0],
        },
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": [done], "usage": usage},
        },
    ]
    return [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': index})}\n\n".encode()
        for index, event in enumerate(events)
    ]
