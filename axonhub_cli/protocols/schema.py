"""JSON schemas: of tools, made fit for strict vendors; arguments made fit for them; of answers, told in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

_ONLY_JSON = "Answer with one JSON value and nothing else: no prose, no code fence."
# Keys of the Responses API at a schema's own level; other vendors refuse them or act on them (pitfall 5).
_ANNOTATIONS = frozenset({"encrypted", "defer_loading"})
_WORDS = tuple(b'"%b":' % name.encode() for name in sorted(_ANNOTATIONS))
_ONE = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
)
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_NODES = 20_000  # schemas looked at in one tool; what lies beyond stays as it is
_DEPTH = 60
_UNIONS = ("anyOf", "oneOf", "allOf", "$ref")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # keeps every digit
_ENCODER = msgspec.json.Encoder(decimal_format="number")

Schema = Mapping[str, Any]


def in_words(schema: Mapping[str, Any] | None) -> str:
    """What asks a model for JSON, where its upstream checks no format; of a schema where there is one."""
    if schema is None:
        return _ONLY_JSON
    return f"{_ONLY_JSON}\nIt must match this JSON schema:\n{msgspec.json.encode(schema, order='sorted').decode()}"


def parameters(schema: Schema | None) -> dict[str, Any]:
    """A function's parameters as every vendor takes them: `object_root` of `strip_annotations`."""
    return object_root(strip_annotations(schema) if schema else None)


def object_root(schema: Schema | None) -> dict[str, Any]:
    """The schema with `{"type": "object", "properties": …}` at its root (pitfall 4).

    A root `$ref` into the schema itself is followed; alternatives are merged into optional properties, so that
    everything they allow stays allowed. Anything that is no object becomes one without properties.
    """
    root = dict(schema or {})
    kind = root.get("type")
    if kind == "object" and not any(key in root for key in _UNIONS) and isinstance(root.get("properties"), dict):
        return root
    if kind not in ("object", None) and not (isinstance(kind, list) and "object" in kind):
        return {"type": "object", "properties": {}}
    properties, required = _members(root, root, 0)
    known = {*_UNIONS, "type", "properties", "required"}
    result: dict[str, Any] = {"type": "object", "properties": properties}
    result |= {key: value for key, value in root.items() if key not in known}
    if required:
        result["required"] = required
    return result


def strip_annotations(schema: Schema) -> dict[str, Any]:
    """A copy (shallow where there is nothing to take out) without the Responses API's own annotations; a property that
    bears such a name stays (pitfall 5)."""
    root = dict(schema)
    if not _annotated(schema):
        return root
    pending = [root]
    budget = _NODES
    while pending and budget:
        node = pending.pop()
        budget -= 1
        for key in _ANNOTATIONS.intersection(node):
            del node[key]
        for container, place in _children(node):
            child = dict(container[place])
            container[place] = child
            pending.append(child)
    return root


def repair_arguments(arguments: str, schema: Schema | None) -> str:
    """Arguments whose numbers and strings have the type their schema asks for, where that loses nothing (pitfall 47):
    1000.0 for an integer becomes 1000, 4 for a string "4". Unions, references and broken JSON stay as they are."""
    if not schema:
        return arguments
    try:
        value = _DECODER.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError, ArithmeticError):
        return arguments
    repaired = _repair(value, schema, 0)
    return arguments if repaired is value else _ENCODER.encode(repaired).decode()


def below(schema: Any, key: str | None) -> Any:
    """What a schema that `repair_arguments` looks into says of the property `key`, or of a list's items."""
    if not isinstance(schema, Mapping) or any(union in schema for union in _UNIONS):
        return None
    kind = schema.get("type")
    if key is None:
        return schema.get("items") if kind == "array" else None
    properties = schema.get("properties") if kind in ("object", None) else None
    other = schema.get("additionalProperties") if kind in ("object", None) else None
    return properties.get(key, other) if isinstance(properties, Mapping) else other


def _annotated(schema: Schema) -> bool:
    """Whether one of the words occurs anywhere: writing JSON is many times faster than looking at each schema."""
    try:
        text = msgspec.json.encode(schema)
    except (UnicodeEncodeError, RecursionError):
        return True
    return any(word in text for word in _WORDS)


def _children(node: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """(container, place) of each schema below; containers are fresh copies, so that the caller's stay untouched."""
    for key in _ONE:
        if isinstance(node.get(key), dict):
            yield node, key
    for key in _MANY:
        if isinstance(node.get(key), list):
            node[key] = copy = list(node[key])
            yield from ((copy, place) for place, item in enumerate(copy) if isinstance(item, dict))
    for key in _NAMED:
        if isinstance(node.get(key), dict):
            node[key] = named = dict(node[key])
            yield from ((named, name) for name, item in named.items() if isinstance(item, dict))


def _members(node: Schema, root: Schema, depth: int) -> tuple[dict[str, Any], list[str]]:
    """Properties and required names of an object schema, those of its parts included."""
    if depth > 8:
        return {}, []
    properties = node.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    required = [name for name in _items(node, "required") if isinstance(name, str)]
    parts = [part for part in _items(node, "allOf") if isinstance(part, dict)]
    if isinstance(target := _resolve(node.get("$ref"), root), dict):
        parts.append(target)
    for part in parts:
        more, names = _members(part, root, depth + 1)
        properties = _merge(properties, more)
        required += [name for name in names if name not in required]
    for key in ("anyOf", "oneOf"):
        choices = [_members(part, root, depth + 1) for part in _items(node, key) if isinstance(part, dict)]
        for more, _ in choices:
            properties = _merge(properties, more)
        if choices:
            common = set.intersection(*(set(names) for _, names in choices))
            required += sorted(common.difference(required))
    return properties, required


def _items(node: Schema, key: str) -> list[Any]:
    value = node.get(key)
    return value if isinstance(value, list) else []


def _merge(known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Two sets of properties; one that both describe differently may be either."""
    merged = {**more, **known}
    for name in known.keys() & more.keys():
        if known[name] != more[name]:
            first = known[name]
            choices = first["anyOf"] if isinstance(first, dict) and list(first) == ["anyOf"] else [first]
            merged[name] = {"anyOf": choices if more[name] in choices else [*choices, more[name]]}
    return merged


def _resolve(reference: Any, root: Schema) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node: Any = root
    for step in reference[2:].split("/"):
        node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node


def _repair(value: Any, schema: Any, depth: int) -> Any:
    """The same object where nothing had to change."""
    if depth > _DEPTH or not isinstance(schema, Mapping) or any(key in schema for key in _UNIONS):
        return value
    kind = schema.get("type")
    match value:
        case dict() if kind in ("object", None):
            return _repair_object(value, schema, depth)
        case list() if kind == "array":
            items = [_repair(item, schema.get("items"), depth + 1) for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        case Decimal() if kind == "integer" and abs(value.adjusted()) < 19 and value == value.to_integral_value():
            return int(value)
        case int() if kind == "string" and not isinstance(value, bool):
            return str(value)
        case _:
            return value


def _repair_object(value: dict[str, Any], schema: Schema, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    other = schema.get("additionalProperties")
    fields = {name: _repair(item, properties.get(name, other), depth + 1) for name, item in value.items()}
    return value if all(fields[name] is value[name] for name in value) else fields
