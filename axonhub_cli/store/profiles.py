"""The table of profiles, and which one is active for whom."""

from __future__ import annotations

from axonhub_cli.entities import Profile
from axonhub_cli.errors import ConflictError
from axonhub_cli.store.named import NamedTable, bump_revision
from axonhub_cli.store.names import not_found

__all__ = ["Profiles"]


class Profiles(NamedTable[Profile]):
    """The active profile of a key is kept on the key; the one for all other keys in `meta`."""

    noun, table, id_prefix, kind = "profile", "profiles", "pf", Profile

    def activate(self, name: str, key: str | None = None) -> Profile:
        """Makes it the profile of `key`, or of every key that has none of its own. Raises NotFoundError."""
        with self._connection.writing():
            profile = self.get(name)
            self._set_active(name, key)
        return profile

    def deactivate(self, key: str | None = None) -> str | None:
        """Takes the profile off `key`, or off the keys without one of their own; returns which it was."""
        with self._connection.writing():
            was = self.active() if key is None else self._of_key(key)
            self._set_active(None, key)
        return was

    def active(self) -> str | None:
        """The name of the profile for keys without one of their own."""
        name: str | None = self._connection.value("SELECT text FROM meta WHERE name = 'active_profile'")
        return name

    def used_by(self, name: str) -> tuple[str, ...]:
        """The names of the keys whose own profile it is."""
        rows = self._connection.rows("SELECT name FROM api_keys WHERE profile = ? ORDER BY created_at, id", (name,))
        return tuple(key for (key,) in rows)

    def _of_key(self, key: str) -> str | None:
        name: str | None = self._connection.value("SELECT profile FROM api_keys WHERE name = ?", (key,))
        return name

    def _set_active(self, name: str | None, key: str | None) -> None:
        if key is None:
            self._connection.run("UPDATE meta SET text = ? WHERE name = 'active_profile'", (name,))
        elif not self._connection.run(
            "UPDATE api_keys SET profile = ?, updated_at = ? WHERE name = ?", (name, self._clock(), key)
        ):
            raise not_found("key", key, (known for (known,) in self._connection.rows("SELECT name FROM api_keys")))
        bump_revision(self._connection)

    def _refuse_used(self, name: str) -> None:
        keys = self.used_by(name)
        if keys:
            raise ConflictError(
                f"profile {name} is the active profile of key {', '.join(keys)}",
                f"axonhub profile deactivate --key {keys[0]}",
            )
        if self.active() == name:
            raise ConflictError(f"profile {name} is active for every key", "axonhub profile deactivate")

    def _check(self, value: Profile) -> None:
        known = [name for (name,) in self._connection.rows("SELECT name FROM channels")]
        for channel in value.channels:
            if channel not in known:
                raise not_found("channel", channel, known)
