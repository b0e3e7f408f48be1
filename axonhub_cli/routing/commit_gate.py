"""Decides when the first byte of an answer may go to the client, after which no other channel can serve it."""

from __future__ import annotations

MAX_HELD = 1 << 20


class CommitGate:
    """Holds one attempt's bytes until its output has started (pitfalls 135, 136).

    While `committed` is False the attempt may be given up and nothing of it reaches the client: drop the
    gate with the attempt and make another for the next.
    """

    def __init__(self, limit: int = MAX_HELD) -> None:
        self.committed = False
        self._limit = limit
        self._held = bytearray()

    def add(self, data: bytes, output: bool) -> bytes:
        """What may go to the client now. `output`: a part's delta or end, or the answer's end, is in `data`
        or came before it."""
        if self.committed:
            return data
        self._held += data
        return self.commit() if output or len(self._held) > self._limit else b""

    def commit(self) -> bytes:
        """Opens the gate whatever has come; returns what it held."""
        self.committed = True
        held, self._held = bytes(self._held), bytearray()
        return held

    @property
    def held(self) -> int:
        """How many bytes wait."""
        return len(self._held)
