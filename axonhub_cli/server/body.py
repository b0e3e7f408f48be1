"""A client's request body: read within limits of time and size, decompressed, and parsed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from aiohttp import web

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure, invalid
from axonhub_cli.server.limits import KIB, MIB, Limits

_INPUT, _OUTPUT = 16 * KIB, 64 * KIB
_ZSTD_WINDOW = 23  # log2 of 8 MiB
_ALIASES = {"x-gzip": "gzip", "zstandard": "zstd"}


async def read(request: web.BaseRequest, limits: Limits) -> bytes:
    """The decoded body. Raises Failure: 408 too slow, 413 too large, 415 an encoding we do not undo, 400 damaged."""
    encoding = _encoding(request.headers.getall("Content-Encoding", []))
    if (length := request.content_length) is not None and length > limits.body_decoded:
        raise too_large(limits)
    chunks: list[bytes] = []
    size = 0
    async for chunk in _chunks(request, limits):
        size += len(chunk)
        if size > limits.body_decoded:
            raise too_large(limits)
        chunks.append(chunk)
    return decompress(b"".join(chunks), encoding, limits)


async def _chunks(request: web.BaseRequest, limits: Limits) -> AsyncIterator[bytes]:
    """Raises Failure (408) where the client is slower than the limits allow."""
    loop = asyncio.get_running_loop()
    start, received = loop.time(), 0
    content = request.content
    try:
        if content.is_eof():  # all of it came with the head, as it mostly does: nothing to wait for
            yield content.read_nowait()
            return
        async with asyncio.timeout(limits.body_start_s) as patience:
            while True:
                chunk = await content.readany()
                if not chunk:
                    return
                received += len(chunk)
                allowed = min(limits.body_start_s + received / limits.body_rate, limits.body_s)
                patience.reschedule(start + allowed)
                yield chunk
    except TimeoutError:
        raise Failure(
            APIError(ErrorKind.TIMEOUT, "The request's body came too slowly.", 408, code="request_timeout")
        ) from None
    except web.RequestPayloadError:
        raise invalid("The request's body is not valid HTTP.") from None


def decompress(data: bytes, encoding: str, limits: Limits) -> bytes:
    """`encoding` as the header says; where it says nothing, the first bytes decide (pitfall 156).

    Output is made in slices and bounded, so that a bomb costs no more than the limit (reliability B4).
    """
    if encoding == "identity":
        encoding = _by_magic(data)
        if encoding == "identity":
            return data
    if len(data) > limits.body_wire:
        raise too_large(limits)
    output: list[bytes] = []
    size, most = 0, min(limits.body_decoded, max(MIB, len(data) * limits.body_ratio))
    try:
        for piece in _pieces(encoding, data):
            size += len(piece)
            if size > most:
                raise too_large(limits)
            output.append(piece)
    except (zlib.error, ValueError, EOFError) as error:
        raise invalid(f"The request's body is not valid {encoding}.") from error
    return b"".join(output)


def parse(data: bytes, limits: Limits) -> dict[str, Any]:
    """A JSON object. Raises Failure (400) for anything else: NaN, lone surrogates and deep nesting included
    (reliability B5-B7); of duplicate keys the last wins."""
    try:
        payload = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise invalid(f"The request's body is not valid JSON: {_words(error)}") from None
    if not isinstance(payload, dict):
        raise invalid("The request's body must be a JSON object.")
    if _brackets(data, limits.json_depth) > limits.json_depth and _deeper_than(payload, limits.json_depth):
        raise invalid(f"The request's JSON is nested more than {limits.json_depth} levels deep.")
    return payload


def _brackets(data: bytes, most: int) -> int:
    """How many open, counted as far as matters: a long text between two is leapt over, a long body not read to its
    end."""
    count = 0
    for bracket in (b"{", b"["):
        at = data.find(bracket)
        while at >= 0 and count <= most:
            count += 1
            at = data.find(bracket, at + 1)
    return count


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    text = str(error)
    return (text if text.isprintable() and len(text) < 200 else "it cannot be read").rstrip(".") + "."


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    while level:
        if depth <= 0:
            return True
        depth -= 1
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return False


def _encoding(values: list[str]) -> str:
    names = [name.strip().lower() for value in values for name in value.split(",")]
    names = [_ALIASES.get(name, name) for name in names if name and name != "identity"]
    if not names:
        return "identity"
    if len(names) > 1 or names[0] not in ("gzip", "deflate", "zstd"):
        raise Failure(
            APIError(
                ErrorKind.INVALID_REQUEST,
                "The Content-Encoding must be one of gzip, deflate, zstd or identity.",
                415,
                code="unsupported_encoding",
            )
        )
    return names[0]


def _by_magic(data: bytes) -> str:
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if data.startswith(b"\x28\xb5\x2f\xfd") else "identity"


def _pieces(encoding: str, data: bytes) -> Iterator[bytes]:
    if encoding == "zstd":
        return _unzstd(data)
    if encoding == "gzip":
        return _unzlib(data, 16 + zlib.MAX_WBITS)
    # deflate comes with zlib's frame, as RFC 9110 (8.4.1.2) wants it, or bare
    framed = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _unzlib(data, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)


def _unzlib(data: bytes, window: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits=window)
    for start in range(0, len(data), _INPUT):
        if decoder.eof:
            raise ValueError("bytes after the end")
        rest = data[start : start + _INPUT]
        while piece := decoder.decompress(rest, _OUTPUT):
            yield piece
            rest = decoder.unconsumed_tail
    if not decoder.eof or decoder.unused_data:
        raise ValueError("cut short, or bytes after the end")


def _unzstd(data: bytes) -> Iterator[bytes]:
    from backports import zstd

    decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW})
    try:
        for start in range(0, len(data), _INPUT):
            piece = decoder.decompress(data[start : start + _INPUT], _OUTPUT)
            yield piece
            while piece and not decoder.eof and not decoder.needs_input:
                piece = decoder.decompress(b"", _OUTPUT)
                yield piece
    except zstd.ZstdError as error:
        raise ValueError("not zstd") from error
    if not decoder.eof or decoder.unused_data:
        raise ValueError("cut short, or bytes after the end")


def too_large(limits: Limits) -> Failure:
    """The failure (413) of a request beyond the limit."""
    message = f"The request is larger than axonhub takes ({limits.body_decoded // MIB} MiB)."
    return Failure(APIError(ErrorKind.TOO_LARGE, message, 413, code="request_too_large"))
