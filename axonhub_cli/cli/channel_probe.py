"""`axonhub channel test` and `models`: small real calls to an upstream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonhub_cli.cli.channel_fields import check_channel, keyless
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import ChannelArg, JsonOption
from axonhub_cli.cli.output import Column
from axonhub_cli.cli.text import count, span
from axonhub_cli.errors import AxonHubError, UsageError

if TYPE_CHECKING:
    from axonhub_cli.entities import Channel
    from axonhub_cli.server.probe import ProbeResult

_MODEL_COLUMNS = (Column("MODEL", lambda row: row["model"]), Column("OFFERED", lambda row: _yes(row["offered"])))


def probe(
    ctx: typer.Context,
    name: ChannelArg,
    *,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Which model; default the channel's first, or the upstream's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send one tiny real request with each of its keys: latency, tokens, or the upstream's own error."""
    app = CliContext.of(ctx)
    channel = app.store.channels.get(name)
    check_channel(channel)

    import asyncio

    from axonhub_cli.server.probe import probe_channel

    chosen = model or _first_model(app, channel)
    out = app.output(as_json)
    results = [(source, asyncio.run(probe_channel(channel, key, chosen))) for source, key in _key_values(app, channel)]
    rows = [_probe_row(channel, chosen, source, result) for source, result in results]
    if out.json:
        out.detail(rows[0] if len(rows) == 1 else {"channel": name, "keys": rows}, ())
    else:
        for row in rows:
            out.detail(row, _probe_fields(row, keyless(channel.type, channel.options)))
    for _, result in results:
        if not result.ok:
            raise AxonHubError(f"channel {name}: {result.error}", result.hint or f"axonhub channel show {name}")


def models(
    ctx: typer.Context,
    name: ChannelArg,
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Offer exactly these from now on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what the upstream says it has."""
    app = CliContext.of(ctx)
    channel = app.store.channels.get(name)
    _, key = _key_values(app, channel)[0]

    import asyncio

    from msgspec.structs import replace

    from axonhub_cli.server.probe import upstream_models

    found = asyncio.run(upstream_models(channel, key))
    out = app.output(as_json)
    if refresh and found:
        channel = app.store.channels.replace(replace(channel, models=tuple(found)))
    rows = [{"model": each, "offered": not channel.models or each in channel.models} for each in found]
    out.table(rows, _MODEL_COLUMNS, empty="the upstream lists no models")
    if refresh and found:
        out.result(f"channel {name} offers {len(found)} models")


def _key_values(app: CliContext, channel: Channel) -> list[tuple[str | None, str | None]]:
    """(where from, the key) for each key; one pair of None where the channel has none."""
    from axonhub_cli.cli.channel_fields import key_text
    from axonhub_cli.secrets import key_value

    pairs: list[tuple[str | None, str | None]] = [
        (key_text(key), key_value(key, app.secret, os.environ, channel)) for key in channel.keys
    ]
    return pairs or [(None, None)]


def _first_model(app: CliContext, channel: Channel) -> str:
    import asyncio

    from axonhub_cli.server.probe import upstream_models

    if channel.models:
        return channel.models[0]
    found = asyncio.run(upstream_models(channel, _key_values(app, channel)[0][1]))
    if not found:
        raise UsageError("the upstream lists no models to choose from", "add --model M")
    return found[0]


def _probe_row(channel: Channel, model: str, source: str | None, result: ProbeResult) -> dict[str, Any]:
    usage = result.usage
    return {
        "channel": channel.name,
        "model": model,
        "key": source,
        "ok": result.ok,
        "latency_ms": result.latency_ms,
        "ttft_ms": result.ttft_ms,
        "input_tokens": usage.input if usage else None,
        "output_tokens": usage.output if usage else None,
        "text": result.text,
        "error": result.error,
    }


def _probe_fields(row: dict[str, Any], no_key: str) -> list[tuple[str, object]]:
    fields: list[tuple[str, object]] = [
        ("channel", row["channel"]),
        ("model", row["model"]),
        ("key", row["key"] or no_key),
        ("result", "ok" if row["ok"] else "failed"),
        ("latency", span(row["latency_ms"])),
    ]
    if row["ok"]:
        fields += [
            ("first output", span(row["ttft_ms"])),
            ("tokens", f"{count(row['input_tokens'])} in, {count(row['output_tokens'])} out"),
            ("answer", row["text"] or "-"),
        ]
    return fields


def _yes(value: bool) -> str:
    return "yes" if value else "no"
