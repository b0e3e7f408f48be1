"""Compresses what is stored. The codec's number is stored beside the data; a number is never given a new meaning."""

from __future__ import annotations

import sys
import zlib

from axonhub_cli.errors import StoreError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BODY_HINT", "Packer", "unpack"]

PLAIN, ZSTD, ZLIB = 0, 1, 2
_WORTH_IT = 96  # bytes; below it a frame's header eats what is won
_LEVEL = 3

BODY_HINT = "Only these words are lost; `axonhub traces list` still shows the request."


class Packer:
    """Keeps one compressor: making one costs more than compressing a message. For one thread at a time."""

    def __init__(self) -> None:
        self._zstd = zstd.ZstdCompressor(level=_LEVEL)

    def pack(self, data: bytes | memoryview) -> tuple[int, bytes]:
        """The codec's number and the data, compressed where that makes it smaller."""
        if len(data) >= _WORTH_IT:
            packed = self._zstd.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
            if len(packed) < len(data):
                return ZSTD, packed
        return PLAIN, bytes(data)


def unpack(codec: int, data: bytes, size: int) -> bytes:
    """The data again. Raises StoreError where it is damaged or not of `size` bytes; never makes more than that."""
    try:
        if codec == ZSTD:
            plain = zstd.ZstdDecompressor().decompress(data, max_length=size + 1)
        elif codec == ZLIB:
            plain = zlib.decompressobj().decompress(data, size + 1)
        else:
            plain = data
    except (zstd.ZstdError, zlib.error, EOFError) as error:
        raise StoreError(f"a stored body is damaged: {error}", BODY_HINT) from error
    if len(plain) != size:
        raise StoreError("a stored body is damaged: its size is wrong", BODY_HINT)
    return plain
