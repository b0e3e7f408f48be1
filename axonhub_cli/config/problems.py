"""A mistake in config.yml or in a variable, as data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from msgspec import Struct

__all__ = ["Problem", "did_you_mean"]


class Problem(Struct, frozen=True):
    """One mistake. `line` and `column` count from 1 and are None for a variable, whose name is `variable`."""

    line: int | None
    column: int | None
    key: str
    message: str
    variable: str | None = None

    def text(self, path: object) -> str:
        """One line that says where and what: `config.yml:2:9: server.port: expected …`."""
        where = self.variable or ":".join(str(part) for part in (path, self.line, self.column) if part is not None)
        return ": ".join(part for part in (where, self.key, self.message) if part)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` where something known is near, else nothing."""
    spelled = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.6)
    return f", did you mean '{spelled[near[0]]}'?" if near else ""
