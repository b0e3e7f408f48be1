"""Schemas and arguments: pitfalls 4, 5, 47."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from axonhub_cli.protocols.schema import object_root, parameters, repair_arguments, strip_annotations

X = {"type": "string"}
Y = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": None}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        ({"type": {}, "required": True, "allOf": 1}, {"type": "object", "properties": {}}),
        ({"required": True, "oneOf": [1]}, {"type": "object", "properties": {}}),
        ({"type": "string"}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"], "properties": {"x": X}}, {"type": "object", "properties": {"x": X}}),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"x": X}, "required": ["x"]}}},
            {
                "type": "object",
                "properties": {"x": X},
                "required": ["x"],
                "$defs": {"a": {"type": "object", "properties": {"x": X}, "required": ["x"]}},
            },
        ),
        ({"$ref": "#"}, {"type": "object", "properties": {}}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
         {"type": "object", "properties": {}, "$defs": {"a": {"$ref": "#/$defs/a"}}}),
        (
            {"oneOf": [{"properties": {"x": X, "y": Y}, "required": ["x", "y"]},
                       {"properties": {"x": Y}, "required": ["x"]}]},
            {"type": "object", "properties": {"x": {"anyOf": [X, Y]}, "y": Y}, "required": ["x"]},
        ),
        (
            {"type": "object", "properties": {"y": Y}, "allOf": [{"properties": {"x": X}, "required": ["x"]}]},
            {"type": "object", "properties": {"x": X, "y": Y}, "required": ["x"]},
        ),
    ],
)  # fmt: skip
def test_the_root_is_an_object(schema: dict[str, Any] | None, expected: dict[str, Any]) -> None:  # pitfall 4
    before = copy.deepcopy(schema)
    assert object_root(schema) == expected
    assert schema == before


def test_a_good_root_is_untouched() -> None:
    schema = {"type": "object", "properties": {"x": X}, "additionalProperties": False, "required": ["x"]}
    assert parameters(schema) == schema


def test_annotations_go_and_names_stay() -> None:  # pitfall 5
    schema = {
        "type": "object",
        "encrypted": True,
        "properties": {
            "encrypted": {"type": "string", "encrypted": True},
            "defer_loading": {"type": "array", "items": {"type": "string", "defer_loading": True}},
            "either": {"anyOf": [{"type": "string", "encrypted": True}, {"enum": [{"encrypted": True}]}]},
        },
        "required": ["encrypted"],
        "default": {"encrypted": "x"},
        "$defs": {"encrypted": {"encrypted": True, "const": {"encrypted": 1}}},
    }
    before = copy.deepcopy(schema)
    assert strip_annotations(schema) == {
        "type": "object",
        "properties": {
            "encrypted": {"type": "string"},
            "defer_loading": {"type": "array", "items": {"type": "string"}},
            "either": {"anyOf": [{"type": "string"}, {"enum": [{"encrypted": True}]}]},
        },
        "required": ["encrypted"],
        "default": {"encrypted": "x"},
        "$defs": {"encrypted": {"const": {"encrypted": 1}}},
    }
    assert schema == before


@pytest.mark.parametrize("key", ["items", "properties", "anyOf"])
def test_a_deep_schema_does_not_overflow(key: str) -> None:  # pitfall 5
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(50_000):
        schema = {key: {"properties": {"x": schema}, "items": schema, "anyOf": [schema]}[key]}
    result = parameters(schema)
    assert result["type"] == "object"
    while schema:  # deep values are freed one by one: freeing them at once would overflow CPython itself
        inner = next(iter(schema.values()))
        schema = inner if key != "anyOf" and isinstance(inner, dict) else {}


SCHEMA = {
    "type": "object",
    "properties": {
        "timeout": {"type": "integer"},
        "id": {"type": "string"},
        "ratio": {"type": "number"},
        "either": {"type": ["integer", "string"]},
        "any": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "list": {"type": "array", "items": {"type": "integer"}},
        "inner": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {},
    },
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"timeout": 120000.0}', '{"timeout":120000}'),
        ('{"timeout": 1e3}', '{"timeout":1000}'),
        ('{"timeout": -2.0}', '{"timeout":-2}'),
        ('{"id": 4}', '{"id":"4"}'),
        ('{"list": [1.0, 2]}', '{"list":[1,2]}'),
        ('{"inner": {"a": 12345678901234567890123}}', '{"inner":{"a":"12345678901234567890123"}}'),
        ('{"id": 4, "ratio": 0.1000000000000000055}', '{"id":"4","ratio":0.1000000000000000055}'),
        ('{"id": 4, "free": 1.0}', '{"id":"4","free":1.0}'),
    ],
)
def test_lossless_repairs(arguments: str, expected: str) -> None:  # pitfall 47
    assert repair_arguments(arguments, SCHEMA) == expected


@pytest.mark.parametrize(
    "arguments",
    ['{"timeout": 1.5}', '{"timeout": "5"}', '{"timeout": 1e40}', '{"id": 4.0}', '{"id": true}', '{"id": null}',
     '{"either": 1.0}', '{"any": 4}', '{"ratio": 1.0}', '{ "timeout" : 1 }', '{"timeout": 1', "", "[1.0]",
     '{"unknown": 1.0}', '{"timeout": 1e9999999999999999999999}'],
)  # fmt: skip
def test_what_is_not_certain_stays(arguments: str) -> None:  # pitfall 47: union types left alone
    assert repair_arguments(arguments, SCHEMA) == arguments
    assert repair_arguments(arguments, None) == arguments
