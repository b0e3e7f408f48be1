"""Gemini's subset of JSON schema; pitfalls 4, 5, 92."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axonhub_cli.protocols.gemini.answer_schemas import answer_schema, json_schema
from axonhub_cli.protocols.gemini.schemas import reduce
from tests.fakes.gemini_tools import schema_faults


def field(schema: Any, **more: Any) -> Any:
    """What becomes of a property."""
    reduced, _ = reduce({"type": "object", "properties": {"p": schema}, **more})
    types.Schema.model_validate(reduced)
    return reduced["properties"]["p"]


TREE = {
    "type": "object",
    "properties": {"v": {"type": "string"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/T"}}},
}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"], "$schema": "x"}, {"nullable": True, "type": "string"}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"const": 3}, {"description": "One of: 3.", "type": "integer"}),
        (
            {"type": "integer", "enum": [1, 2, None], "description": "Level."},
            {"nullable": True, "description": "Level. One of: 1, 2.", "type": "integer"},
        ),
        ({"type": ["integer", "string"], "enum": [1, "auto"]}, {"enum": ["1", "auto"], "type": "string"}),
        ({"enum": [True, "x"]}, {"enum": ["true", "x"], "type": "string"}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array", "prefixItems": [{"type": "string"}] * 2}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "string", "format": "uri", "pattern": "^a"}, {"pattern": "^a", "type": "string"}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
        (
            {"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"type": "null"}]},
            {"nullable": True, "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "object"}),
        (
            {"type": "object", "properties": {"a": {}}, "required": True},
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ),
        ({"path": {"type": "string"}}, {"type": "object", "properties": {"path": {"type": "string"}}}),
        (True, {"type": "string"}),
        (
            {"type": "object", "properties": {"encrypted": {"type": "string", "encrypted": True}}},
            {"type": "object", "properties": {"encrypted": {"type": "string"}}},
        ),
    ],
)
def test_one_field(schema: Any, expected: dict[str, Any]) -> None:
    assert field(schema) == expected


def test_parts_are_merged() -> None:
    both = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}}]
    schema = {
        "type": "object",
        "allOf": both,
        "if": {"properties": {"a": {"const": "x"}}},
        "then": {"properties": {"c": {"type": "integer"}}, "required": ["c"]},
    }
    merged = field(schema)
    assert merged["properties"].keys() == {"a", "b", "c"} and merged["required"] == ["a"]


def test_references_and_cycles() -> None:
    tree = field({"$ref": "#/$defs/T"}, **{"$defs": {"T": TREE}})
    assert tree["properties"]["v"] == {"type": "string"}
    assert tree["properties"]["kids"]["items"]["type"] in ("object", "string")
    assert field({"$ref": "https://elsewhere"}) == {"type": "string"}
    bomb = {
        f"D{n}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/D{n + 1}"} for k in "abcd"}} for n in range(30)
    }
    field({"$ref": "#/$defs/D0"}, **{"$defs": bomb})


def test_dropped_keywords_are_named() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "contentEncoding": "x"}}, "$schema": "y"}
    assert reduce({**schema, "additionalProperties": False})[1] == {
        "contentEncoding",
        "$schema",
        "additionalProperties",
    }
    assert answer_schema({"type": "object", "properties": {"minLength": {"minLength": 1}}}) == (
        {"type": "object", "properties": {"minLength": {}}},
        {"minLength"},
    )


def test_their_form_and_ours() -> None:
    own = {"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": True, "minLength": "2"}}}
    plain = {"type": "object", "properties": {"type": {"type": ["string", "null"], "minLength": 2}}}
    assert json_schema(own) == plain
    assert json_schema(reduce(plain)[0]) == plain


KEYS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "allOf", "$ref", "enum", "required", "then", "const", "nullable", "format"]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(["object", "array", "string", "integer", "date-time", "#", "#/properties"]),
)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ANY, max_size=4))
@example({"then": {"anyOf": [None]}})
@example({"type": "object", "allOf": [{"anyOf": [{"type": "string"}, {"type": "object"}]}]})
@settings(max_examples=200, deadline=None)
def test_anything_becomes_a_schema(schema: dict[str, Any]) -> None:
    reduced, _ = reduce(schema)
    assert not list(schema_faults(types.Schema.model_validate(reduced), "parameters"))
    assert reduced["type"] == "object"
    again, _ = reduce(json_schema(reduced))
    types.Schema.model_validate(again)
