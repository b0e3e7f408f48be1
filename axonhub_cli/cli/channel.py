"""`axonhub channel`: upstream accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from axonhub_cli.cli.channel_edit import add, edit
from axonhub_cli.cli.channel_probe import models, probe
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import ChannelArg, JsonOption
from axonhub_cli.cli.output import Column
from axonhub_cli.cli.text import date_time, rfc3339

if TYPE_CHECKING:
    from axonhub_cli.entities import Channel

channel_app = typer.Typer(
    name="channel",
    help="Upstream accounts: whom the hub calls.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

channel_app.command(
    epilog="""\b
Examples:
  axonhub channel add deepseek --type deepseek
  axonhub channel add kimi --type moonshot --api-key-env KEY --model kimi-k2
  printf %s "$KEY" | axonhub channel add work --type openai --api-key-stdin
  axonhub channel add b --type openai-compatible --base-url http://10.0.0.5/v1
  axonhub channel add az --type azure --option resource=mine --model deployed
  axonhub channel add aws --type bedrock --option region=us-east-1
  axonhub channel add g --type vertex --option project=p --option location=eu

Without a key, bedrock uses AWS's own credential chain and vertex Google's default credentials. A key for bedrock is
ACCESS_KEY_ID:SECRET[:SESSION_TOKEN] or a Bedrock API key; one for vertex a service account's JSON, or its file.
""",
)(add)

_LIST_COLUMNS = (
    Column("NAME", lambda row: row["name"]),
    Column("TYPE", lambda row: row["type"], rank=1),
    Column("STATE", lambda row: "enabled" if row["enabled"] else "disabled"),
    Column("MODELS", lambda row: _few(row["models"]) or "any", rank=2),
    Column("PRIORITY", lambda row: str(row["priority"]), right=True, rank=3),
    Column("WEIGHT", lambda row: str(row["weight"]), right=True, rank=4),
    Column("TAGS", lambda row: ", ".join(row["tags"]) or "-", rank=5),
    Column("KEYS", lambda row: ", ".join(_key_words(row)), rank=3),
    Column("BASE URL", lambda row: row["base_url"], rank=6),
)
_TYPE_COLUMNS = (
    Column("TYPE", lambda row: row["type"]),
    Column("PROTOCOL", lambda row: row["protocol"], rank=1),
    Column("KEY VARIABLE", lambda row: row["api_key_env"] or _keyless(row), rank=2),
    Column("BASE URL", lambda row: row["base_url"] or "yours: --base-url", rank=3),
)


@channel_app.command("list")
def list_channels(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the channels, in the order they were added."""
    app = CliContext.of(ctx)
    rows = [channel_row(channel) for channel in app.store.channels.list()]
    app.output(as_json).table(rows, _LIST_COLUMNS, empty="no channels yet; axonhub channel add NAME --type TYPE")


@channel_app.command()
def show(ctx: typer.Context, name: ChannelArg, as_json: JsonOption = False) -> None:
    """Show one channel. Keys are never shown, only where they come from."""
    app = CliContext.of(ctx)
    channel = app.store.channels.get(name)
    app.output(as_json).detail(channel_row(channel), _fields(channel))


channel_app.command(
    epilog="""
Only what is given changes. --model, --tag, --api-key-env and --api-key-stdin replace the whole list.

\b
Examples:
  axonhub channel edit deepseek --add-model deepseek-chat --remove-tag slow
  axonhub channel edit deepseek --weight 50 --option vision=true
  axonhub channel edit deepseek --option vision=   # back to the type's own
""",
)(edit)


@channel_app.command()
def enable(ctx: typer.Context, name: ChannelArg) -> None:
    """Let a channel serve again. Also ends a rest it is in after failures."""
    _switch(ctx, name, enabled=True)


@channel_app.command()
def disable(ctx: typer.Context, name: ChannelArg) -> None:
    """Keep a channel but do not use it."""
    _switch(ctx, name, enabled=False)


@channel_app.command()
def remove(ctx: typer.Context, name: ChannelArg) -> None:
    """Remove a channel that no profile names, and its stored keys. Traces keep its name."""
    app = CliContext.of(ctx)
    app.store.channels.remove(name)
    app.output().result(f"channel {name} removed")


channel_app.command("test", short_help="Send one tiny real request with each of its keys.")(probe)
channel_app.command()(models)


@channel_app.command()
def types(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the presets for --type."""
    from axonhub_cli.vendors import CHANNEL_TYPES

    rows: list[dict[str, Any]] = [
        {
            "type": row.name,
            "protocol": row.protocols[0],
            "protocols": list(row.protocols),
            "base_url": row.base_url or None,
            "api_key_env": row.api_key_env,
            "settings": [setting.name for setting in row.settings],
        }
        for row in CHANNEL_TYPES.values()
    ]
    CliContext.of(ctx).output(as_json).table(rows, _TYPE_COLUMNS)


def channel_row(channel: Channel) -> dict[str, Any]:
    """A channel for JSON; no secrets in it."""
    from axonhub_cli.cli.channel_fields import key_row

    return {
        "name": channel.name,
        "id": channel.id,
        "type": channel.type,
        "base_url": channel.base_url,
        "keys": [key_row(key) for key in channel.keys],
        "models": list(channel.models),
        "weight": channel.weight,
        "priority": channel.priority,
        "tags": list(channel.tags),
        "proxy": channel.proxy,
        "options": dict(channel.options),
        "enabled": channel.enabled,
        "created_at": rfc3339(channel.created_at),
        "updated_at": rfc3339(channel.updated_at),
    }


def _fields(channel: Channel) -> list[tuple[str, object]]:
    from axonhub_cli.cli.channel_fields import key_text, keyless

    return [
        ("name", channel.name),
        ("type", channel.type),
        ("state", "enabled" if channel.enabled else "disabled"),
        ("base url", channel.base_url),
        ("keys", "\n".join(key_text(key) for key in channel.keys) or keyless(channel.type, channel.options)),
        ("models", "\n".join(channel.models) or "any"),
        ("priority", f"{channel.priority} (lower is tried first)"),
        ("weight", channel.weight),
        ("tags", ", ".join(channel.tags) or "none"),
        ("proxy", channel.proxy or "none"),
        ("options", "\n".join(f"{name}={value}" for name, value in channel.options.items()) or "none"),
        ("created", date_time(channel.created_at)),
        ("changed", date_time(channel.updated_at)),
    ]


def _switch(ctx: typer.Context, name: str, *, enabled: bool) -> None:
    from msgspec.structs import replace

    app = CliContext.of(ctx)
    channel = app.store.channels.get(name)
    # Written even where nothing changes: the new time of change ends a rest in running servers.
    app.store.channels.replace(replace(channel, enabled=enabled))
    app.output().result(f"channel {name} is {'enabled' if enabled else 'disabled'}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", +{len(names) - 3}" if len(names) > 3 else "")


def _key_words(row: dict[str, Any]) -> list[str]:
    keys = row["keys"]
    named = [f"{key['env']}{'' if key['set'] else ' (not set)'}" for key in keys if key["env"]]
    stored = sum(1 for key in keys if not key["env"])
    return [*named, *([f"{stored} stored"] if stored else [])] or [_keyless(row)]


def _keyless(row: dict[str, Any]) -> str:
    from axonhub_cli.cli.channel_fields import keyless

    return keyless(row["type"], row.get("options", {}))
