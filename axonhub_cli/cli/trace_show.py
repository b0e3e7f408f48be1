"""What `traces show` and `demo` load of a trace, and how `traces show` prints it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, assert_never

from axonhub_cli.cli.conversation import Entry, Once, read_said
from axonhub_cli.cli.settle import settle
from axonhub_cli.cli.text import rfc3339
from axonhub_cli.cli.trace_rows import attempt_row, request_row
from axonhub_cli.cli.trace_tree import Shown, request_tree, trace_tree
from axonhub_cli.entities import RequestRecord
from axonhub_cli.errors import NotFoundError
from axonhub_cli.ids import now_ms
from axonhub_cli.routing.affinity import clean_id
from axonhub_cli.store.traces import Found, FoundKind, RequestFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axonhub_cli.cli.output import Output
    from axonhub_cli.store.database import Store

_MOST = 10_000  # requests of one trace


def load_trace(store: Store, trace_id: str) -> list[Shown]:
    """The requests of a trace, oldest first, with all that is stored of them."""
    records = store.traces.requests(RequestFilter(trace_id=trace_id), _MOST, newest_first=False)
    return [load_request(store, record) for record in records]


def load_request(store: Store, record: RequestRecord) -> Shown:
    """One request with its attempts and what was said in it."""
    attempts = tuple(store.traces.attempts(record.id))
    return Shown(record, attempts, read_said(record, store.traces.bodies(record.id)))


def show_found(store: Store, identity: str, out: Output, *, raw: bool) -> None:
    """Prints the trace or request that `identity` names. Raises NotFoundError, also where several fit."""
    settle(store)
    found = _find(store, identity)
    records = _records(store, found)
    if raw:
        _print_raw(store, records, out)
        return
    shown = [load_request(store, record) for record in records]
    if found.kind is FoundKind.REQUEST:
        _print_request(shown[0], out)
    elif out.json:
        out.detail(_trace_row(shown), ())
    else:
        thread = found.id if found.kind is FoundKind.THREAD else None
        out.tree(trace_tree(shown, now_ms=now_ms(), of_thread=thread))


def _find(store: Store, identity: str) -> Found:
    """Also by the name a client gave its trace, of which less may have been kept. Raises NotFoundError."""
    kept = clean_id(identity)
    if kept is not None and kept != identity:
        with suppress(NotFoundError):
            return store.traces.find(kept)
    return store.traces.find(identity)


def _records(store: Store, found: Found) -> Sequence[RequestRecord]:
    match found.kind:
        case FoundKind.REQUEST:
            return [store.traces.get(found.id)]
        case FoundKind.TRACE:
            return store.traces.requests(RequestFilter(trace_id=found.id), _MOST, newest_first=False)
        case FoundKind.THREAD:
            return store.traces.requests(RequestFilter(thread_id=found.id), _MOST, newest_first=False)
        case _:
            assert_never(found.kind)


def _print_request(shown: Shown, out: Output) -> None:
    if out.json:
        out.detail(_detail_row(shown), ())
    else:
        out.tree(request_tree(shown, now_ms=now_ms()))


def _trace_row(shown: Sequence[Shown]) -> dict[str, Any]:
    once = Once()
    news = [Shown(each.record, each.attempts, once.news(each.record.thread_id, each.said)) for each in shown]
    records = [each.record for each in shown]

    def total(name: str) -> Any:
        known = [value for record in records if (value := getattr(record, name)) is not None]
        return sum(known) if known else None

    sums = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd")
    return {
        "trace_id": records[0].trace_id,
        "started_at": rfc3339(records[0].started_at),
        "finished_at": rfc3339(max(record.finished_at or record.started_at for record in records)),
        **{name: total(name) for name in sums},
        "requests": [_detail_row(each) for each in news],
    }


def _detail_row(shown: Shown) -> dict[str, Any]:
    """`messages` are those the client sent (in a trace: those that are new), `reply` what it got."""
    return {
        **request_row(shown.record),
        "attempt_details": [attempt_row(attempt) for attempt in shown.attempts],
        "messages": [_entry_row(entry) for entry in shown.said.heard],
        "repeated_messages": shown.said.repeated,
        "reply": [_entry_row(entry) for entry in shown.said.answered],
        "problems": list(shown.said.problems),
    }


def _entry_row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"role": entry.role, "type": entry.kind, "text": entry.text}
    return row | {name: value for name in ("name", "call_id") if (value := getattr(entry, name)) is not None}


def _print_raw(store: Store, records: Sequence[RequestRecord], out: Output) -> None:
    """The stored bodies: as a JSON array, or one after another under a note on stderr."""
    bodies = [(record.id, body) for record in records for body in store.traces.bodies(record.id)]
    if out.json:
        rows = [
            {"request_id": request_id, "kind": body.kind, "data": body.data.decode("utf-8", "backslashreplace")}
            for request_id, body in bodies
        ]
        out.table(rows, ())
        return
    for request_id, body in bodies:
        out.note(f"--- {request_id} {body.kind}")
        out.raw(body.data.decode("utf-8", "backslashreplace"))
    if not bodies:
        out.note("no bodies are stored of it")
