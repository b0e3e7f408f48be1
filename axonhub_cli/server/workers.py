"""Runs one server process or several on one port, and ends them on a signal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from msgspec import Struct

from axonhub_cli.errors import UsageError
from axonhub_cli.server import log
from axonhub_cli.server.app import ServeOptions, home_lock, listen, start
from axonhub_cli.server.connection import Uncaught
from axonhub_cli.server.lock import ServerLock

_RESPAWN_S = 1.0
_FILES = 8192  # every request in flight has two, so that some systems' 256 would be enough for a hundred
_ASKING = (signal.SIGINT, signal.SIGTERM)  # a second one is meant; a closed terminal's comes from its shell as well


def run(options: ServeOptions) -> int:
    """Blocks until a signal; the exit code. Raises AxonHubError where it cannot start."""
    _allow_files()
    log.setup(options.log_level or options.config.log.level, options.log_format, options.home.create_logs())
    lock = home_lock(options)
    try:
        if options.workers > 1:
            return _several(options, lock)
        listener = listen(*options.address)
        _mark_abandoned(options)
        return _one(options, listener, lock)
    finally:
        lock.release()


def _allow_files() -> None:
    """As many open files as the limits on requests may need, where the system lets us."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _one(options: ServeOptions, listener: socket.socket, lock: ServerLock | None, master: int | None = None) -> int:
    return run_loop(_serve(options, listener, lock, master))


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """To its end on the loop that servers run on: uvloop, where the extra `speed` has brought it."""
    try:
        import uvloop  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return asyncio.run(main)
    return int(uvloop.run(main))


def spare_collector() -> None:
    """What has been loaded stays as long as the process, so that Python's collector of cycles need not look at it; and
    a long conversation makes so many values that it would look at them dozens of times: a sixth of their cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _serve(options: ServeOptions, listener: socket.socket, lock: ServerLock | None, master: int | None) -> int:
    """`master` is a pipe's end that becomes readable when the process that started this one is gone."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Uncaught())
    running = await start(options, listener)
    spare_collector()
    if lock is not None:
        lock.say(running.url)
        log.LOGGER.info("serving on %s", running.url)
    asked = asyncio.Event()

    def on_signal(number: int) -> None:
        # Asked twice: whoever asks does not want to wait. A worker is asked by its master as well as by a terminal or
        # a supervisor, and leaves the counting to the master.
        if asked.is_set() and master is None and number in _ASKING:
            os._exit(130)
        asked.set()

    for number in _ending():
        loop.add_signal_handler(number, on_signal, number)
    if master is not None:
        loop.add_reader(master, asked.set)
    await asked.wait()
    if master is not None:
        loop.remove_reader(master)
    log.LOGGER.info(
        "stopping; requests in flight: %d, at most %g s", len(running.hub.exchanges), options.limits.shutdown_s
    )
    await running.stop()
    return 0


def _ending() -> list[signal.Signals]:
    """The signals that end a server: also that of a terminal that is closed, unless `nohup` has it ignored."""
    found = list(_ASKING)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def _mark_abandoned(options: ServeOptions) -> None:
    """The lock is ours: whatever still runs in the store belongs to a server that is dead."""
    from axonhub_cli.store.database import open_store

    with open_store(options.home, options.config) as store:
        store.traces.abandon()


def _several(options: ServeOptions, lock: ServerLock) -> int:
    """One process each, on sockets that share the port; one that dies is replaced and finds its socket as it was."""
    if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
        raise UsageError("--workers needs a system with fork and SO_REUSEPORT", "Leave it out.")
    host, port = options.address
    # Another program of this user could share the port without noticing: ask for it alone first (reliability F20).
    probe = listen(host, port)
    port = probe.getsockname()[1]
    probe.close()
    sockets = [listen(host, port, shared=True) for _ in range(options.workers)]
    _mark_abandoned(options)
    team = _Team(options, sockets, lock, os.pipe())
    children = {team.fork(index): index for index in range(len(sockets))}
    url = f"http://{host}:{port}"
    lock.say(url)
    log.LOGGER.info("serving on %s with %d workers", url, options.workers)
    return _watch(team, children)


class _Team(Struct, frozen=True):
    """What workers are made of. The master alone holds the writing end of `pipe`: when it is gone, however it went,
    the workers see the end of the pipe and stop."""

    options: ServeOptions
    sockets: list[socket.socket]
    lock: ServerLock
    pipe: tuple[int, int]

    def fork(self, index: int) -> int:
        """Starts the worker that serves socket `index`; its pid."""
        sys.stdout.flush()
        sys.stderr.flush()
        if pid := os.fork():
            return pid
        code = 1
        try:
            for number in _ending():
                signal.signal(number, signal.SIG_DFL)
            for other, listener in enumerate(self.sockets):
                if other != index:
                    listener.close()
            reading, writing = self.pipe
            os.close(writing)
            self.lock.leave()
            code = _one(self.options, self.sockets[index], None, reading)
        except Exception as error:
            log.LOGGER.error("a worker failed: %s", error)
        finally:
            os._exit(code)


def _watch(team: _Team, children: dict[int, int]) -> int:
    signals: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        if signals and number not in _ASKING:
            return
        signals.append(number)
        for listener in team.sockets:
            listener.close()  # they are the workers' too: whoever connects now would wait in one that nobody serves
        for pid in children:
            _ask(pid, signals)

    for number in _ending():
        signal.signal(number, on_signal)
    worst = 0
    while children:
        pid, status = os.wait()
        index = children.pop(pid, None)
        if index is None:
            continue
        if signals:
            worst = max(worst, os.waitstatus_to_exitcode(status) and 1)
            continue
        log.LOGGER.warning("worker %d ended, starting another", pid)
        time.sleep(_RESPAWN_S)
        if not signals:
            pid = team.fork(index)
            children[pid] = index
            if signals:  # it came in between
                _ask(pid, signals)
    return 130 if len(signals) > 1 else worst


def _ask(pid: int, signals: list[int]) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signals[0] if len(signals) == 1 else signal.SIGKILL)
