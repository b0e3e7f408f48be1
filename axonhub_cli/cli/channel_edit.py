"""`axonhub channel add` and `edit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonhub_cli.cli.checks import check_base_url, check_model, check_proxy, check_tag, check_variable
from axonhub_cli.cli.complete import channel_types
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import ChannelArg, NewNameArg
from axonhub_cli.cli.output import Output
from axonhub_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axonhub_cli.entities import Channel, UpstreamKey
    from axonhub_cli.vendors import ChannelType

_TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="See `axonhub channel types`.", autocompletion=channel_types)
]
_UrlOption = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="Instead of the type's own address.")]
_EnvOption = Annotated[
    list[str] | None,
    typer.Option("--api-key-env", metavar="VAR", help="Variable with the upstream's key; may be repeated."),
]
_StdinOption = Annotated[
    bool, typer.Option("--api-key-stdin", help="Read keys from standard input, one a line; kept encrypted.")
]
_ModelOption = Annotated[
    list[str] | None, typer.Option("--model", metavar="M", help="A model it offers; may be repeated. None: any.")
]
_TagOption = Annotated[list[str] | None, typer.Option("--tag", metavar="T", help="For profiles; may be repeated.")]
_ProxyOption = Annotated[str | None, typer.Option("--proxy", metavar="URL", help="HTTP proxy to call it through.")]
_PairOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="KEY=VALUE", help="Override a detail of the type (docs/options.md lists them); repeatable."
    ),
]
_WeightHelp = "Share among channels of one priority."
_PriorityHelp = "Lower is tried first."


def add(
    ctx: typer.Context,
    name: NewNameArg,
    *,
    type_name: _TypeOption,
    base_url: _UrlOption = None,
    api_key_env: _EnvOption = None,
    api_key_stdin: _StdinOption = False,
    model: _ModelOption = None,
    weight: Annotated[int, typer.Option(metavar="N", min=0, max=1_000_000, help=_WeightHelp)] = 100,
    priority: Annotated[int, typer.Option(metavar="N", min=-1_000_000, max=1_000_000, help=_PriorityHelp)] = 0,
    tag: _TagOption = None,
    proxy: _ProxyOption = None,
    option: _PairOption = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it out of use for now.")] = False,
) -> None:
    """Add an upstream account. Running servers use it from the next request on."""
    from axonhub_cli.cli.channel_fields import check_channel, find_type, options_of
    from axonhub_cli.entities import Channel
    from axonhub_cli.ids import new_id

    app = CliContext.of(ctx)
    preset = find_type(type_name)
    options = options_of(option or (), {})
    url, warning = _address(preset, base_url, options)
    channel = Channel(
        new_id("ch"),  # keys are encrypted for it
        name,
        preset.name,
        url,
        models=tuple(dict.fromkeys(map(check_model, model or ()))),
        weight=weight,
        priority=priority,
        tags=tuple(dict.fromkeys(map(check_tag, tag or ()))),
        proxy=check_proxy(proxy) if proxy else None,
        options=options,
        enabled=not disabled,
    )
    check_channel(channel)
    variables = api_key_env or ([preset.api_key_env] if preset.api_key_env and not api_key_stdin else [])
    channel = _with_keys(channel, _keys(app, channel, variables, stdin=api_key_stdin))
    app.store.channels.add(channel)
    out = app.output()
    out.result(f"channel {name} added")
    _warn(out, channel, warning)


def edit(
    ctx: typer.Context,
    name: ChannelArg,
    *,
    base_url: _UrlOption = None,
    api_key_env: _EnvOption = None,
    add_api_key_env: Annotated[
        list[str] | None, typer.Option(metavar="VAR", help="One more variable with a key; may be repeated.")
    ] = None,
    remove_api_key_env: Annotated[
        list[str] | None, typer.Option(metavar="VAR", help="Forget a variable; may be repeated.")
    ] = None,
    api_key_stdin: _StdinOption = False,
    no_api_key: Annotated[bool, typer.Option("--no-api-key", help="Forget all keys.")] = False,
    model: _ModelOption = None,
    add_model: Annotated[list[str] | None, typer.Option(metavar="M", help="One more model; repeatable.")] = None,
    remove_model: Annotated[list[str] | None, typer.Option(metavar="M", help="One model less; repeatable.")] = None,
    any_model: Annotated[bool, typer.Option("--any-model", help="Empty the list of models: it takes any.")] = False,
    weight: Annotated[int | None, typer.Option(metavar="N", min=0, max=1_000_000, help=_WeightHelp)] = None,
    priority: Annotated[
        int | None, typer.Option(metavar="N", min=-1_000_000, max=1_000_000, help=_PriorityHelp)
    ] = None,
    tag: _TagOption = None,
    add_tag: Annotated[list[str] | None, typer.Option(metavar="T", help="One more tag; repeatable.")] = None,
    remove_tag: Annotated[list[str] | None, typer.Option(metavar="T", help="One tag less; repeatable.")] = None,
    proxy: _ProxyOption = None,
    no_proxy: Annotated[bool, typer.Option("--no-proxy", help="Call it directly.")] = False,
    option: _PairOption = None,
) -> None:
    """Change a channel. Running servers follow with the next request."""
    from msgspec.structs import replace

    from axonhub_cli.cli.channel_fields import check_channel, find_type, options_of, replaced

    app = CliContext.of(ctx)
    old = app.store.channels.get(name)
    changes: dict[str, Any] = {
        "weight": old.weight if weight is None else weight,
        "priority": old.priority if priority is None else priority,
        "models": replaced(() if any_model else old.models, model, add_model, remove_model, "model"),
        "tags": replaced(old.tags, tag, add_tag, remove_tag, "tag"),
        "options": options_of(option or (), old.options),
        "proxy": None if no_proxy else check_proxy(proxy) if proxy else old.proxy,
    }
    url, warning = _moved(find_type(old.type), old, base_url, changes["options"])
    changed = replace(old, base_url=url, **changes)
    for each in set(changed.models).difference(old.models):  # an upstream's own names are as they are
        check_model(each)
    for each in changed.tags:
        check_tag(each)
    check_channel(changed)
    fresh = no_api_key or bool(api_key_env) or api_key_stdin
    kept = () if fresh else _kept(old, url, remove_api_key_env or [])
    new = _keys(app, changed, [*(api_key_env or ()), *(add_api_key_env or ())], stdin=api_key_stdin)
    _store_edit(app, old, _with_keys(changed, (*kept, *new)), warning)


def _store_edit(app: CliContext, old: Channel, changed: Channel, warning: str | None) -> None:
    out = app.output()
    if changed == old:
        raise UsageError("nothing to change was given", f"axonhub channel edit {old.name} --help")
    app.store.channels.replace(changed)
    out.result(f"channel {changed.name} changed")
    _warn(out, changed, warning)


def _moved(
    preset: ChannelType, old: Channel, base_url: str | None, options: Mapping[str, str]
) -> tuple[str, str | None]:
    """The address after an edit: an account's own facts may be part of it."""
    from axonhub_cli import vendors

    if base_url:
        return _address(preset, base_url, options)
    if preset.settings and old.base_url == _template(preset, old.options):
        return vendors.base_url(preset, options), None
    return old.base_url, None


