"""The lists of models clients ask for."""

from __future__ import annotations

from typing import Any

from axonhub_cli import catalog
from axonhub_cli.entities import ApiKey
from axonhub_cli.routing import profiles
from axonhub_cli.server.reloader import Live


def model_list(live: Live, key: ApiKey | None, *, codex: bool) -> dict[str, Any]:
    """What this key may ask for: as Codex's catalog, or as OpenAI's list."""
    names = catalog.visible_models(live.snapshot, key)
    if not codex:
        return catalog.openai_list(names)
    compiled = live.profile_of(key) if key else None

    def target(name: str) -> str:
        return profiles.resolve(compiled, name, live.snapshot.channels).model

    return catalog.codex_catalog(names, target)


def one_model(live: Live, key: ApiKey | None, name: str) -> dict[str, Any] | None:
    """One entry of OpenAI's list; None where the key may not ask for it."""
    if name not in catalog.visible_models(live.snapshot, key):
        return None
    rows: list[dict[str, Any]] = catalog.openai_list([name])["data"]
    return rows[0]
