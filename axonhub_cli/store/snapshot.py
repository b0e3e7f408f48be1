"""Reads channels, profiles and keys as of one moment."""

from __future__ import annotations

from axonhub_cli.entities import Snapshot
from axonhub_cli.store.api_keys import ApiKeys
from axonhub_cli.store.channels import Channels
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.profiles import Profiles

__all__ = ["read_revision", "read_snapshot"]

_REVISION = "SELECT number FROM meta WHERE name = 'revision'"


def read_revision(connection: Connection) -> int:
    """Grows with every change to channels, profiles or keys; microseconds to read."""
    return int(connection.value(_REVISION) or 0)


def read_snapshot(connection: Connection, channels: Channels, profiles: Profiles, keys: ApiKeys) -> Snapshot:
    """All of them in one transaction. Raises StoreError where a row is damaged."""
    with connection.reading():
        return Snapshot(
            revision=read_revision(connection),
            channels={channel.name: channel for channel in channels.list()},
            profiles={profile.name: profile for profile in profiles.list()},
            keys={key.digest: key for key in keys.list()},
            active_profile=profiles.active(),
        )
