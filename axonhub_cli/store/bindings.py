"""The table of bindings: the channel and key each trace sticks to."""

from __future__ import annotations

from collections.abc import Sequence

from axonhub_cli.entities import Binding
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.rows import RowCodec

__all__ = ["Bindings"]

_CODEC: RowCodec[Binding] = RowCodec(Binding)
_FIND = f"SELECT {_CODEC.columns} FROM bindings WHERE api_key_id = ? AND trace_id = ?"  # noqa: S608
_SAVE = f"""
    INSERT INTO bindings ({_CODEC.columns}) VALUES ({_CODEC.holes})
    ON CONFLICT (api_key_id, trace_id) DO UPDATE SET
        channel_id = excluded.channel_id, upstream_key_id = excluded.upstream_key_id,
        model = excluded.model, updated_at = excluded.updated_at
    WHERE bindings.updated_at <= excluded.updated_at
"""  # noqa: S608


class Bindings:
    """Two keys with the same trace id have two bindings."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, api_key_id: str, trace_id: str) -> Binding | None:
        """Where the trace sticks; None where it never got an answer."""
        row = self._connection.row(_FIND, (api_key_id, trace_id))
        return None if row is None else _CODEC.decode(row)

    def save(self, bindings: Sequence[Binding]) -> None:
        """Keeps them, in one transaction. An older one does not replace a newer one of another process."""
        with self._connection.writing():
            self._connection.run_many(_SAVE, map(_CODEC.encode, bindings))
