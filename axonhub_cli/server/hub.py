"""What lives as long as the server, and every exchange needs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from axonhub_cli import ids, secrets
from axonhub_cli.config import Config
from axonhub_cli.entities import Channel, UpstreamKey
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.opaque import Seal
from axonhub_cli.routing.health import Health
from axonhub_cli.routing.refusals import Refusals
from axonhub_cli.server.auth import Hosts
from axonhub_cli.server.bindings import Bindings
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.log import Rarely
from axonhub_cli.server.metrics import Metrics
from axonhub_cli.server.recorder import Recorder
from axonhub_cli.server.reloader import Reloader
from axonhub_cli.server.transports import Transports

if TYPE_CHECKING:
    from axonhub_cli.server.exchange import Exchange
    from axonhub_cli.server.websocket import Socket


@dataclass
class Hub:
    """Clocks and chance are fields so that tests can set them."""

    config: Config
    limits: Limits
    secret: bytes
    environ: Mapping[str, str]
    reloader: Reloader
    recorder: Recorder
    bindings: Bindings
    transports: Transports
    metrics: Metrics
    hosts: Hosts = field(default_factory=Hosts)  # the Host headers we answer to
    server: str = ""  # host:pid, on every record
    health: Health = field(default_factory=Health)
    refusals: Refusals = field(default_factory=Refusals)
    exchanges: set[Exchange] = field(default_factory=set)
    bodies_held: int = 0  # bytes of requests being served
    sockets: set[Socket] = field(default_factory=set)
    transcripts_held: int = 0  # bytes that sockets remember between two turns
    stopping: bool = False
    clock: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = ids.now_ms
    chance: Callable[[], float] = random.random
    refused: Rarely = field(default_factory=Rarely)

    def __post_init__(self) -> None:
        self.seal = Seal(secrets.derive(self.secret, "sealed state"))
        self._keys: dict[tuple[UpstreamKey, str, str], str] = {}

    def check_room(self) -> None:
        """Raises Failure (503) where no further request is taken."""
        full = len(self.exchanges) >= self.limits.in_flight or self.bodies_held >= self.limits.bodies_held
        if self.stopping or full:
            message = "axonhub is being stopped." if self.stopping else "axonhub serves as many requests as it can."
            raise Failure(APIError(ErrorKind.OVERLOADED, message, 503, code="server_is_overloaded", retry_after=1.0))

    def read_key(self, key: UpstreamKey, channel: Channel) -> str:
        """The upstream key for this channel's address. Raises ConfigError, also where the address is another
        than the one it was entered for (reliability S6)."""
        name = key, channel.id, channel.base_url
        if name not in self._keys:
            if len(self._keys) > 1000:
                self._keys.clear()
            self._keys[name] = secrets.key_value(key, self.secret, self.environ, channel)
        return self._keys[name]
