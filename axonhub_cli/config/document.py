"""config.yml as values with their lines. YAML is only read, and only its plain part: no tags, anchors or aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from axonhub_cli.config.problems import Problem, did_you_mean
from axonhub_cli.config.values import KEYS, SECTIONS, Value, refusal, wanted

__all__ = ["Document", "read_document"]

# The C loader is seven times as fast; both know the same YAML.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 16
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})")
_TRUE = frozenset({"true", "yes", "on"})
_TAG = "tag:yaml.org,2002:"
_GOT = {"int": "a number", "float": "a number", "bool": "true/false", "null": "nothing", "timestamp": "a date"}


class Document(Struct, frozen=True):
    """The values by dotted key with the line each is on, and all that is wrong."""

    values: dict[str, Value]
    lines: dict[str, int]
    problems: tuple[Problem, ...]


def read_document(data: bytes) -> Document:
    """Reads all of it and never raises: what cannot be used becomes a Problem."""
    try:
        unsafe = tuple(_unsafe(data))
        root = None if unsafe else yaml.compose(data, Loader=_Loader)
    except yaml.YAMLError as error:
        return Document({}, {}, (_syntax(error, data),))
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        return Document({}, {}, (Problem(1, None, "", f"not readable as YAML: {error}"),))
    if unsafe:
        return Document({}, {}, unsafe)
    walk = _Walk()
    walk.root(root)
    return Document(walk.values, walk.lines, tuple(walk.problems))


def _unsafe(data: bytes) -> Iterator[Problem]:
    """Whatever must not reach the composer: it recurses, and aliases multiply."""
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        mark: Any = event.start_mark
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _DEEPEST:
            yield Problem(mark.line + 1, mark.column + 1, "", "nested too deeply")
            return
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield Problem(mark.line + 1, mark.column + 1, "", "anchors and aliases (& and *) are not supported")
        elif getattr(event, "tag", None):
            yield Problem(mark.line + 1, mark.column + 1, "", "tags (!) are not supported")


def _syntax(error: yaml.YAMLError, data: bytes) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable as YAML"
    if isinstance(error, yaml.reader.ReaderError):
        # A byte that cannot stand in a text; only how many came before it is said.
        return Problem(data.count(b"\n", 0, error.position) + 1, None, "", f"not valid YAML: {reason}")
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, None)
    return Problem(line, column, "", f"not valid YAML: {_reason(reason, data, mark)}")


def _reason(reason: str, data: bytes, mark: Any) -> str:
    """What the parser means, where its own words do not say it."""
    if "another document" in reason:
        return "a second document (---) is not allowed"
    lines = data.splitlines()
    if "cannot start any token" in reason and mark and lines[mark.line : mark.line + 1]:
        indent = lines[mark.line][: mark.column + 1]
        if b"\t" in indent and not indent.strip():
            return "a tab; YAML wants spaces"
    return reason


class _Walk:
    """Compares the tree of nodes with the keys there are."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []

    def root(self, node: yaml.Node | None) -> None:
        if node is None or _is_null(node):
            return
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, "")
        else:
            self._problem(node, "", f"expected sections (server:, traces:, …), got {_got(node)}")

    def _mapping(self, node: yaml.MappingNode, prefix: str) -> None:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            key = prefix + name
            if name in seen:
                self._problem(key_node, key, f"given twice, first in line {seen[name]}")
                continue
            seen[name] = key_node.start_mark.line + 1
            if key in SECTIONS:
                self._section(value_node, key)
            elif key in KEYS:
                self._leaf(value_node, key)
            else:
                self._problem(key_node, key, f"unknown key{_suggestion(prefix, name)}")

    def _section(self, node: yaml.Node, key: str) -> None:
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, f"{key}.")
        elif not _is_null(node):  # a section with every line commented out is empty
            self._problem(node, key, f"expected a section with keys below it, got {_got(node)}")

    def _leaf(self, node: yaml.Node, key: str) -> None:
        value = _value(node, type(KEYS[key]))
        if value is None:
            expected = wanted(key)
            if isinstance(node, yaml.SequenceNode) and isinstance(KEYS[key], tuple):
                node, expected = next(item for item in node.value if _value(item, str) is None), "text"
            quotes = " (put it in quotes)" if expected == "text" and isinstance(node, yaml.ScalarNode) else ""
            self._problem(node, key, f"expected {expected}, got {_got(node)}{quotes}")
            return
        reason = refusal(key, value)
        if reason:
            self._problem(node, key, reason)
            return
        self.values[key] = value
        self.lines[key] = node.start_mark.line + 1

    def _problem(self, node: yaml.Node, key: str, message: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(mark.line + 1, mark.column + 1, key, message))


def _value(node: yaml.Node, kind: type) -> Value | None:
    """The node as a `kind`; None where it is none. Text that YAML takes for something else must be quoted."""
    if kind is tuple:
        if not isinstance(node, yaml.SequenceNode):
            return None
        items = [_value(item, str) for item in node.value]
        return None if None in items else tuple(item for item in items if isinstance(item, str))
    if not isinstance(node, yaml.ScalarNode):
        return None
    tag = node.tag.removeprefix(_TAG)
    if kind is bool:
        return node.value.lower() in _TRUE if tag == "bool" else None
    if kind is int:
        # YAML 1.1 also takes 0x10, 010 and 1:30 for numbers; nobody means them here.
        return int(node.value) if tag == "int" and _INTEGER.fullmatch(node.value) else None
    return node.value if tag == "str" else None


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null"


def _got(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    tag = node.tag.removeprefix(_TAG)
    shown = node.value if len(node.value) <= 60 else node.value[:60] + "…"
    return "nothing" if tag == "null" else f"{_GOT.get(tag, 'text')} {shown!r}"


def _suggestion(prefix: str, name: str) -> str:
    here = {key.removeprefix(prefix).split(".")[0] for key in KEYS if key.startswith(prefix)}
    near = did_you_mean(name, here)
    if near:
        return near
    elsewhere = [key for key in KEYS if key.rsplit(".", 1)[-1] == name]
    return f", did you mean '{elsewhere[0]}'?" if elsewhere else f" (there are: {', '.join(sorted(here))})"
