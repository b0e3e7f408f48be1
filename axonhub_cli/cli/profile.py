"""`axonhub profile`: which model a client gets for the one it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption, KeyOption, ProfileArg
from axonhub_cli.cli.output import Column
from axonhub_cli.cli.profile_edit import add, edit
from axonhub_cli.cli.profile_explain import explain
from axonhub_cli.cli.profile_rules import OrderedCommand
from axonhub_cli.cli.text import date_time, rfc3339

if TYPE_CHECKING:
    from axonhub_cli.entities import Profile, Rule
    from axonhub_cli.store.database import Store

profile_app = typer.Typer(
    name="profile",
    help="Model mappings: what clients ask for and what they get.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

profile_app.command(
    cls=OrderedCommand,
    epilog="""
Rules are tried in the order given here; the first that matches wins; its result is not mapped again.
A target CHANNEL/MODEL pins the channel. A pattern must match the whole name; \\1 in its target is its first group.

\b
Examples:
  axonhub profile add work --map gpt-4=kimi-k2 --map gpt-4o=deepseek-chat
  axonhub profile add local --map-regex 'gpt-5(\\.\\d+)?=box/qwen3-coder'
  axonhub profile add strict --map gpt-5=kimi-k2-thinking --unmapped deny
""",
)(add)
profile_app.command(
    cls=OrderedCommand,
    epilog="""
A rule is named by its number in `axonhub profile show`, or by what stands left of its `=`.

\b
Examples:
  axonhub profile edit work --map gpt-5=deepseek-chat --at 1   # in front
  axonhub profile edit work --drop 2 --disable-rule gpt-4
  axonhub profile edit work --move 3:1
""",
    short_help="Change a profile: its rules, one by one, and its limits.",
)(edit)

_COLUMNS = (
    Column("NAME", lambda row: row["name"]),
    Column("ACTIVE FOR", lambda row: ", ".join(row["active_for"]) or "-"),
    Column("RULES", lambda row: str(len(row["rules"])), right=True),
    Column("UNMAPPED", lambda row: row["unmapped"], rank=2),
    Column("CHANNELS", lambda row: ", ".join(row["channels"]) or "any", rank=1),
    Column("TAGS", lambda row: ", ".join(row["tags"]) or "any", rank=3),
)
_ALL_KEYS = "all keys without their own"


@profile_app.command(
    epilog="""\b
Examples:
  axonhub profile activate work                # for keys without their own
  axonhub profile activate local --key codex   # for one key; beats the other
""",
)
def activate(ctx: typer.Context, name: ProfileArg, key: KeyOption = None) -> None:
    """Make a profile the active one, from the next request on."""
    app = CliContext.of(ctx)
    app.store.profiles.activate(name, key)
    app.output().result(f"profile {name} is active for {f'key {key}' if key else _ALL_KEYS}")


@profile_app.command()
def deactivate(ctx: typer.Context, key: KeyOption = None) -> None:
    """Let no profile be active: names pass as they are. With --key, that key follows the general one again."""
    app = CliContext.of(ctx)
    app.store.profiles.deactivate(key)
    app.output().result(f"no profile of its own for key {key}" if key else f"no profile is active for {_ALL_KEYS}")


@profile_app.command("list")
def list_profiles(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the profiles and for whom each is active."""
    app = CliContext.of(ctx)
    rows = [profile_row(profile, app.store) for profile in app.store.profiles.list()]
    app.output(as_json).table(rows, _COLUMNS, empty="no profiles yet; axonhub profile add NAME --map FROM=TO")


@profile_app.command()
def show(ctx: typer.Context, name: ProfileArg, as_json: JsonOption = False) -> None:
    """Show one profile with its rules in order."""
    app = CliContext.of(ctx)
    profile = app.store.profiles.get(name)
    row = profile_row(profile, app.store)
    fields = [
        ("name", profile.name),
        ("active for", ", ".join(row["active_for"]) or "nobody"),
        ("rules", "\n".join(rule_line(number, rule) for number, rule in enumerate(profile.rules, 1)) or "none"),
        ("unmapped", "pass on as they are" if profile.unmapped == "pass" else "denied"),
        ("channels", ", ".join(profile.channels) or "any"),
        ("tags", ", ".join(profile.tags) or "any"),
        ("models", ", ".join(profile.allowed_models) or "any may be asked for"),
        ("changed", date_time(profile.updated_at)),
    ]
    app.output(as_json).detail(row, fields)


@profile_app.command()
def remove(ctx: typer.Context, name: ProfileArg) -> None:
    """Remove a profile that is active for nobody."""
    app = CliContext.of(ctx)
    app.store.profiles.remove(name)
    app.output().result(f"profile {name} removed")


profile_app.command(
    epilog="""\b
Examples:
  axonhub profile explain gpt-5
  axonhub profile explain gpt-5 --key codex
  axonhub profile explain gpt-5 --profile work     # as if it were active
""",
    short_help="Say what becomes of a model's name, and why.",
)(explain)


def profile_row(profile: Profile, store: Store) -> dict[str, Any]:
    """A profile for JSON. `active_for` holds words for people, `active` and `active_keys` the facts."""
    is_active = store.profiles.active() == profile.name
    keys = [key.name for key in store.keys.list() if key.profile == profile.name]
    return {
        "name": profile.name,
        "id": profile.id,
        "active": is_active,
        "active_keys": keys,
        "active_for": [*([_ALL_KEYS] if is_active else []), *(f"key {name}" for name in keys)],
        "rules": [rule_row(number, rule) for number, rule in enumerate(profile.rules, 1)],
        "channels": list(profile.channels),
        "tags": list(profile.tags),
        "allowed_models": list(profile.allowed_models),
        "unmapped": str(profile.unmapped),
        "created_at": rfc3339(profile.created_at),
        "updated_at": rfc3339(profile.updated_at),
    }


def rule_row(number: int, rule: Rule) -> dict[str, Any]:
    """A rule for JSON."""
    return {
        "number": number,
        "pattern": rule.pattern,
        "target": rule.target,
        "regex": rule.regex,
        "enabled": rule.enabled,
    }


def rule_line(number: int, rule: Rule) -> str:
    """A rule for people."""
    from axonhub_cli.routing.profiles import describe

    return f"{number}. {describe(rule)}{'' if rule.enabled else '  (disabled)'}"
