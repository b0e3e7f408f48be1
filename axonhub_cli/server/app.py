"""Starts and stops a server and what lives with it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web
from msgspec import Struct

from axonhub_cli import ids, secrets
from axonhub_cli.config import Config
from axonhub_cli.entities import Snapshot
from axonhub_cli.errors import AxonHubError, ConflictError
from axonhub_cli.paths import Home
from axonhub_cli.server import auth, log
from axonhub_cli.server.bindings import Bindings
from axonhub_cli.server.connection import Server
from axonhub_cli.server.endpoints import handle
from axonhub_cli.server.hub import Hub
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.lock import ServerLock
from axonhub_cli.server.metrics import Metrics
from axonhub_cli.server.recorder import Recorder
from axonhub_cli.server.reloader import Reloader
from axonhub_cli.server.sink import StoreSink
from axonhub_cli.server.transports import Transports
from axonhub_cli.store.database import Store, open_store

_BACKLOG = 1024

Opener = Callable[[Home, Config], Store]


class ServeOptions(Struct, frozen=True):
    """None takes the configuration's value. Port 0 is any free one. `environ` holds the upstream keys' variables."""

    home: Home
    config: Config
    host: str | None = None
    port: int | None = None
    workers: int = 1
    demo: bool = False
    log_level: str | None = None
    log_format: str = "text"
    environ: Mapping[str, str] = os.environ
    limits: Limits = Limits()

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        server = self.config.server
        return self.host or server.host, server.port if self.port is None else self.port


class Running:
    """A server that accepts connections."""

    def __init__(self, hub: Hub, runner: web.ServerRunner, store: Store, url: str) -> None:
        self.hub, self.url = hub, url
        self._runner, self._store = runner, store

    async def stop(self, grace: float | None = None) -> None:
        """New work is refused at once; what runs has `grace` seconds and is then told; what waits is written.
        A second call does nothing."""
        hub = self.hub
        if hub.stopping:
            return
        hub.stopping = True
        for site in list(self._runner.sites):
            await site.stop()
        assert self._runner.server is not None
        self._runner.server.pre_shutdown()
        for connection in list(hub.sockets):
            connection.stop()
        await _drained(hub, hub.limits.shutdown_s if grace is None else grace)
        for exchange in list(hub.exchanges):
            exchange.stop()
        await _drained(hub, 2.0)
        await self._runner.cleanup()
        await hub.transports.close()
        await asyncio.to_thread(hub.recorder.close, hub.limits.flush_s)
        self._store.close()


async def start(
    options: ServeOptions, listener: socket.socket | None = None, *, opener: Opener = open_store
) -> Running:
    """Serves in this process's loop. Raises AxonHubError where it cannot. `opener` opens the store, once
    for each thread."""
    host, port = options.address
    listener = listener or listen(host, port)
    store: Store | None = None
    hub: Hub | None = None
    try:
        port = listener.getsockname()[1]
        store = opener(options.home, options.config)
        hub = _hub(options, opener, store, auth.allowed_hosts(host, port))
        _check_exposure(host, hub.reloader.current().snapshot)
        hub.recorder.start()
        runner = web.ServerRunner(Server(partial(handle, hub), options.limits), shutdown_timeout=0.5)
        await runner.setup()
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
    except BaseException:
        listener.close()
        if hub is not None:
            await hub.transports.close()
        if store is not None:
            store.close()
        raise
    return Running(hub, runner, store, f"http://{_shown(host)}:{port}")


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket; `shared`: others of ours bind the same port. Raises ConflictError where the port is taken."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise AxonHubError(f"cannot listen on {host}: {error.strerror}", "Give another --host.") from error
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is in use by another program", "Give another --port, or stop that program."
            ) from error
        other = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
        raise AxonHubError(
            f"cannot listen on {host} port {port}: {error.strerror}", f"Give another {other}."
        ) from error
    return listener


def home_lock(options: ServeOptions) -> ServerLock:
    """The home's lock, taken. Raises ConflictError where another server has it."""
    options.home.create()
    lock = ServerLock(options.home.data)
    lock.take()
    return lock


def _hub(options: ServeOptions, opener: Opener, store: Store, hosts: auth.Hosts) -> Hub:
    limits, metrics = options.limits, Metrics()
    reloader = Reloader(store, demo=options.demo)

    def sink() -> StoreSink:
        return StoreSink(opener(options.home, options.config), lambda: reloader.last.snapshot)

    recorder = Recorder(sink, limits, metrics)
    return Hub(
        config=options.config,
        limits=limits,
        secret=secrets.load_secret(options.home, options.environ),
        environ=options.environ,
        reloader=reloader,
        recorder=recorder,
        bindings=Bindings(store.traces, recorder, shared=options.workers > 1),
        transports=Transports(limits),
        metrics=metrics,
        hosts=hosts,
        server=f"{socket.gethostname()}:{os.getpid()}",
    )


def _check_exposure(host: str, snapshot: Snapshot) -> None:
    """Beyond this machine only with keys (reliability S13)."""
    if auth.is_loopback("127.0.0.1" if host == "localhost" else host):
        return
    now = ids.now_ms()
    usable = [
        key
        for key in snapshot.keys.values()
        if key.enabled and key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
    ]
    if not usable:
        raise AxonHubError(
            f"refusing to listen on {host}: others could reach it, and there is no axonhub key yet",
            "Create one with `axonhub key create NAME`, or listen on 127.0.0.1.",
        )
    log.LOGGER.warning("listening on %s: other machines can reach this server", host)


async def _drained(hub: Hub, seconds: float) -> None:
    tasks = [exchange.task for exchange in hub.exchanges if exchange.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def serve(options: ServeOptions) -> int:
    """Serves until a signal ends it; the exit code. Raises AxonHubError where it cannot start."""
    from axonhub_cli.server.workers import run

    return run(options)
