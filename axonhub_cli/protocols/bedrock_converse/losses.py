"""What an encoder could not say, each thing once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.protocols.base import Loss

NAME = "bedrock_converse"
NO_WORD = "Converse has no word for it"


class Losses:
    """Collects losses in the order in which they were met."""

    def __init__(self) -> None:
        self._seen: dict[Loss, None] = {}

    def add(self, field: str, reason: str = NO_WORD) -> None:
        """`field` is a dotted path into the client's request."""
        self._seen[Loss(field, reason)] = None

    def foreign(self, kept: Mapping[str, Any], path: str) -> None:
        """Everything kept under the names of other protocols."""
        for protocol, fields in kept.items():
            if protocol != NAME and isinstance(fields, Mapping):
                for field in fields:
                    self.add(path + field, f"only {protocol} knows it")

    def all(self) -> tuple[Loss, ...]:
        """Every loss, without repeats."""
        return tuple(self._seen)
