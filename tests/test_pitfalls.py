"""docs/pitfalls.md lists each pitfall once, with a test that exists or with a reason."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "pitfalls.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| (.*) \|$", DOC, re.MULTILINE)
LAST = 181
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
REASON = re.compile(r"does not apply: \w[^|`]{20,}\.$")
MENTION = re.compile(r"pitfalls?[ _](\d+(?:(?:-| to |, and |, | and )\d+)*)", re.IGNORECASE)


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def mentions(folder: str):
    """Where a pitfall is called by its number: file and number. Build folders and fetched clients are left out."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if ".cache" not in path.parts:
            for run in MENTION.findall(path.read_text()):
                yield from ((path.relative_to(ROOT), int(number)) for number in re.findall(r"\d+", run))


def test_every_number_is_there_once_and_in_order():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, LAST + 1))
    titles = [title for _, title, _ in ROWS]
    assert len(set(titles)) == len(titles)
    assert len(re.findall(r"^\| \d", DOC, re.MULTILINE)) == LAST  # no row in another shape


@pytest.mark.parametrize(("number", "cell"), [row[::2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_row_has_tests_that_exist_or_a_reason(number, cell):
    pieces = cell.split("<br>")
    named = [found for piece in pieces if (found := TEST.fullmatch(piece))]
    rest = [piece for piece in pieces if not TEST.fullmatch(piece)]
    assert len(rest) <= 1 and all(REASON.fullmatch(piece) for piece in rest), (number, rest)
    assert len({found[0] for found in named}) == len(named)
    for path, name in (found.groups() for found in named):
        assert name in functions_of(path), f"{number}: {path} has no {name}"


@pytest.mark.parametrize("folder", ["axonhub_cli", "tests"])
def test_every_number_that_is_named_is_on_the_list(folder):
    found = list(mentions(folder))
    assert len(found) > 100
    assert [(str(path), number) for path, number in found if not 1 <= number <= LAST] == []
