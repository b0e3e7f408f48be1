"""Prompts and replies. Each distinct piece is stored once under its hash; a body is a recipe of hashes.

The recipe of a long conversation would itself grow with every turn, so that full runs of hashes are pieces too.
A piece knows the hour in which a body last named it; once every body of that hour and before is gone, so may it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from axonhub_cli.entities import Body
from axonhub_cli.errors import StoreError
from axonhub_cli.store.compression import BODY_HINT, Packer, unpack
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.splitting import Pieces, Segment, split, whole

__all__ = ["HOUR_MS", "Bodies"]

HOUR_MS = 3_600_000
_HASH = 16  # bytes of a SHA-256, which most processors compute in hardware
_RUN = 32  # hashes that are stored as one piece
_REMEMBERED = 65_536  # hashes; about 10 MB
_FETCHED = 500  # hashes a query

_SAVE_CONTENT = """
    INSERT INTO contents (hash, used_hour, codec, size, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (hash) DO UPDATE SET used_hour = excluded.used_hour WHERE contents.used_hour < excluded.used_hour
"""
_SAVE_BODY = """
    INSERT INTO bodies (request_id, kind, saved_at, codec, size, recipe) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (request_id, kind) DO UPDATE SET
        saved_at = excluded.saved_at, codec = excluded.codec, size = excluded.size, recipe = excluded.recipe
"""

Content = tuple[bytes, int, int, int, bytes]


class _List(Struct, frozen=True, array_like=True):
    """`Pieces` in a recipe: hashes of full runs of hashes, then the hashes that fill no run, end to end."""

    separator: bytes
    runs: bytes
    rest: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[bytes | _List])


class Bodies:
    """Writes inside the caller's transaction; for one thread at a time."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock
        self._packer = Packer()
        # What is surely stored, with the hour it says. Never ahead of a commit, see `committed`.
        self._known: dict[bytes, int] = {}
        self._fresh: dict[bytes, Content] = {}
        self._epoch = -1

    def save(self, bodies: Iterable[tuple[str, Body]]) -> None:
        """Stores the bodies of requests; call `committed` when the transaction is on disk."""
        self._fresh = {}
        self._forget_deleted()
        now = self._clock()
        rows = [self._row(request_id, body, now) for request_id, body in bodies]
        self._connection.run_many(_SAVE_CONTENT, self._fresh.values())
        self._connection.run_many(_SAVE_BODY, rows)

    def committed(self) -> None:
        """What `save` wrote last is on disk: it need not be written again this hour."""
        if len(self._known) + len(self._fresh) > _REMEMBERED:
            for known in list(self._known)[: _REMEMBERED // 2]:
                del self._known[known]
        self._known.update((content[0], content[1]) for content in self._fresh.values())
        self._fresh = {}

    def load(self, request_id: str) -> list[Body]:
        """The bodies of a request byte for byte: request, then response or stream. Raises StoreError when damaged."""
        rows = self._connection.rows(
            "SELECT kind, codec, size, recipe FROM bodies WHERE request_id = ? ORDER BY kind", (request_id,)
        )
        return [Body(kind, self._cook(unpack(codec, recipe, size))) for kind, codec, size, recipe in rows]

    def _forget_deleted(self) -> None:
        """Somebody may have deleted every content, also of this hour: then nothing is known any more."""
        epoch = int(self._connection.value("SELECT number FROM meta WHERE name = 'epoch'") or 0)
        if epoch != self._epoch:
            self._known.clear()
            self._epoch = epoch

    def _row(self, request_id: str, body: Body, now: int) -> tuple[object, ...]:
        segments: list[Segment] = split(body.data) if body.kind == "request" else [whole(body.data)]
        hour = now // HOUR_MS
        recipe = _ENCODER.encode([part if isinstance(part, bytes) else self._list(part, hour) for part in segments])
        codec, packed = self._packer.pack(recipe)
        return request_id, body.kind, now, codec, len(recipe), packed

    def _list(self, pieces: Pieces, hour: int) -> _List:
        hashes = self._keep(pieces.items, hour)
        full = len(hashes) - len(hashes) % _RUN
        if not full:
            return _List(pieces.separator, b"", b"".join(hashes))
        runs = self._keep([b"".join(hashes[start : start + _RUN]) for start in range(0, full, _RUN)], hour)
        return _List(pieces.separator, b"".join(runs), b"".join(hashes[full:]))

    def _keep(self, items: Sequence[bytes | memoryview], hour: int) -> list[bytes]:
        """Their hashes; what is not known to be stored will be."""
        known = self._known
        hashes = [sha256(item).digest()[:_HASH] for item in items]
        for digest, data in zip(hashes, items, strict=True):
            if known.get(digest, -1) < hour and digest not in self._fresh:
                codec, packed = self._packer.pack(data)
                self._fresh[digest] = (digest, hour, codec, len(data), packed)
        return hashes

    def _cook(self, recipe: bytes) -> bytes:
        try:
            parts = _DECODER.decode(recipe)
        except msgspec.MsgspecError as error:
            raise _damaged() from error
        lists = [part for part in parts if isinstance(part, _List)]
        runs = self._contents(digest for part in lists for digest in _hashes(part.runs))
        hashes = {
            id(part): [*_hashes(b"".join(runs[run] for run in _hashes(part.runs))), *_hashes(part.rest)]
            for part in lists
        }
        items = self._contents(digest for found in hashes.values() for digest in found)
        return b"".join(
            part if isinstance(part, bytes) else part.separator.join(items[digest] for digest in hashes[id(part)])
            for part in parts
        )

    def _contents(self, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
        wanted = list(dict.fromkeys(hashes))
        found = {digest: unpack(codec, data, size) for digest, codec, size, data in self._rows_of(wanted)}
        if len(found) != len(wanted):
            raise _damaged()
        return found

    def _rows_of(self, wanted: Sequence[bytes]) -> Iterator[tuple[bytes, int, int, bytes]]:
        for start in range(0, len(wanted), _FETCHED):
            some = wanted[start : start + _FETCHED]
            holes = ", ".join("?" * len(some))
            yield from self._connection.rows(
                f"SELECT hash, codec, size, data FROM contents WHERE hash IN ({holes})",  # noqa: S608
                some,
            )


def _hashes(joined: bytes) -> list[bytes]:
    return [joined[start : start + _HASH] for start in range(0, len(joined), _HASH)]


def _damaged() -> StoreError:
    return StoreError("a stored body is damaged: a piece of it is missing", BODY_HINT)
