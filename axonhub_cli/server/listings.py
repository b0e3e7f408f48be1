"""The models a key may ask for, in the words of whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from axonhub_cli import catalog
from axonhub_cli.entities import ApiKey
from axonhub_cli.routing import profiles
from axonhub_cli.server.reloader import Live

JSON = dict[str, Any]
Target = Callable[[str], str]
_Shape = Callable[[Sequence[str], Target], JSON]

# Words of a list -> how it is made. Rows are what its first list holds.
_SHAPES: dict[str, _Shape] = {
    "openai": lambda names, _target: catalog.openai_list(names),
    "codex": catalog.codex_catalog,
    "anthropic": lambda names, _target: catalog.anthropic_list(names),
    "gemini": catalog.gemini_list,
}


def listing(shape: str, live: Live, key: ApiKey | None) -> JSON:
    """All of them."""
    return _SHAPES[shape](catalog.visible_models(live.snapshot, key), _target(live, key))


def entry(shape: str, live: Live, key: ApiKey | None, name: str) -> JSON | None:
    """One of them; None where the key may not ask for it."""
    if name not in catalog.visible_models(live.snapshot, key):
        return None
    (rows,) = (value for value in _SHAPES[shape]((name,), _target(live, key)).values() if isinstance(value, list))
    found: JSON = rows[0]
    return found


def _target(live: Live, key: ApiKey | None) -> Target:
    compiled = live.profile_of(key) if key else None
    return lambda name: profiles.resolve(compiled, name, live.snapshot.channels).model
