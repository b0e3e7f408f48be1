"""What an encoder could not say, each thing once."""

from __future__ import annotations

from axonhub_cli.protocols.base import Loss


class Losses:
    """Collects losses in the order in which they were met."""

    def __init__(self) -> None:
        self._seen: dict[Loss, None] = {}

    def add(self, field: str, reason: str) -> None:
        """`field` is a dotted path into the neutral request."""
        self._seen[Loss(field, reason)] = None

    def all(self) -> tuple[Loss, ...]:
        """Every loss, without repeats."""
        return tuple(self._seen)
