"""Codex's config.toml with the hub in it: text in, text out."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from axonhub_cli.errors import ConfigError
from axonhub_cli.integrations.toml_spans import BOM, Edit, Path, Statement, apply, find, loads, same, statements

PROVIDER = "axonhub-responses"
KEY_VARIABLE = "AXONHUB_API_KEY"
BLOCK: Path = ("model_providers", PROVIDER)
# Of these Codex takes one; a second makes it refuse the file or send the wrong key.
_CREDENTIALS = ("env_key", "env_key_instructions", "experimental_bearer_token", "requires_openai_auth", "auth")


class Wanted(Struct, frozen=True):
    """What setup is to leave behind. `command` is the program and its arguments that print the key; empty:
    Codex reads it from the variable AXONHUB_API_KEY."""

    model: str
    base_url: str
    command: tuple[str, ...] = ()


class Plan(Struct, frozen=True):
    """The text after setup, and the edits of the text before that lead there."""

    text: str
    edits: tuple[Edit, ...] = ()


def parse(text: str) -> dict[str, Any]:
    """The settings of a config.toml. Raises ConfigError with the line where it is not valid TOML."""
    try:
        return loads(text.removeprefix(BOM))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"Codex's config.toml is not valid TOML: {error}", "Mend it; nothing was changed.") from error


def block(wanted: Wanted) -> dict[str, Any]:
    """The provider's table. `supports_websockets` is not in it: over a socket Codex 0.169 saves some 50 ms a request,
    and repeats what fails over the socket and again over HTTP (measured, docs/architecture.md). A line of the user's
    own stays."""
    table: dict[str, Any] = {"name": "AxonHub", "base_url": wanted.base_url}
    if not wanted.command:
        table["env_key"] = KEY_VARIABLE
    table |= {"wire_api": "responses", "query_params": {}}
    if wanted.command:
        table["auth"] = {"command": wanted.command[0], "args": list(wanted.command[1:])}
    return table


def is_set_up(settings: Mapping[str, Any], wanted: Wanted) -> bool:
    """True where setup has nothing to do; whatever else stands in our table may stay."""
    found = provider(settings)
    ours = block(wanted)
    return (
        settings.get("model") == wanted.model
        and settings.get("model_provider") == PROVIDER
        and all(found.get(name) == value for name, value in ours.items())
        and not any(name in found for name in _CREDENTIALS if name not in ours)
    )


def provider(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our provider's table, empty where there is none."""
    providers = settings.get("model_providers")
    found = providers.get(PROVIDER) if isinstance(providers, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def install(text: str, wanted: Wanted) -> Plan:
    """The text with the hub in it; the same text where it is already. Raises ConfigError, never guesses."""
    settings = parse(text)
    if is_set_up(settings, wanted):
        return Plan(text)
    try:
        found = statements(text)
        top = _top_level(text, found, settings, wanted)
        ending = next((edit.new for edit in reversed(top) if edit.start == len(text)), text)
        edits = (*top, *_provider_edits(text, found, settings, wanted, _gap(ending, _newline(text))))
        after = apply(text, edits)
        right = same(loads(after.removeprefix(BOM)), _expected(settings, wanted))
    except (ValueError, TypeError, AttributeError):
        right = False
    if not right:
        raise ConfigError(
            "Codex's config.toml is written in a way that cannot be edited safely; nothing was changed",
            f"Write [model_providers.{PROVIDER}] by hand; `axonhub codex setup --codex-home EMPTY --dry-run` shows it.",
        )
    return Plan(after, edits)


def _top_level(text: str, found: list[Statement], settings: Mapping[str, Any], wanted: Wanted) -> list[Edit]:
    edits: list[Edit] = []
    missing: list[str] = []
    for name, value in (("model", wanted.model), ("model_provider", PROVIDER)):
        statement = find(found, (name,))
        if statement is None or statement.value is None:
            missing.append(f"{name} = {_toml(value)}")
        elif settings[name] != value:
            edits.append(Edit(*statement.value, _toml(value), (name,)))
    if missing:
        edits.append(_insert_top(text, found, missing))
    return edits


def _insert_top(text: str, found: list[Statement], lines: list[str]) -> Edit:
    """New keys go below the last one that stands before any table, or to the very top."""
    newline = _newline(text)
    first_table = next((place for place, one in enumerate(found) if one.value is None), len(found))
    position = found[first_table - 1].end if first_table else (len(BOM) if text.startswith(BOM) else 0)
    new = "".join(f"{line}{newline}" for line in lines)
    if position == len(text) and first_table and not text.endswith("\n"):
        new = newline + new
    if not first_table and text[position:].strip():
        new += newline
    return Edit(position, position, new)


def _provider_edits(
    text: str, found: list[Statement], settings: Mapping[str, Any], wanted: Wanted, gap: str
) -> list[Edit]:
    newline = _newline(text)
    whole = find(found, BLOCK)
    if whole is not None and whole.value is not None:  # axonhub-responses = { … }
        return [Edit(*whole.value, _inline({**_foreign(settings), **block(wanted)}), BLOCK)]
    inline = find(found, BLOCK[:1])
    if inline is not None and inline.value is not None:  # model_providers = { … }
        return [_into_inline(text, inline.value, wanted)]
    ours = [one for one in found if one.path[:2] == BLOCK]
    if not ours:
        return [Edit(len(text), len(text), gap + _table(wanted, newline))]
    edits = _rewrite(text, found, settings, wanted)
    if wanted.command:
        edits.append(Edit(len(text), len(text), gap + _auth(wanted, newline)))
    return edits


def _rewrite(text: str, found: list[Statement], settings: Mapping[str, Any], wanted: Wanted) -> list[Edit]:
    """A table of this name that somebody wrote: our keys get our values, keys we know nothing of stay."""
    newline, wants, has = _newline(text), block(wanted), provider(settings)
    wants.pop("auth", None)
    edits: list[Edit] = []
    missing: list[str] = []
    for name, value in wants.items():
        statement = find(found, (*BLOCK, name))
        if name in has and (statement is None or statement.value is None):
            edits += [Edit(one.start, one.end, "") for one in found if one.path[:3] == (*BLOCK, name)]
            missing.append(f"{name} = {_toml(value)}")
        elif statement is not None and statement.value is not None:
            if has[name] != value:
                edits.append(Edit(*statement.value, _toml(value), (*BLOCK, name)))
        else:
            missing.append(f"{name} = {_toml(value)}")
    gone = [name for name in _CREDENTIALS if name not in wants]
    edits += [Edit(one.start, one.end, "") for one in found for name in gone if one.path[:3] == (*BLOCK, name)]
    if missing:
        header = next(one for one in found if one.value is None and one.path == BLOCK)
        lead = "" if text[: header.end].endswith("\n") else newline
        edits.append(Edit(header.end, header.end, lead + "".join(f"{line}{newline}" for line in missing)))
    return edits


def _foreign(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody else has put into our table, but for credentials."""
    return {name: value for name, value in provider(settings).items() if name not in _CREDENTIALS}


def _into_inline(text: str, value: tuple[int, int], wanted: Wanted) -> Edit:
    closing = value[1] - 1
    inside = text[value[0] + 1 : closing]
    lead = ", " if inside.strip() else " "
    position = value[0] + 1 + len(inside.rstrip())
    return Edit(position, position, f"{lead}{_toml(PROVIDER, key=True)} = {_inline(block(wanted))}")


def _table(wanted: Wanted, newline: str) -> str:
    lines = [f"[model_providers.{PROVIDER}]"]
    lines += [f"{name} = {_toml(value)}" for name, value in block(wanted).items() if name != "auth"]
    text = "".join(f"{line}{newline}" for line in lines)
    return text + newline + _auth(wanted, newline) if wanted.command else text


def _auth(wanted: Wanted, newline: str) -> str:
    auth = block(wanted)["auth"]
    lines = [f"[model_providers.{PROVIDER}.auth]", *(f"{name} = {_toml(value)}" for name, value in auth.items())]
    return "".join(f"{line}{newline}" for line in lines)


def _expected(settings: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    result: dict[str, Any] = copy.deepcopy(dict(settings))
    result |= {"model": wanted.model, "model_provider": PROVIDER}
    providers = result.setdefault("model_providers", {})
    providers[PROVIDER] = {**_foreign(settings), **block(wanted)}
    return result


def _gap(text: str, newline: str) -> str:
    """What to put between a text and a table after it: a blank line."""
    if not text.removeprefix(BOM):
        return ""
    return newline if text.endswith("\n") else newline * 2


def _newline(text: str) -> str:
    crlf = text.count("\r\n")
    return "\r\n" if crlf and crlf * 2 >= text.count("\n") else "\n"


def _toml(value: Any, key: bool = False) -> str:
    if isinstance(value, str):
        plain = key and value.isascii() and value.replace("-", "").replace("_", "").isalnum()
        return value if plain else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _inline(value) if value else "{}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _inline(table: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(f'{_toml(name, key=True)} = {_toml(value)}' for name, value in table.items())} }}"
