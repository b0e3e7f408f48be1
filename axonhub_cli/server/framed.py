"""Answers that arrive in AWS's event stream, read as the server-sent events that everybody else here knows."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.protocols.base import SSE
from axonhub_cli.protocols.eventstream import MEDIA, FrameError, FrameParser, to_sse
from axonhub_cli.server import faults
from axonhub_cli.server.reply import Reply


def unframed(reply: Reply) -> Reply:
    """The reply itself where it is no such stream."""
    return FramedReply(reply) if reply.headers.get("content-type", "").startswith(MEDIA) else reply


class FramedReply:
    """See `upstream.Reply`. A frame that was cut off is left out; whoever reads misses the end of the answer."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._frames = FrameParser()
        self.status = reply.status
        self.headers: Mapping[str, str] = {**reply.headers, "content-type": SSE}

    async def read(self) -> bytes:
        """See Reply."""
        while data := await self._reply.read():
            try:
                events = b"".join(map(to_sse, self._frames.feed(data)))
            except FrameError:
                raise Failure(faults.not_an_api("The upstream's event stream is damaged.")) from None
            if events:
                return events
        return b""

    def interrupt(self, error: APIError) -> None:
        """See Reply."""
        self._reply.interrupt(error)

    async def drain(self, seconds: float) -> None:
        """See Reply."""
        await self._reply.drain(seconds)

    def close(self) -> None:
        """See Reply."""
        self._reply.close()
