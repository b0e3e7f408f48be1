"""Which way a call goes: over the network, or to the demo model in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from time import time

import msgspec
from msgspec.structs import replace

from axonhub_cli import demo
from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.llm.fold import unfold
from axonhub_cli.protocols import registry
from axonhub_cli.server.framed import unframed
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.reloader import DEMO
from axonhub_cli.server.reply import Reply
from axonhub_cli.server.signing import Signer
from axonhub_cli.server.upstream import Outgoing, Upstream

_CHAT = "openai_chat"


class Transports:
    """Made inside a running loop."""

    def __init__(self, limits: Limits) -> None:
        self._upstream = Upstream(limits)
        self._signer = Signer()

    async def signed(self, call: Outgoing) -> Outgoing:
        """See `signing.Signer.sign`; to be done before a call is sent."""
        return await self._signer.sign(call)

    async def send(self, call: Outgoing) -> Reply:
        """Raises Failure for whatever keeps headers from coming."""
        if call.channel.type == DEMO:
            return DemoReply(call)
        return unframed(await self._upstream.send(call))

    async def get(self, call: Outgoing) -> Reply:
        """The same for a GET."""
        return await self._upstream.get(call)

    async def close(self) -> None:
        """Closes every connection."""
        await self._upstream.close()


class DemoReply:
    """The demo model as a Chat Completions upstream: no socket, the same bytes."""

    def __init__(self, call: Outgoing) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {
            "content-type": "text/event-stream" if call.stream else "application/json",
            "x-request-id": "demo",
        }
        self._pieces = _pieces(call.body, call.stream)
        self._error: APIError | None = None

    async def read(self) -> bytes:
        """See Reply."""
        if self._error is not None:
            raise Failure(self._error)
        await asyncio.sleep(0)  # as from a network: others get their turn, and a client that left is noticed
        return next(self._pieces, b"")

    def interrupt(self, error: APIError) -> None:
        """See Reply."""
        self._error = error

    async def drain(self, seconds: float) -> None:
        """See Reply."""

    def close(self) -> None:
        """See Reply."""


def _pieces(body: bytes, stream: bool) -> Iterator[bytes]:
    codec = registry.codec(_CHAT)
    request = codec.decode_request(msgspec.json.decode(body))
    response = replace(demo.reply(request), created=int(time()))
    if not stream:
        yield msgspec.json.encode(codec.encode_response(response, request))
        return
    encoder = codec.stream_encoder(request, response.id, response.created or 0)
    for event in unfold(response):
        if data := encoder.encode([event]):
            yield data
