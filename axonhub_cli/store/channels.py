"""The table of channels."""

from __future__ import annotations

from axonhub_cli.entities import Channel, Profile
from axonhub_cli.errors import ConflictError
from axonhub_cli.store.named import NamedTable
from axonhub_cli.store.rows import RowCodec

__all__ = ["Channels"]

_PROFILES: RowCodec[Profile] = RowCodec(Profile)


class Channels(NamedTable[Channel]):
    """Upstream keys travel with their channel, as references or encrypted."""

    noun, table, id_prefix, kind = "channel", "channels", "ch", Channel

    def used_by(self, name: str) -> tuple[str, ...]:
        """The names of the profiles that name the channel or pin it (`CHANNEL/MODEL`)."""
        rows = self._connection.rows(f"SELECT {_PROFILES.columns} FROM profiles ORDER BY created_at, id")  # noqa: S608
        return tuple(profile.name for profile in map(_PROFILES.decode, rows) if _names(profile, name))

    def _refuse_used(self, name: str) -> None:
        users = self.used_by(name)
        if users:
            raise ConflictError(
                f"channel {name} is used by profile {', '.join(users)}",
                f"Take it out there first (axonhub profile edit {users[0]}), or: axonhub channel disable {name}",
            )

    def _check(self, value: Channel) -> None:
        pass

    def _forget(self, value: Channel) -> None:
        self._connection.run("DELETE FROM bindings WHERE channel_id = ?", (value.id,))


def _names(profile: Profile, channel: str) -> bool:
    pins = (rule.target.partition("/") for rule in profile.rules)
    return channel in profile.channels or any(name == channel and slash for name, slash, _ in pins)
