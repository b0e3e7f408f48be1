"""Requests that a killed server left running: nobody else would end them before the next server starts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from axonhub_cli.errors import StoreError

if TYPE_CHECKING:
    from axonhub_cli.entities import RequestRecord
    from axonhub_cli.store.database import Store


def settle(store: Store, running: Iterable[RequestRecord] | None = None) -> int:
    """Marks as failed what dead processes of this machine left running; returns how many requests that were.

    `running` are the requests under way, asked of the store where not given. Does nothing where nothing can be written.
    """
    if not store.writable:
        return 0
    if running is None:
        running = store.traces.running()
    count = 0
    with suppress(StoreError):  # looking must work where marking does not
        for server in sorted({record.server for record in running}):
            if _is_dead(server):
                count += store.traces.abandon(server)
    return count


def _is_dead(server: str) -> bool:
    """Whether `host:pid` names a process of this machine that is no more."""
    import socket

    host, _, pid = server.rpartition(":")
    if os.name != "posix" or host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False  # it lives, and is somebody else's
    return False
