"""What an encoder could not say, each thing once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.protocols.base import Loss


class Losses:
    """Collects losses in the order in which they were met. `protocol` is the one being written; `no_word` is the reason
    for what it simply does not know."""

    def __init__(self, protocol: str, no_word: str) -> None:
        self._protocol, self._no_word = protocol, no_word
        self._seen: dict[Loss, None] = {}

    def add(self, field: str, reason: str | None = None) -> None:
        """`field` is a dotted path into the client's request."""
        self._seen[Loss(field, reason or self._no_word)] = None

    def foreign(self, kept: Mapping[str, Any], path: str) -> None:
        """Everything kept under the names of other protocols."""
        for protocol, fields in kept.items():
            if protocol != self._protocol and isinstance(fields, Mapping):
                for field in fields:
                    self.add(path + field, f"only {protocol} knows it")

    def state(self, opaque: Mapping[str, Any], name: str) -> None:
        """What other protocols want back with a part, which is called `name`."""
        for protocol in sorted(opaque.keys() - {self._protocol}):
            self.add(f"messages.{name}.state", f"only {protocol} knows it")

    def all(self) -> tuple[Loss, ...]:
        """Every loss, without repeats."""
        return tuple(self._seen)
