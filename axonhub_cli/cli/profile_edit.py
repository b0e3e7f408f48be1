"""`axonhub profile add` and `edit`."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from axonhub_cli.cli.checks import check_model, check_tag
from axonhub_cli.cli.complete import channel_names
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import NewNameArg, ProfileArg
from axonhub_cli.cli.profile_rules import edit_rules, rules_in_order
from axonhub_cli.errors import UsageError

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output
    from axonhub_cli.entities import Profile


class UnmappedWord(StrEnum):
    """What `--unmapped` takes."""

    PASS = "pass"
    DENY = "deny"


_MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FROM=TO", help="FROM is the whole name; repeatable.")
]
_RegexOption = Annotated[
    list[str] | None, typer.Option("--map-regex", metavar="PATTERN=TO", help="PATTERN is RE2; repeatable.")
]
_ChannelOption = Annotated[
    list[str] | None,
    typer.Option("--channel", metavar="C", help="Only these channels; repeatable.", autocompletion=channel_names),
]
_TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="T", help="Only channels with one of these tags; repeatable.")
]
_AllowOption = Annotated[
    list[str] | None, typer.Option("--allow-model", metavar="M", help="Only these may be asked for; repeatable.")
]
_UnmappedHelp = "What to do with a name no rule matches."
_NamesHelp = "by number or left side; repeatable."


def add(
    ctx: typer.Context,
    name: NewNameArg,
    *,
    map_rule: _MapOption = None,
    map_regex: _RegexOption = None,
    channel: _ChannelOption = None,
    tag: _TagOption = None,
    allow_model: _AllowOption = None,
    unmapped: Annotated[UnmappedWord, typer.Option(help=_UnmappedHelp)] = UnmappedWord.PASS,
) -> None:
    """Add a profile: named model mappings and limits. It counts once it is activated."""
    from axonhub_cli.entities import Profile, Unmapped

    app = CliContext.of(ctx)
    profile = Profile(
        "",
        name,
        rules_in_order(ctx, map_rule, map_regex),
        channels=tuple(dict.fromkeys(channel or ())),
        tags=tuple(dict.fromkeys(tag or ())),
        allowed_models=tuple(dict.fromkeys(allow_model or ())),
        unmapped=Unmapped(unmapped.value),
    )
    _check(profile)
    app.store.profiles.add(profile)
    out = app.output()
    out.result(f"profile {name} added with {_rules(len(profile.rules))}")
    _warn(out, profile, app.store.channels.names())
    out.hint(f"axonhub profile activate {name}")


def edit(
    ctx: typer.Context,
    name: ProfileArg,
    *,
    map_rule: _MapOption = None,
    map_regex: _RegexOption = None,
    at: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Position for the new rules; default the end.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="RULE", help=f"Drop a rule, {_NamesHelp}")] = None,
    disable_rule: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Keep a rule but skip it.")] = None,
    enable_rule: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Use a rule again.")] = None,
    move: Annotated[list[str] | None, typer.Option(metavar="RULE:POSITION", help="Move a rule, e.g. 3:1.")] = None,
    channel: _ChannelOption = None,
    any_channel: Annotated[bool, typer.Option("--any-channel", help="Drop the limit to channels.")] = False,
    tag: _TagOption = None,
    any_tag: Annotated[bool, typer.Option("--any-tag", help="Drop the limit to tags.")] = False,
    allow_model: _AllowOption = None,
    any_model: Annotated[bool, typer.Option("--any-model", help="Drop the limit to models.")] = False,
    unmapped: Annotated[UnmappedWord | None, typer.Option(help=_UnmappedHelp)] = None,
) -> None:
    """Change a profile: add, drop, move, disable and enable single rules; replace its limits."""
    from msgspec.structs import replace

    from axonhub_cli.entities import Unmapped

    app = CliContext.of(ctx)
    old = app.store.profiles.get(name)
    rules = edit_rules(
        old.rules,
        rules_in_order(ctx, map_rule, map_regex),
        drop=drop or (),
        disable=disable_rule or (),
        enable=enable_rule or (),
        move=move or (),
        at=at,
    )
    changed = replace(
        old,
        rules=rules,
        channels=() if any_channel else tuple(dict.fromkeys(channel or old.channels)),
        tags=() if any_tag else tuple(dict.fromkeys(tag or old.tags)),
        allowed_models=() if any_model else tuple(dict.fromkeys(allow_model or old.allowed_models)),
        unmapped=Unmapped(unmapped.value) if unmapped else old.unmapped,
    )
    if changed == old:
        raise UsageError("nothing to change was given", f"axonhub profile edit {name} --help")
    _check(changed)
    app.store.profiles.replace(changed)
    out = app.output()
    out.result(f"profile {name} changed: {_rules(len(rules))}")
    _warn(out, changed, app.store.channels.names())


def _check(profile: Profile) -> None:
    from axonhub_cli.routing.profiles import compile

    for rule in profile.rules:
        check_model(rule.target)
        if not rule.regex:
            check_model(rule.pattern)
    for tag in profile.tags:
        check_tag(tag)
    for model in profile.allowed_models:
        check_model(model)
    compile(profile)


def _warn(out: Output, profile: Profile, channels: Collection[str]) -> None:
    seen: set[tuple[str, bool]] = set()
    for number, rule in enumerate(profile.rules, 1):
        if (rule.pattern, rule.regex) in seen and rule.enabled:
            out.warning(f"rule {number} never matches: an earlier one has the same left side")
        if rule.enabled:
            seen.add((rule.pattern, rule.regex))
        first, slash, _ = rule.target.partition("/")
        if slash and not any(rule.target.startswith(f"{name}/") for name in channels):
            out.note(f"no channel is called {first}: {rule.target} of rule {number} is sent as a model's whole name")


def _rules(number: int) -> str:
    return f"{number} rule{'' if number == 1 else 's'}"
