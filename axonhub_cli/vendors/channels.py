"""What holds for one channel: its type's row with the channel's own options laid over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from axonhub_cli.entities import Channel
from axonhub_cli.errors import ConfigError
from axonhub_cli.vendors.quirks import ChannelType, Quirks
from axonhub_cli.vendors.settings import check_settings
from axonhub_cli.vendors.types import CHANNEL_TYPES

PROTOCOL_OPTION = "protocol"
PRICE_OPTIONS = ("price_cached", "price_input", "price_output")  # USD per million tokens; read by `pricing`

_CHOICES: dict[str, tuple[str, ...]] = {
    "system_role": ("developer", "system"),
    "max_tokens_field": ("max_completion_tokens", "max_tokens"),
    "effort_style": ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "none"),
    "reasoning_echo": ("never", "tool_calls", "always"),
    "reasoning_field": ("reasoning_content", "reasoning", "reasoning_details"),
    "response_format": ("json_schema", "json_object", "none"),
    "auth": ("x-api-key", "bearer", "api-key", "aws", "google"),
    "cloud": ("none", "azure", "bedrock", "vertex"),
    "thinking_style": ("auto", "adaptive", "budget", "enabled", "none"),
    "mid_system": ("auto", "always", "never"),
    "thinking_config": ("auto", "level", "budget", "none"),
}
_PROTOCOLS = tuple(dict.fromkeys(protocol for row in CHANNEL_TYPES.values() for protocol in row.protocols))
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-[a-z]+)?")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def channel_type(name: str) -> ChannelType:
    """Raises ConfigError naming the known types."""
    if row := CHANNEL_TYPES.get(name):
        return row
    raise ConfigError(f"there is no channel type {name!r}", f"one of: {', '.join(CHANNEL_TYPES)}")


def quirks(channel: Channel) -> Quirks:
    """The channel's quirks. Raises ConfigError for an option that does not exist or has a bad value."""
    base = channel_type(channel.type).quirks
    if not channel.options:
        return base
    known = frozenset(setting.name for setting in channel_type(channel.type).settings)
    return msgspec.structs.replace(base, **_overrides(channel.options, known))


def protocols(channel: Channel) -> tuple[str, ...]:
    """The protocols it speaks, the preferred first: those of its type, or what the option `protocol` says
    (several apart by commas). Raises ConfigError for a protocol nobody here speaks."""
    row = channel_type(channel.type)
    wanted = channel.options.get(PROTOCOL_OPTION)
    if wanted is None:
        return row.protocols
    names = _words(wanted)
    # A cloud's paths are those of its own protocols; the address of anything else may be the person's.
    legal = row.protocols if row.settings or row.name == "demo" else _PROTOCOLS
    if not names or any(name not in legal for name in names) or row.name == "demo":
        raise _bad(PROTOCOL_OPTION, wanted, legal)
    return names


def check_options(channel: Channel) -> None:
    """Raises ConfigError at the first option of a channel that is wrong or missing."""
    version = quirks(channel).api_version
    if version and not _VERSION.fullmatch(version):
        raise _bad("api_version", version, ("a date such as 2024-10-21", "one with a suffix: 2025-04-01-preview"))
    protocols(channel)
    check_settings(channel_type(channel.type), channel.options)
    if version and channel.base_url.rstrip("/").endswith("/v1"):
        raise ConfigError(
            "the option 'api_version' belongs to Azure's dated API, and the base URL ends in /v1",
            "give --base-url https://RESOURCE.openai.azure.com/openai, or leave api_version out",
        )


def _overrides(options: Mapping[str, str], settings: Collection[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in options.items():
        if name == PROTOCOL_OPTION or name in settings:
            continue
        if name in PRICE_OPTIONS:
            _check_price(name, text)
            continue
        if name not in _PARSERS:
            legal = ", ".join(sorted([*_PARSERS, PROTOCOL_OPTION, *PRICE_OPTIONS, *settings]))
            raise ConfigError(f"there is no channel option {name!r}", f"one of: {legal}")
        values[name] = _PARSERS[name](name, text.strip())
    return values


def _bad(name: str, text: str, legal: tuple[str, ...]) -> ConfigError:
    return ConfigError(f"{text!r} is no value of the channel option {name!r}", f"one of: {', '.join(legal)}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (piece.strip() for piece in text.split(",")) if word)


def _text(name: str, text: str) -> str:
    if name in _CHOICES and text not in _CHOICES[name]:
        raise _bad(name, text, _CHOICES[name])
    return text


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise _bad(name, text, ("true", "false"))
    return text.lower() in _TRUE


def _count(name: str, text: str) -> int | None:
    if text.lower() in ("", "none"):
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _bad(name, text, ("none", "a number from 1"))
    return int(text)


def _check_price(name: str, text: str) -> None:
    whole, _, cents = text.strip().partition(".")
    if not (whole + cents).isdecimal() or not text.isascii():
        raise _bad(name, text, ("USD per million tokens, such as 0.27",))


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        raise _bad(name, text, ('a JSON object, such as {"tool_stream": true}',)) from None


def _list(_name: str, text: str) -> tuple[str, ...]:
    return _words(text)


_BY_TYPE: dict[str, Callable[[str, str], Any]] = {
    "str": _text,
    "bool": _flag,
    "int | None": _count,
    "tuple[str, ...]": _list,
    "Mapping[str, Any]": _object,
}
_PARSERS: dict[str, Callable[[str, str], Any]] = {
    name: _BY_TYPE[str(annotation)] for name, annotation in Quirks.__annotations__.items()
}
