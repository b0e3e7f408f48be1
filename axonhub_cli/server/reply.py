"""What an upstream answers, read as it comes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Protocol

import aiohttp

from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.server import faults

_PIECE = 64 * 1024
_PLAIN = frozenset({"", "identity"})
_INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_FRAME = 32 + zlib.MAX_WBITS  # gzip's or zlib's, as the first bytes say


class Reply(Protocol):
    """An upstream's answer whose headers have come. Header names are lower case."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The next bytes, as many as have come; none at the end. Raises Failure."""
        ...

    def interrupt(self, error: APIError) -> None:
        """Makes a waiting `read` raise Failure(error)."""
        ...

    async def drain(self, seconds: float) -> None:
        """Reads what is left, so that the connection can serve again; gives up after `seconds`."""
        ...

    def close(self) -> None:
        """Done with it: cut off unless it was read to its end."""
        ...


class Held(Protocol):
    """The connection that an answer comes on, as aiohttp's `Connection` and `ClientResponse` have it."""

    def release(self) -> object:
        """The answer was read to its end: the connection may serve again."""
        ...

    def close(self) -> None:
        """Cuts it off."""
        ...


class Content(Protocol):
    """A body as it comes, as aiohttp's `StreamReader` and our `Answer` give it."""

    async def readany(self) -> bytes: ...
    def at_eof(self) -> bool: ...
    def set_exception(self, exc: Exception, /) -> None: ...


class HTTPReply:
    """A Reply over a socket."""

    def __init__(self, status: int, headers: Mapping[str, str], content: Content, held: Held) -> None:
        self.status, self.headers = status, headers
        self._content, self._held = content, held

    async def read(self) -> bytes:
        """See Reply."""
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError):
            raise Failure(faults.cut()) from None

    def interrupt(self, error: APIError) -> None:
        """See Reply."""
        self._content.set_exception(Failure(error))

    async def drain(self, seconds: float) -> None:
        """See Reply."""
        if self._content.at_eof():
            return
        try:
            async with asyncio.timeout(seconds):
                while await self._content.readany():
                    pass
        except (aiohttp.ClientError, OSError, TimeoutError, Failure):
            self._held.close()

    def close(self) -> None:
        """See Reply."""
        if self._content.at_eof():
            self._held.release()
        else:
            self._held.close()


class InflatedReply(HTTPReply):
    """The same for an upstream that compresses although it was asked not to (pitfalls 148, 157)."""

    def __init__(self, status: int, headers: Mapping[str, str], content: Content, held: Held) -> None:
        super().__init__(status, headers, content, held)
        self._encoding = _encoding(headers)
        self._inflater = zlib.decompressobj(_ANY_FRAME)
        self._rest = b""

    async def read(self) -> bytes:
        """See Reply. At most so much at a time, whatever a bomb would become."""
        if self._encoding not in _INFLATED:
            raise Failure(faults.not_an_api(f"The upstream's answer is compressed ({self._encoding[:20]})."))
        while True:
            try:
                piece = self._inflater.decompress(self._rest, _PIECE)
            except zlib.error:
                raise Failure(faults.not_an_api("The upstream's compressed answer is damaged.")) from None
            self._rest = self._inflater.unconsumed_tail
            if piece:
                return piece
            if not (data := await super().read()):
                if not self._inflater.eof:
                    raise Failure(faults.cut())
                return b""
            self._rest += data


def reply(status: int, headers: Mapping[str, str], content: Content, held: Held) -> Reply:
    """Of an answer whose head has come."""
    kind = HTTPReply if _encoding(headers) in _PLAIN else InflatedReply
    return kind(status, headers, content, held)


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower()
