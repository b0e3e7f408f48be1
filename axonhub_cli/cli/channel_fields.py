"""From the options of `channel add` and `channel edit` to a Channel, and what to warn about."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from axonhub_cli.cli.checks import split_pair
from axonhub_cli.errors import ConflictError, NotFoundError, UsageError

if TYPE_CHECKING:
    from axonhub_cli.entities import Channel, UpstreamKey
    from axonhub_cli.vendors import ChannelType

_MAX_KEY = 4096
_ACCOUNT = (
    "the JSON of a service account's key, or the path of a file with it: … --api-key-stdin < service-account.json"
)


def find_type(name: str) -> ChannelType:
    """The preset. Raises UsageError."""
    from axonhub_cli.config.problems import did_you_mean
    from axonhub_cli.vendors import CHANNEL_TYPES

    if row := CHANNEL_TYPES.get(name):
        return row
    near = did_you_mean(name, CHANNEL_TYPES)
    raise UsageError(f"there is no channel type {name!r}{near}", "axonhub channel types lists them.")


def read_keys(auth: str) -> list[str]:
    """Upstream keys from standard input, one a line; on a terminal one is asked for and not shown. `auth` is the
    channel's, as in `Quirks`: one of Google's may be a JSON document, a service account's."""
    if sys.stdin.isatty():
        lines = [typer.prompt("Upstream key", hide_input=True, err=True)]
    else:
        text = sys.stdin.read(_MAX_KEY * 64)
        if auth == "google" and text.lstrip().startswith("{"):
            return [_document(text)]
        lines = text.splitlines()
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise UsageError("no key came on standard input", 'printf %s "$KEY" | axonhub channel … --api-key-stdin')
    if any(len(key) > _MAX_KEY or not key.isascii() or not key.isprintable() or " " in key for key in keys):
        raise UsageError("what came on standard input is no key: spaces or unprintable characters", "one key a line")
    for key in keys:
        _check_key(key, auth)
    return keys


def _check_key(key: str, auth: str) -> None:
    """Where a key's form is known, a wrong one is told now and not with the first request."""
    from pathlib import Path

    if auth == "aws" and ":" in key and not all(key.split(":", 2)):
        raise UsageError("what came on standard input is no key of AWS's", "ACCESS_KEY_ID:SECRET, or a Bedrock API key")
    if auth == "google" and not Path(key).is_file():
        raise UsageError("what came on standard input is no key of Google's", _ACCOUNT)


def _document(text: str) -> str:
    import json

    try:
        account = json.loads(text)
    except ValueError:
        raise UsageError("what came on standard input is no JSON", _ACCOUNT) from None
    if missing := [name for name in ("client_email", "private_key") if name not in account]:
        raise UsageError(f"the service account has no {' and no '.join(missing)}", _ACCOUNT)
    return json.dumps(account, separators=(",", ":"))


def variable_keys(variables: Sequence[str], base_url: str) -> tuple[UpstreamKey, ...]:
    """References to variables, bound to the origin of `base_url`."""
    from axonhub_cli.entities import UpstreamKey
    from axonhub_cli.ids import new_id
    from axonhub_cli.secrets import origin_of

    return tuple(UpstreamKey(new_id("ukey"), origin_of(base_url), env=name) for name in dict.fromkeys(variables))


def stored_keys(values: Sequence[str], channel_id: str, base_url: str, secret: bytes) -> tuple[UpstreamKey, ...]:
    """Keys encrypted for one channel and the origin of `base_url`."""
    from axonhub_cli.entities import UpstreamKey
    from axonhub_cli.ids import new_id
    from axonhub_cli.secrets import encrypt, origin_of

    origin = origin_of(base_url)
    return tuple(
        UpstreamKey(new_id("ukey"), origin, encrypted=encrypt(secret, value, channel_id, origin))
        for value in dict.fromkeys(values)
    )


def options_of(pairs: Sequence[str], base: Mapping[str, str]) -> dict[str, str]:
    """`base` with KEY=VALUE laid over it; `KEY=` takes one away."""
    options = dict(base)
    for pair in pairs:
        name, value = split_pair(pair, "--option", "vision=false")
        if value:
            options[name] = value
        elif options.pop(name, None) is None and name not in base:
            raise NotFoundError(f"the channel has no option {name!r} to remove", "axonhub channel show NAME")
    return options


def check_channel(channel: Channel) -> None:
    """Raises ConfigError for an option or value the channel's type does not know, or for a missing extra."""
    from axonhub_cli.vendors import EXTRAS, check_options, quirks

    check_options(channel)
    extra = EXTRAS.get(quirks(channel).auth)
    if extra is not None and (missing := extra.missing()):
        raise missing


def replaced(
    old: Sequence[str], whole: Sequence[str] | None, add: Sequence[str] | None, remove: Sequence[str] | None, what: str
) -> tuple[str, ...]:
    """A list after `--x` (replaces; one empty text empties it), `--add-x` and `--remove-x`."""
    values = [value for value in whole if value] if whole else list(old)
    for value in remove or ():
        if value not in values:
            raise NotFoundError(f"it has no {what} {value!r} to remove", f"it has: {', '.join(values) or 'none'}")
        values.remove(value)
    return tuple(dict.fromkeys([*values, *(add or ())]))


def moved_keys(old: Channel, base_url: str) -> tuple[UpstreamKey, ...]:
    """The keys of `old` for a new base URL. A key is only sent where it was entered for, so a move to another
    origin raises ConflictError while keys are left."""
    from axonhub_cli.secrets import origin_of

    if not old.keys or all(key.origin == origin_of(base_url) for key in old.keys):
        return old.keys
    raise ConflictError(
        f"channel {old.name}'s keys were entered for {old.keys[0].origin} and are not sent to {origin_of(base_url)}",
        "enter them again in the same command: --api-key-env VARIABLE or --api-key-stdin",
    )


def key_text(key: UpstreamKey) -> str:
    """Where a key comes from; never the key."""
    if key.env:
        return f"env {key.env} ({'set' if os.environ.get(key.env) else 'not set'})"
    return "stored, encrypted"


def keyless(type_name: str, options: Mapping[str, str]) -> str:
    """What a channel without keys shows to its upstream, in words."""
    from axonhub_cli.vendors import CHANNEL_TYPES, EXTRAS

    row = CHANNEL_TYPES.get(type_name)
    extra = EXTRAS.get(options.get("auth") or (row.quirks.auth if row else ""))
    return extra.credentials if extra else "none"


def key_row(key: UpstreamKey) -> dict[str, object]:
    """The same for JSON. `set` is null for a stored key."""
    return {
        "id": key.id,
        "source": "env" if key.env else "stored",
        "env": key.env,
        "set": bool(os.environ.get(key.env)) if key.env else None,
        "origin": key.origin,
    }


def unset_variables(channel: Channel) -> list[str]:
    """Variables the channel names that are not set here."""
    return [key.env for key in channel.keys if key.env and not os.environ.get(key.env)]
