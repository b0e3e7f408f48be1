"""Which keys there are, what each may hold, and how its text is read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.config.model import Config
from axonhub_cli.config.problems import did_you_mean

__all__ = ["KEYS", "SECTIONS", "Value", "build", "parse", "refusal", "variable_of", "wanted"]

Value = str | int | bool | tuple[str, ...]

LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
# RFC 9110, 5.6.2: a header name is a token.
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
# Whose values are nobody's to keep, least of all as a trace's id.
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
)
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")


def _leaves(struct: Struct, prefix: str = "") -> Iterator[tuple[str, Value]]:
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, Struct):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


KEYS: Mapping[str, Value] = dict(_leaves(Config()))  # dotted key -> default
SECTIONS = frozenset(key.rsplit(".", depth)[0] for key in KEYS for depth in range(1, key.count(".") + 1))

_WANTED: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    tuple: "a list of texts, e.g. [A, B]",
}


def wanted(key: str) -> str:
    """What the key takes, in words."""
    return _WANTED[type(KEYS[key])]


def variable_of(key: str) -> str:
    """The variable that overrides the key: server.port -> AXONHUB_SERVER_PORT."""
    return "AXONHUB_" + key.upper().replace(".", "_")


def parse(key: str, text: str) -> Value | None:
    """The value a variable's text stands for; None where it is not of the key's type. Lists are comma separated."""
    default = KEYS[key]
    text = text.strip()
    if isinstance(default, bool):
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
    if isinstance(default, int):
        return int(text) if _INTEGER.fullmatch(text) else None
    if isinstance(default, tuple):
        return tuple(item.strip() for item in text.split(",") if item.strip())
    return text


def refusal(key: str, value: Value) -> str | None:
    """Why a value of the right type is refused all the same."""
    rule = _RULES.get(key)
    return rule(value) if rule else None


def build(values: Mapping[str, Value]) -> Config:
    """The Config with these values by dotted key, and defaults for the rest."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return msgspec.convert(tree, Config)


def _between(low: int, high: int) -> Callable[[Any], str | None]:
    return lambda value: None if low <= value <= high else f"expected a number from {low} to {high}, got {value}"


def _host(value: Any) -> str | None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        plain = _HOST_NAME.fullmatch(value) and not re.fullmatch(r"[0-9.]+", value)
        return None if plain else f"expected an address or a host name without scheme and port, got {value!r}"
    return None


def _header(value: Any) -> str | None:
    if value.lower().replace("_", "-") in _SECRET_HEADERS:
        return f"expected a header that holds no key, got {value!r}"
    if _HEADER_NAME.fullmatch(value):
        return None
    return f"expected the name of an HTTP header (letters, digits, - and _), got {value!r}"


def _headers(values: Any) -> str | None:
    return next((why for why in map(_header, values) if why), None)


def _level(value: Any) -> str | None:
    if value in LOG_LEVELS:
        return None
    return f"expected one of {', '.join(LOG_LEVELS)}, got {value!r}{did_you_mean(value, LOG_LEVELS)}"


def _database(value: Any) -> str | None:
    # The value is not repeated: it may hold a password.
    return "PostgreSQL is not supported by this version; leave it empty to use SQLite in the home" if value else None


_RULES: Mapping[str, Callable[[Any], str | None]] = {
    "server.host": _host,
    "server.port": _between(0, 65535),
    "server.trace.trace_header": _header,
    "server.trace.thread_header": _header,
    "server.trace.extra_trace_headers": _headers,
    "traces.retention_days": _between(1, 36500),
    "traces.max_database_mb": _between(1, 1 << 24),
    "database.url": _database,
    "log.level": _level,
}
