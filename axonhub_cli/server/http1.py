"""Answers in HTTP/1.1, out of bytes cut anywhere. https://www.rfc-editor.org/rfc/rfc9112

Upstreams send each event of a stream as a chunk of its own, so that this is run through for every token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

__all__ = ["BadHTTP", "Head", "ResponseParser"]

MAX_HEAD = 64 * 1024  # bytes; trailers count like a head
_MAX_SIZE_LINE = 4096  # with its extensions
_MAX_DIGITS = 16
_SHORT = 512  # bytes of a chunk; longer ones are leapt over faster one by one
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: .*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODILESS = (204, 304)


class BadHTTP(Exception):  # noqa: N818 - named after what it says of the answer
    """What came is not HTTP, or not all of it came."""


class Head(Struct, frozen=True):
    """Status and headers: names in lower case, the values of repeated ones joined by commas."""

    status: int
    headers: Mapping[str, str]
    persistent: bool  # the connection may serve again


class ResponseParser:
    """One answer to a request that is no HEAD. `head` is there once it is known; `ended` tells that nothing of the
    answer is missing, `excess` that more came than it."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.ended = self.excess = False
        self._held = b""  # a head, or a line between chunks, that is not whole
        self._left: int | None = None  # of the body, or of the chunk that is open; None: until the connection ends
        self._chunked = False
        self._after_chunk = self._trailing = False
        self._trailers = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body among these. Raises BadHTTP."""
        if self.head is None:
            data = self._read_head(data)
            if self.head is None:
                return b""
        if self._chunked:
            return self._read_chunks(data)
        if self._left is None:
            return data
        body = data[: self._left]
        self._left -= len(body)
        if not self._left:
            self.ended, self.excess = True, len(data) > len(body)
        return body

    def close(self) -> None:
        """The connection has ended. Raises BadHTTP where the answer has not."""
        if self.head is not None and not self._chunked and self._left is None:
            self.ended = True
        if not self.ended:
            raise BadHTTP("the connection ended before the answer did")

    def _read_head(self, data: bytes) -> bytes:
        """What follows the head. Interim answers (RFC 9110, 15.2) are passed over."""
        known, data = max(0, len(self._held) - 3), self._held + data if self._held else data
        while self.head is None:
            found = _BLANK.search(data, known)
            if found is None:
                if len(data) > MAX_HEAD:
                    raise BadHTTP("the head is too large")
                self._held = data
                return b""
            head, known = _parse_head(data[: found.start()]), 0
            data = data[found.end() :]
            if head.status >= 200 or head.status == 101:
                self._begin(head)
        self._held = b""
        return data

    def _begin(self, head: Head) -> None:
        """How the body is framed (RFC 9112, 6.3)."""
        coding = head.headers.get("transfer-encoding")
        length = head.headers.get("content-length")
        if head.status in _BODILESS or head.status < 200:
            self._left = 0
        elif coding is not None:
            # After any other coding the body lasts until the connection ends.
            self._chunked = coding.rpartition(",")[2].strip().lower() == "chunked"
        elif length is not None:
            self._left = _length(length)
        self.head, self.ended = head, self._left == 0

    def _read_chunks(self, data: bytes) -> bytes:
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at, size, left = 0, len(data), self._left or 0
        at_once = True
        while at < size and not self.ended:
            if left:
                piece = data[at : at + left]
                pieces.append(piece)
                at += len(piece)
                left -= len(piece)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._hold(data[at:])
                break
            line, at = data[at:end].rstrip(b"\r \t"), end + 1
            if self._after_chunk:
                if line:
                    raise BadHTTP("a chunk is longer than it says")
                self._after_chunk = False
            elif self._trailing:
                self._trailer(line)
            else:
                left = _chunk_size(line)
                stop = at + left
                if left and data[stop : stop + 2] == b"\r\n":  # all of it is here, as it mostly is
                    pieces.append(data[at:stop])
                    at_once = at_once and left < _SHORT
                    at, left = stop + 2, 0
                    if at_once and at < size:
                        more, length = _whole_chunks(data[at:])
                        pieces += more
                        at += length
                        at_once = length > 0
                else:
                    self._after_chunk, self._trailing = left > 0, left == 0
        self._left = left
        self.excess = self.ended and at < size
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold(self, line: bytes) -> None:
        if len(line) > (MAX_HEAD if self._trailing else _MAX_SIZE_LINE):
            raise BadHTTP("a line between chunks is too long")
        self._held = line

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > MAX_HEAD:
            raise BadHTTP("the trailers are too large")
        self.ended = not line


_BLANK = re.compile(rb"\r?\n\r?\n")


def _parse_head(head: bytes) -> Head:
    first, *lines = head.split(b"\n")
    status = _STATUS.fullmatch(first.rstrip(b"\r"))
    if status is None:
        raise BadHTTP("the first line is no status line")
    headers: dict[str, str] = {}
    for line in lines:
        raw, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(raw) is None:
            raise BadHTTP("a header line is none")
        name, text = raw.decode("ascii").lower(), value.strip(b" \t\r").decode("utf-8", "surrogateescape")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    wish = headers.get("connection", "").lower()
    persistent = "close" not in wish if status[1] == b"1" else "keep-alive" in wish
    return Head(int(status[2]), headers, persistent and status[2] != b"101")


def _length(text: str) -> int:
    """RFC 9112, 6.3: the same length told twice is one length."""
    lengths = {part.strip() for part in text.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()) or len(length) > _MAX_DIGITS:
        raise BadHTTP("the length is no number")
    return int(length)


def _whole_chunks(data: bytes) -> tuple[list[bytes], int]:
    """The bodies of the chunks that `data` begins with, and the length of those chunks. Takes them apart at once, at
    a fifth of what one after the other costs; none where one holds the end of a line, or anything is unusual."""
    *lines, _ = data.split(b"\r\n")
    sizes, bodies = lines[::2], lines[1::2]
    del sizes[len(bodies) :]
    try:
        lengths = [int(size, 16) for size in sizes]
    except ValueError:
        return [], 0
    if lengths != [*map(len, bodies)] or not b"".join(sizes).isalnum():
        return [], 0
    if 0 in lengths:  # the last chunk: trailers may follow
        last = lengths.index(0)
        del sizes[last:], bodies[last:], lengths[last:]
    return bodies, len(b"".join(sizes)) + sum(lengths) + 4 * len(bodies)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits.isalnum() or len(digits) > _MAX_DIGITS:
        raise BadHTTP("a chunk has no size")
    try:
        return int(digits, 16)
    except ValueError:
        raise BadHTTP("a chunk has no size") from None
