"""The table of keys that clients show us. Of a key only its digest is kept."""

from __future__ import annotations

import hashlib
import secrets

from axonhub_cli.entities import ApiKey
from axonhub_cli.store.named import NamedTable
from axonhub_cli.store.names import not_found

__all__ = ["ApiKeys", "digest_of", "new_api_key"]

_PREFIX = "ah-"
_SHOWN = 8


def new_api_key() -> tuple[str, str, str]:
    """A new key of 256 random bits, its digest, and the part of it that lists may show."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, digest_of(key), key[:_SHOWN]


def digest_of(key: str) -> str:
    """SHA-256 in hex: enough for 256 random bits, where a password would need a slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class ApiKeys(NamedTable[ApiKey]):
    """Keys that were revoked stay, so that traces and usage keep their name."""

    noun, table, id_prefix, kind = "key", "api_keys", "key", ApiKey

    def _refuse_used(self, name: str) -> None:
        pass  # nothing refers to a key by name but traces, which keep the word

    def _check(self, value: ApiKey) -> None:
        if value.profile is None:
            return
        known = [name for (name,) in self._connection.rows("SELECT name FROM profiles")]
        if value.profile not in known:
            raise not_found("profile", value.profile, known)

    def _forget(self, value: ApiKey) -> None:
        self._connection.run("DELETE FROM bindings WHERE api_key_id = ?", (value.id,))
