"""`axonhub traces`: what went through the hub."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from axonhub_cli.cli.complete import channel_names, key_names, model_names
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption
from axonhub_cli.cli.text import date_time, parse_duration
from axonhub_cli.cli.trace_rows import LIST_COLUMNS, request_row

if TYPE_CHECKING:
    from axonhub_cli.entities import RequestRecord
    from axonhub_cli.store.traces import RequestFilter

traces_app = typer.Typer(
    name="traces",
    help="What went through the hub, prompts and replies included.",
    short_help="What went through the hub.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class StatusWord(StrEnum):
    """What `--status` takes."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    RUNNING = "running"


_KeyFilter = Annotated[
    str | None, typer.Option("--key", metavar="K", help="Only of this key.", autocompletion=key_names)
]
_ChannelFilter = Annotated[
    str | None,
    typer.Option("--channel", metavar="C", help="Only those this channel served.", autocompletion=channel_names),
]
_ModelFilter = Annotated[
    str | None,
    typer.Option("--model", metavar="M", help="Only for this model, asked for or used.", autocompletion=model_names),
]
_StatusFilter = Annotated[StatusWord | None, typer.Option("--status", help="Only in this state.")]
_TraceFilter = Annotated[str | None, typer.Option("--trace", metavar="ID", help="Only of this trace.")]


@traces_app.command(
    epilog="""\b
Examples:
  axonhub traces tail                 # one line a request; running ones below
  axonhub traces tail -n 0 --status failed
  axonhub traces tail --json | jq -r .client_model
""",
)
def tail(
    ctx: typer.Context,
    *,
    number: Annotated[
        int, typer.Option("-n", metavar="N", min=0, max=10_000, help="How many past requests to begin with.")
    ] = 20,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="Do not wait for new ones.")] = False,
    key: _KeyFilter = None,
    channel: _ChannelFilter = None,
    model: _ModelFilter = None,
    status: _StatusFilter = None,
    trace: _TraceFilter = None,
    as_json: JsonOption = False,
) -> None:
    """Watch requests as they finish. Ctrl-C ends it. Servers may come and go meanwhile."""
    from axonhub_cli.cli.trace_follow import follow, print_last

    app = CliContext.of(ctx)
    wanted = _filter(key, channel, model, status=status, trace=trace)
    out = app.output(as_json)
    if no_follow:
        print_last(app.store, wanted, number, out)
    else:
        follow(app.store, wanted, number, out)


@traces_app.command("list")
def list_requests(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="At most this many, the newest.")] = 50,
    since: Annotated[str | None, typer.Option(metavar="2h", help="Only those of this last time.")] = None,
    key: _KeyFilter = None,
    channel: _ChannelFilter = None,
    model: _ModelFilter = None,
    status: _StatusFilter = None,
    trace: _TraceFilter = None,
    as_json: JsonOption = False,
) -> None:
    """List requests, the newest first."""
    from axonhub_cli.cli.settle import settle
    from axonhub_cli.ids import now_ms

    app = CliContext.of(ctx)
    since_ms = now_ms() - parse_duration(since) if since is not None else None
    wanted = _filter(key, channel, model, status=status, trace=trace, since_ms=since_ms)
    settle(app.store)
    records = app.store.traces.requests(wanted, limit, newest_first=True)
    out = app.output(as_json)
    if out.json:
        out.table([request_row(record) for record in records], ())
    else:
        out.table(
            [_Item(record, date_time(record.started_at, seconds=True)) for record in records],
            LIST_COLUMNS,
            empty=_NOTHING,
        )


@traces_app.command(
    epilog="""\b
ID may be the beginning of one, as long as nothing else begins with it.

\b
Examples:
  axonhub traces show 01a2035a          # a whole session
  axonhub traces show req_0h2           # one request
  axonhub traces show req_0h2 --raw     # the stored bodies, for jq
""",
    short_help="Show a conversation with all that happened to it.",
)
def show(
    ctx: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="A trace, a request, or the beginning of one.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Print the stored bodies.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a conversation as a tree, with attempts, what was dropped, tokens, cost and latency."""
    from axonhub_cli.cli.trace_show import show_found

    app = CliContext.of(ctx)
    show_found(app.store, identity, app.output(as_json), raw=raw)


class _Item(NamedTuple):
    record: RequestRecord
    started: str


_NOTHING = "no requests yet, or none that match"


def _filter(
    key: str | None,
    channel: str | None,
    model: str | None,
    *,
    status: StatusWord | None,
    trace: str | None,
    since_ms: int | None = None,
) -> RequestFilter:
    from axonhub_cli.routing.affinity import clean_id
    from axonhub_cli.store.traces import RequestFilter

    return RequestFilter(
        key=key,
        channel=channel,
        model=model,
        status=status.value if status else None,
        trace_id=trace and (clean_id(trace) or trace),  # as it was kept
        since_ms=since_ms,
    )
