"""`axonhub key`: the keys that clients show to the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonhub_cli.cli.checks import check_network
from axonhub_cli.cli.complete import profile_names
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption, KeyArg, NewNameArg
from axonhub_cli.cli.output import Column, Output
from axonhub_cli.cli.text import date_time, parse_duration, rfc3339, visible
from axonhub_cli.errors import ConflictError

if TYPE_CHECKING:
    from axonhub_cli.entities import ApiKey

key_app = typer.Typer(
    name="key",
    help="Keys that clients show to the hub. Only their digests are kept.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_COLUMNS = (
    Column("NAME", lambda row: row["name"]),
    Column("KEY", lambda row: f"{row['prefix']}…", rank=1),
    Column("STATE", lambda row: row["state"]),
    Column("PROFILE", lambda row: row["profile"] or "-", rank=2),
    Column("EXPIRES", lambda row: row["expires"], rank=3),
    Column("FROM", lambda row: ", ".join(row["allowed_ips"]) or "anywhere", rank=4),
    Column("CREATED", lambda row: row["created"], rank=5),
)


@key_app.command(
    epilog="""\b
Examples:
  export AXONHUB_API_KEY="$(axonhub key create codex)"
  axonhub key create laptop --profile work --expires 30d --allow-ip 10.0.0.0/8
""",
)
def create(
    ctx: typer.Context,
    name: NewNameArg,
    *,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="P", help="Its own active profile.", autocompletion=profile_names),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="30d", help="How long it is good for: 90s, 15m, 2h, 30d.")
    ] = None,
    allow_ip: Annotated[
        list[str] | None, typer.Option(metavar="CIDR", help="Only from these addresses; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is printed on stdout, alone, this once."""
    from axonhub_cli.entities import ApiKey
    from axonhub_cli.ids import now_ms
    from axonhub_cli.store.api_keys import new_api_key

    app = CliContext.of(ctx)
    plaintext, digest, prefix = new_api_key()
    key = ApiKey(
        "",
        name,
        digest,
        prefix,
        profile=profile,
        expires_at=now_ms() + parse_duration(expires) if expires is not None else None,
        allowed_ips=tuple(dict.fromkeys(map(check_network, allow_ip or ()))),
    )
    key = app.store.keys.add(key)
    _hand_over(app.output(as_json), key, plaintext)


@key_app.command("list")
def list_keys(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the keys, revoked ones included."""
    app = CliContext.of(ctx)
    out = app.output(as_json)
    keys = app.store.keys.list()
    rows = [key_row(key) if out.json else {**key_row(key), **_words(key)} for key in keys]
    out.table(rows, _COLUMNS, empty="no keys yet; axonhub key create NAME")


@key_app.command()
def show(ctx: typer.Context, name: KeyArg, as_json: JsonOption = False) -> None:
    """Show one key's settings. The key itself cannot be shown: only its digest is kept."""
    app = CliContext.of(ctx)
    key = app.store.keys.get(name)
    fields = [
        ("name", key.name),
        ("key", f"{key.prefix}…"),
        ("state", key_state(key)),
        ("profile", key.profile or "the general one"),
        ("expires", date_time(key.expires_at) if key.expires_at else "never"),
        ("from", ", ".join(key.allowed_ips) or "anywhere"),
        ("created", date_time(key.created_at)),
    ]
    app.output(as_json).detail(key_row(key), fields)


@key_app.command()
def disable(ctx: typer.Context, name: KeyArg) -> None:
    """Refuse a key until it is enabled again."""
    _change(ctx, name, "disabled", enabled=False)


@key_app.command()
def enable(ctx: typer.Context, name: KeyArg) -> None:
    """Accept a disabled key again."""
    _change(ctx, name, "enabled", enabled=True)


@key_app.command(
    epilog="""\b
Example:
  export AXONHUB_API_KEY="$(axonhub key rotate codex)"
""",
)
def rotate(ctx: typer.Context, name: KeyArg, as_json: JsonOption = False) -> None:
    """Replace a key by a new one, printed on stdout, alone, this once. The old one is refused at once."""
    from msgspec.structs import replace

    from axonhub_cli.integrations.client_keys import ClientKeys
    from axonhub_cli.store.api_keys import new_api_key

    app = CliContext.of(ctx)
    plaintext, digest, prefix = new_api_key()
    stored = ClientKeys(app.home, app.secret)
    with stored.locked():
        key = app.store.keys.get(name)
        _refuse_revoked(key)
        if stored.matches(name, key.digest):  # Codex gets it from `axonhub codex token`, and goes on with the new one
            stored.put(name, plaintext)
        key = app.store.keys.replace(replace(key, digest=digest, prefix=prefix))
    _hand_over(app.output(as_json), key, plaintext)


@key_app.command()
def revoke(ctx: typer.Context, name: KeyArg) -> None:
    """Refuse a key for good. Its name stays in the list, and in the traces."""
    from axonhub_cli.ids import now_ms

    _change(ctx, name, "revoked", enabled=False, revoked_at=now_ms())


def key_row(key: ApiKey) -> dict[str, Any]:
    """A key for JSON; neither the key nor its digest."""
    return {
        "name": key.name,
        "id": key.id,
        "prefix": key.prefix,
        "state": key_state(key),
        "enabled": key.enabled,
        "profile": key.profile,
        "expires_at": rfc3339(key.expires_at),
        "revoked_at": rfc3339(key.revoked_at),
        "allowed_ips": list(key.allowed_ips),
        "created_at": rfc3339(key.created_at),
        "updated_at": rfc3339(key.updated_at),
    }


def _words(key: ApiKey) -> dict[str, str]:
    return {"expires": date_time(key.expires_at) if key.expires_at else "never", "created": date_time(key.created_at)}


def key_state(key: ApiKey) -> str:
    """`enabled`, or why the key is refused: `disabled`, `expired`, `revoked`."""
    from axonhub_cli.ids import now_ms

    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now_ms():
        return "expired"
    return "enabled" if key.enabled else "disabled"


def _change(ctx: typer.Context, name: str, done: str, **changes: Any) -> None:
    from msgspec.structs import replace

    app = CliContext.of(ctx)
    key = app.store.keys.get(name)
    _refuse_revoked(key)
    app.store.keys.replace(replace(key, **changes))
    app.output().result(f"key {name} is {done}")


def _refuse_revoked(key: ApiKey) -> None:
    if key.revoked_at is not None:
        raise ConflictError(f"key {visible(key.name)} is revoked, and that is final", "axonhub key create ANOTHER_NAME")


def _hand_over(out: Output, key: ApiKey, plaintext: str) -> None:
    if out.json:
        out.detail({**key_row(key), "key": plaintext}, ())
        return
    out.value(plaintext)
    out.note(f"key {key.name} made; it is not shown again")
    out.hint("clients look for it in a variable: export AXONHUB_API_KEY=… (the line above)")
