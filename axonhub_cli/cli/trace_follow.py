"""The loop behind `traces tail`: looks at the store ten times a second and shows what has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from axonhub_cli.cli.trace_rows import request_row
from axonhub_cli.cli.trace_tail import POLL_S, PlainScreen, open_screen
from axonhub_cli.entities import RequestRecord, RequestStatus
from axonhub_cli.ids import now_ms

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output
    from axonhub_cli.store.database import Store
    from axonhub_cli.store.traces import RequestFilter


def print_last(store: Store, wanted: RequestFilter, number: int, out: Output) -> None:
    """The last requests, oldest first, running ones included."""
    records = _last(store, wanted, number)
    if out.json:
        for record in records:
            out.object_line(request_row(record))
    else:
        PlainScreen(out).show(records, (), now_ms())
