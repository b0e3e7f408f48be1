"""Names for the shell to complete. Runs at each Tab: reads the store if there is one, says nothing."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axonhub_cli.store.database import Store

# Upstreams name models, and Typer's zsh script evaluates what is offered: a name like `\$(reboot)` would be run.
_PLAIN = re.compile(r"[\w@][\w.:/@+,\[\]-]*")


def channel_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of channels."""
    return _named(ctx, incomplete, lambda store: (channel.name for channel in store.channels.list()))


def profile_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of profiles."""
    return _named(ctx, incomplete, lambda store: (profile.name for profile in store.profiles.list()))


def key_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of keys."""
    return _named(ctx, incomplete, lambda store: (key.name for key in store.keys.list()))


def model_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Models that channels offer and that rules name literally."""
    return _named(ctx, incomplete, _models)


def channel_types(incomplete: str) -> list[str]:
    """The presets."""
    from axonhub_cli.vendors import CHANNEL_TYPES

    return [name for name in CHANNEL_TYPES if name.startswith(incomplete)]


def _models(store: Store) -> Iterable[str]:
    found = {model for channel in store.channels.list() for model in channel.models}
    for profile in store.profiles.list():
        found.update(rule.pattern for rule in profile.rules if not rule.regex)
    return sorted(found)


def _named(ctx: typer.Context, incomplete: str, names: Callable[[Store], Iterable[str]]) -> list[str]:
    try:
        from axonhub_cli.config import load_config
        from axonhub_cli.paths import find_home
        from axonhub_cli.store.database import open_store

        home = find_home(ctx.find_root().params.get("home"), os.environ)
        if not home.database.exists():
            return []
        store = open_store(home, load_config(home.config_file, os.environ), writable=False)
        try:
            return [name for name in names(store) if name.startswith(incomplete) and _PLAIN.fullmatch(name)]
        finally:
            store.close()
    except Exception:  # a Tab must never print a traceback into the prompt
        return []
