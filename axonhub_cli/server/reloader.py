"""Sees the store's revision move, and swaps the compiled snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from axonhub_cli import vendors
from axonhub_cli.entities import ApiKey, Channel, Profile, Snapshot
from axonhub_cli.errors import AxonHubError
from axonhub_cli.routing import profiles
from axonhub_cli.routing.profiles import CompiledProfile
from axonhub_cli.server.log import LOGGER, Rarely
from axonhub_cli.vendors import Quirks

DEMO = "demo"


class Live(Struct, frozen=True):
    """A snapshot with everything compiled; an exchange takes one and keeps it to its end."""

    snapshot: Snapshot
    profiles: Mapping[str, CompiledProfile]
    quirks: Mapping[str, Quirks]  # by channel name
    protocols: Mapping[str, tuple[str, ...]]  # by channel name

    def profile_of(self, key: ApiKey) -> CompiledProfile | None:
        """The key's own active profile, else the one for all."""
        name = key.profile or self.snapshot.active_profile
        return self.profiles.get(name) if name else None


class Source(Protocol):
    """The part of the store that is read here."""

    def revision(self) -> int: ...
    def snapshot(self) -> Snapshot: ...


class Reloader:
    """Asks for the revision whenever a request starts (microseconds in SQLite)."""

    def __init__(self, source: Source, *, demo: bool = False) -> None:
        """Raises AxonHubError where the first snapshot cannot be used."""
        self._source, self._demo = source, demo
        self._seen = source.revision()
        self._live = self._compile()
        self._warning = Rarely()

    @property
    def last(self) -> Live:
        """What `current` returned last; touches nothing, so that any thread may ask."""
        return self._live

    def current(self) -> Live:
        """The newest snapshot that is sound. Never raises: a store that fails leaves the last good one in force."""
        try:
            revision = self._source.revision()
            if revision != self._seen:
                self._live = self._compile()
                # Only now: a load that failed is tried again, and told again, with the next request.
                self._seen = revision
        except AxonHubError as error:
            self._warning.warn(f"the new configuration is not in force, the last good one stays: {error.message}")
        except Exception as error:
            self._warning.warn(f"the store cannot be read, the last configuration stays: {error}")
        return self._live

    def _compile(self) -> Live:
        snapshot = self._source.snapshot()
        if self._demo:
            snapshot = _with_demo(snapshot)
        live = compile_snapshot(snapshot)
        LOGGER.debug("configuration %d in force: %d channels", snapshot.revision, len(snapshot.channels))
        return live


def compile_snapshot(snapshot: Snapshot) -> Live:
    """Raises AxonHubError, naming the channel or profile that cannot work."""
    channels = snapshot.channels.values()
    return Live(
        snapshot,
        {name: _named(name, profiles.compile, profile) for name, profile in snapshot.profiles.items()},
        {channel.name: vendors.quirks(channel) for channel in channels},
        {channel.name: vendors.protocols(channel) for channel in channels},
    )


def _named(name: str, build: Callable[[Profile], CompiledProfile], profile: Profile) -> CompiledProfile:
    try:
        return build(profile)
    except AxonHubError as error:
        raise type(error)(f"profile {name}: {error.message}", error.hint) from error


def _with_demo(snapshot: Snapshot) -> Snapshot:
    """The demo channel beside what is configured. Where there are other channels it serves its own model only, so
    that its answers never stand in for theirs."""
    if DEMO in snapshot.channels:
        return snapshot
    models = (DEMO,) if snapshot.channels else ()
    channel = Channel(
        id="ch_demo", name=DEMO, type=DEMO, base_url=vendors.CHANNEL_TYPES[DEMO].base_url, models=models, priority=1000
    )
    return replace(snapshot, channels={**snapshot.channels, DEMO: channel})
