"""The key that Codex shows: whether the hub takes it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.key import key_state
from axonhub_cli.errors import ConfigError, ConflictError

if TYPE_CHECKING:
    from axonhub_cli.entities import ApiKey


def check_usable(key: ApiKey, auth: str) -> None:
    """Raises ConflictError where the hub refuses `key`, whoever shows it; `auth` is how Codex gets its key."""
    state = key_state(key)
    if state == "disabled":
        raise ConflictError(f"key {key.name} is disabled", f"axonhub key enable {key.name}")
    if state != "enabled":
        final = ", and that is final" if state == "revoked" else ""
        raise ConflictError(
            f"key {key.name} is {state}{final}", f"axonhub codex setup --auth {auth} --key ANOTHER_NAME"
        )


def check_shown(app: CliContext, provider: Mapping[str, Any]) -> None:
    """Raises AxonHubError where the key that Codex shows by this table is one that is refused, or cannot be had. What
    cannot be told from here passes: a key of another machine's hub, a command of the user's own."""
    auth = provider.get("auth")
    words = auth.get("args") if isinstance(auth, Mapping) else None
    if auth is None and (shown := os.environ.get(str(provider.get("env_key")))):
        _check(app, shown, "env")
    elif isinstance(words, list) and "token" in words and "--key" in words[:-1]:
        home = str(words[words.index("--home") + 1]) if "--home" in words[:-1] else app.home_option
        asked = CliContext(home)
        try:
            _check_stored(asked, str(words[words.index("--key") + 1]))
        finally:
            asked.close()


def _check_stored(app: CliContext, name: str) -> None:
    from axonhub_cli.integrations.client_keys import ClientKeys

    again = f"axonhub codex setup --auth command --key {name} --yes"
    stored = ClientKeys(app.home, app.secret).get(name) if app.home.database.exists() else None
    if stored is None:
        raise ConfigError(f"no key is stored under {name}", again)
    if not _check(app, stored, "command"):
        raise ConfigError(f"key {name} was rotated since, and the one that is stored is refused", again)


def _check(app: CliContext, shown: str, auth: str) -> bool:
    """Whether the key is one of this home's."""
    if not app.home.database.exists():
        return False
    digest = hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()
    known = next((key for key in app.store.keys.list() if key.digest == digest), None)
    if known is not None:
        check_usable(known, auth)
    return known is not None
