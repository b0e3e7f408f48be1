"""Arguments mended while they arrive: pitfall 47."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.protocols.mender import Mender
from axonhub_cli.protocols.schema import repair_arguments
from tests.protocols.test_schema import SCHEMA

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**20) | st.floats(-1e4, 1e4).map(round).map(float) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], 'q"\\']), inner)
    ),
    max_leaves=12,
)


def mended(arguments: str, cuts: list[int]) -> str:
    mender, pieces, before = Mender(SCHEMA), [], 0
    for cut in sorted(cut % (len(arguments) + 1) for cut in cuts):
        pieces.append(mender.feed(arguments[before:cut]))
        before = cut
    return "".join([*pieces, mender.feed(arguments[before:]), mender.close()])


@given(VALUES, st.sampled_from([None, 1]), st.lists(st.integers(0, 10**6)))
def test_any_cut_gives_what_the_whole_does(value: Any, indent: int | None, cuts: list[int]) -> None:
    arguments = json.dumps(value, indent=indent)
    repaired = repair_arguments(arguments, SCHEMA)
    assert mended(arguments, cuts) == mended(arguments, [])
    assert json.loads(mended(arguments, cuts)) == json.loads(repaired)


@given(st.text(alphabet='{}[]:,"\\ 1.a\n'), st.lists(st.integers(0, 10**6)))
def test_broken_json_reads_the_same_however_it_is_cut(arguments: str, cuts: list[int]) -> None:
    assert mended(arguments, cuts) == mended(arguments, [])


@pytest.mark.parametrize(
    ("arguments", "at_once"),
    [
        ('{"id": "a te', '{"id": "a te'),
        ('{"id": "a \\', '{"id": "a '),
        ('{"id": "a \\u00', '{"id": "a \\u00'),
        ('{"id": 1', '{"id": '),
        ('{"i', "{"),
        ('{"' + "i" * 2000, '{"' + "i" * 2000),
    ],
)
def test_only_what_may_change_waits(arguments: str, at_once: str) -> None:
    mender = Mender(SCHEMA)
    assert mender.feed(arguments) == at_once
    assert at_once + mender.close() in (arguments, '{"id": "1"')


def test_without_a_schema_nothing_changes() -> None:
    assert Mender(None).feed('{"id": 4.0, "x": [1.0 ]}') == '{"id": 4.0, "x": [1.0 ]}'
