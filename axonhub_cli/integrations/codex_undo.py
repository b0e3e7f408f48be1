"""Codex's config.toml without the hub again, whatever else has changed in it since: text in, text out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from axonhub_cli.errors import ConfigError
from axonhub_cli.integrations.codex import BLOCK, PROVIDER, Plan, Wanted, parse
from axonhub_cli.integrations.toml_spans import BOM, Edit, Path, apply, find, loads, same, statements


class Undo(Struct, frozen=True):
    """What removal needs to know of a setup: its edits, with what stood there before."""

    wanted: Wanted
    edits: tuple[Edit, ...]
    before: tuple[str, ...]  # what each edit replaced


def undo_of(text: str, plan: Plan, wanted: Wanted) -> Undo:
    """What to remember to take `plan`, made for `text`, back later."""
    return Undo(wanted, plan.edits, tuple(text[edit.start : edit.end] for edit in plan.edits))


def uninstall(text: str, undo: Undo | None) -> str:
    """The text without our part, whatever else has changed since; the same text where nothing of ours is in it.

    Without `undo` (the receipt is lost) the model's name stays. Raises ConfigError, never guesses.
    """
    expected = _without(parse(text), undo)
    try:
        result = _restored_values(_cut_insertions(text, undo), undo) if undo else text
        result = _cut_rest(result, undo)
        left = loads(result.removeprefix(BOM))
        right = expected is None or same(_tidy(left), _tidy(expected))
    except (ValueError, TypeError, AttributeError):
        right = False
    if not right:
        raise ConfigError(
            "Codex's config.toml has changed in a way that cannot be taken apart safely; nothing was changed",
            f"Take out [model_providers.{PROVIDER}], model_provider and model by hand.",
        )
    return result


def _without(settings: Mapping[str, Any], undo: Undo | None) -> dict[str, Any] | None:
    """The settings that removal should leave; None where our table was not ours alone and anything may stay."""
    result: dict[str, Any] = copy.deepcopy(dict(settings))
    old = _old_values(undo)
    if any(path[:2] == BLOCK for path in old) or _had_block(undo):
        return None
    providers = result.get("model_providers")
    if isinstance(providers, dict):
        providers.pop(PROVIDER, None)
    if result.get("model_provider") == PROVIDER:
        _put_back(result, "model_provider", old)
    if undo and result.get("model") == undo.wanted.model and _touched(undo, "model"):
        _put_back(result, "model", old)
    return result


def _tidy(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "model_providers" or value}


def _put_back(settings: dict[str, Any], name: str, old: Mapping[Path, str]) -> None:
    if (name,) in old:
        settings[name] = loads(f"k = {old[(name,)]}")["k"]
    else:
        settings.pop(name)


def _touched(undo: Undo, name: str) -> bool:
    return any(edit.path == (name,) or (edit.path is None and f"{name} = " in edit.new) for edit in undo.edits)


def _had_block(undo: Undo | None) -> bool:
    """True where a table of our name stood there before us."""
    if undo is None:
        return False
    return not any(map(_is_block, undo.edits))


def _is_block(edit: Edit) -> bool:
    return edit.path is None and PROVIDER in edit.new and "base_url" in edit.new


def _old_values(undo: Undo | None) -> dict[Path, str]:
    if undo is None:
        return {}
    return {edit.path: before for edit, before in zip(undo.edits, undo.before, strict=True) if edit.path is not None}


def _cut_insertions(text: str, undo: Undo) -> str:
    """Takes out, to the byte, what we put in and nobody has touched."""
    for edit in undo.edits:
        if edit.path is not None or not edit.new or text.count(edit.new) != 1:
            continue
        position = text.index(edit.new)
        first_table = next((one.start for one in statements(text) if one.value is None), len(text))
        if _is_block(edit) or position + len(edit.new) <= first_table:
            text = _joined(text[:position], text[position + len(edit.new) :], edit.new)
    return text


def _joined(head: str, rest: str, cut: str) -> str:
    """What stood around `cut`. A last line that had no end needs one where others have written on below ours."""
    written_on = cut.endswith("\n") and rest and not rest.startswith(("\n", "\r\n"))
    if not written_on or not head.removeprefix(BOM) or head.endswith("\n"):
        return head + rest
    return head + ("\r\n" if cut.endswith("\r\n") else "\n") + rest


def _restored_values(text: str, undo: Undo) -> str:
    """Puts back the values we replaced, where ours still stand."""
    found = statements(text)
    edits = []
    for edit, before in zip(undo.edits, undo.before, strict=True):
        statement = find(found, edit.path) if edit.path else None
        if statement and statement.value and _means(text[slice(*statement.value)], edit.new):
            edits.append(Edit(*statement.value, before))
    return apply(text, edits)


def _means(one: str, other: str) -> bool:
    """Whether two spellings are the same value."""
    return same(loads(f"k = {one}"), loads(f"k = {other}"))


def _cut_rest(text: str, undo: Undo | None) -> str:
    """Takes out whole statements of ours that were changed, or moved, since."""
    settings, old = parse(text), _old_values(undo)
    edits: list[Edit] = []
    for one in statements(text):
        ours = one.path[:2] == BLOCK and not _had_block(undo)
        ours |= one.path == ("model_provider",) and settings.get("model_provider") == PROVIDER and one.path not in old
        if undo and one.path == ("model",) and one.path not in old and _touched(undo, "model"):
            ours |= settings.get("model") == undo.wanted.model
        if ours:
            edits.append(Edit(one.start, one.end, ""))
        elif one.path == ("model_provider",) and one.value and settings.get("model_provider") == PROVIDER:
            edits.append(Edit(*one.value, old[one.path]))
    return apply(text, edits)