def _template(preset: ChannelType, options: Mapping[str, str]) -> str | None:
    """The type's own address; None where an option it needs is missing, so that somebody gave another."""
    from axonhub_cli import vendors
    from axonhub_cli.errors import ConfigError

    try:
        return vendors.base_url(preset, options)
    except ConfigError:
        return None


def _address(preset: ChannelType, base_url: str | None, options: Mapping[str, str]) -> tuple[str, str | None]:
    from axonhub_cli import vendors

    if preset.name == "demo":
        if base_url:
            raise UsageError("the type demo has no address", "leave --base-url out")
        return preset.base_url, None
    if not base_url and not preset.base_url:
        raise UsageError(f"the type {preset.name} needs an address", "add --base-url URL")
    return check_base_url(base_url or vendors.base_url(preset, options))


def _keys(app: CliContext, channel: Channel, variables: list[str], *, stdin: bool) -> tuple[UpstreamKey, ...]:
    from axonhub_cli.cli.channel_fields import read_keys, stored_keys, variable_keys
    from axonhub_cli.vendors import quirks

    if channel.type == "demo":
        if variables or stdin:
            raise UsageError("the type demo takes no key", "leave --api-key-env and --api-key-stdin out")
        return ()
    named = variable_keys([check_variable(name) for name in variables], channel.base_url)
    if not stdin:
        return named
    keys = read_keys(quirks(channel).auth)
    return (*named, *stored_keys(keys, channel.id, channel.base_url, app.secret))


def _kept(old: Channel, url: str, forget: list[str]) -> tuple[UpstreamKey, ...]:
    from msgspec.structs import replace

    from axonhub_cli.cli.channel_fields import moved_keys, replaced

    variables = [key.env for key in old.keys if key.env]
    left = replaced(variables, None, None, forget, "key variable")
    keys = tuple(key for key in old.keys if key.env is None or key.env in left)
    return moved_keys(replace(old, keys=keys), url)


def _with_keys(channel: Channel, keys: tuple[UpstreamKey, ...]) -> Channel:
    from msgspec.structs import replace

    seen = {key.env or key.id: key for key in keys}
    return replace(channel, keys=tuple(seen.values()))


def _warn(out: Output, channel: Channel, warning: str | None) -> None:
    from axonhub_cli.cli.channel_fields import unset_variables

    if warning:
        out.warning(warning)
    for variable in unset_variables(channel):
        out.warning(f"{variable} is not set here; it must be where `axonhub serve` runs")
