"""Rules on the command line: --map and --map-regex in the order they stand there, and edits of single rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
import typer.core

from axonhub_cli.cli.checks import split_pair
from axonhub_cli.cli.text import cut, visible
from axonhub_cli.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from axonhub_cli.entities import Rule

_ORDER = "axonhub.rules"
_OPTIONS = {"map_rule": "--map", "map_regex": "--map-regex"}
_NUMBER = re.compile(r"[0-9]{1,9}")
_MOVE = re.compile(rf"(.+):({_NUMBER.pattern})")


class OrderedCommand(typer.core.TyperCommand):
    """Remembers in which order --map and --map-regex were given, which Typer hands over as two lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, and leaves the names of the two options in the context, in order."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        _, _, order = self.make_parser(ctx).parse_args(given)
        ctx.meta[_ORDER] = tuple(param.name for param in order if param.name in _OPTIONS)
        return rest


def rules_in_order(ctx: typer.Context, exact: Sequence[str] | None, regex: Sequence[str] | None) -> tuple[Rule, ...]:
    """The rules as the person wrote them, first to last. For a command with `OrderedCommand`."""
    values = {"map_rule": iter(exact or ()), "map_regex": iter(regex or ())}
    return tuple(_rule(next(values[name]), name) for name in ctx.meta.get(_ORDER, ()))


def edit_rules(
    rules: Sequence[Rule],
    added: Sequence[Rule],
    *,
    drop: Sequence[str],
    disable: Sequence[str],
    enable: Sequence[str],
    move: Sequence[str],
    at: int | None,
) -> tuple[Rule, ...]:
    """`rules` after the edits: first disable and enable, then drop, then add (at position `at`, or at the end),
    then move. A rule is named by its number as `profile show` counts, before any edit, or by its left side."""
    from msgspec.structs import replace

    slots: list[Rule | None] = list(rules)
    for wanted, state in (*((name, False) for name in disable), *((name, True) for name in enable)):
        index = _find(rules, wanted)
        slots[index] = replace(rules[index], enabled=state)
    moves = [_parse_move(rules, text) for text in move]
    marked = {index: slots[index] for index, _ in moves}
    for wanted in drop:
        slots[_find(rules, wanted)] = None
    result = [rule for rule in slots if rule is not None]
    place = len(result) if at is None else _position(at, len(result) + 1)
    result[place:place] = added
    for index, target in moves:
        rule = marked[index]
        if rule is None or not any(each is rule for each in result):
            raise UsageError(f"rule {index + 1} cannot be moved: it is dropped", "give one of --move and --drop")
        result = [each for each in result if each is not rule]
        result.insert(_position(target, len(result) + 1), rule)
    return tuple(result)


def _rule(text: str, name: str) -> Rule:
    from axonhub_cli.entities import Rule

    regex = name == "map_regex"
    example = "'gpt-5.*=deepseek-chat'" if regex else "gpt-5=deepseek-chat"
    # A pattern may hold `=`, a model name may not: the last one divides.
    left, sign, right = text.rpartition("=") if regex else text.partition("=")
    if not sign:
        split_pair(text, _OPTIONS[name], example)
    if not left.strip() or not right.strip():
        raise typer.BadParameter(
            f"{visible(text)!r} needs a name on both sides of `=`; write {_OPTIONS[name]} {example}",
            param_hint=_OPTIONS[name],
        )
    return Rule(left.strip(), right.strip(), regex=regex)


def _find(rules: Sequence[Rule], wanted: str) -> int:
    named = [index for index, rule in enumerate(rules) if rule.pattern == wanted]
    if named:
        return named[0]
    if _NUMBER.fullmatch(wanted) and 1 <= int(wanted) <= len(rules):
        return int(wanted) - 1
    have = ", ".join(f"{number} {rule.pattern}" for number, rule in enumerate(rules, 1)) or "none"
    raise NotFoundError(f"there is no rule {cut(wanted, 80)!r}", f"its rules: {have}")


def _parse_move(rules: Sequence[Rule], text: str) -> tuple[int, int]:
    found = _MOVE.fullmatch(text)
    if not found:
        raise typer.BadParameter(
            f"{cut(text, 80)!r} does not say where to; write RULE:POSITION, for example 3:1", param_hint="--move"
        )
    return _find(rules, found.group(1)), int(found.group(2))


def _position(number: int, last: int) -> int:
    if not 1 <= number <= last:
        raise UsageError(f"there is no position {number}", f"positions are 1 to {last}")
    return number - 1
