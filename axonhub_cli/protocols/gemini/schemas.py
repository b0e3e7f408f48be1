"""Function parameters in Gemini's subset of JSON schemas; only ever run on schemas, never on arguments (pitfall 92).

https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.protocols.schema import object_root

Schema = Mapping[str, Any]

NO_ITEMS = "items"  # a list that does not say of what is one of strings: Gemini insists
_PLAIN = (
    *("title", "description", "format", "pattern", "minimum", "maximum", "minItems", "maxItems"),
    *("minLength", "maxLength", "minProperties", "maxProperties", "propertyOrdering", "nullable"),
)
_READ = frozenset(
    {*_PLAIN, "type", "enum", "const", "items", "prefixItems", "properties", "required"}
    | {"anyOf", "oneOf", "allOf", "$ref", "if", "then", "else", "$defs", "definitions"}
)
SILENT = frozenset({"encrypted", "defer_loading"})  # the Responses API's own marks (pitfall 5)
_FORMATS = {"string": ("enum", "date-time"), "integer": ("int32", "int64"), "number": ("float", "double")}
COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
DEPTH = 40
_NODES = 5_000  # of one tool, references opened


def reduce(schema: Schema) -> tuple[dict[str, Any], set[str]]:
    """A function's parameters in Gemini's subset, and the keywords that had to go.

    References into the schema are opened, once each on a path; `allOf` and conditionals are merged; constants and enums
    become strings. What allows several types stays as wide as the subset can say.
    """
    root = object_root(schema)
    for name in ("$defs", "definitions"):
        if name in schema:
            root[name] = schema[name]
    reducer = _Reducer(root)
    reduced = reducer.node(root, (), 0)
    return reduced, reducer.dropped - SILENT


class _Reducer:
    def __init__(self, root: Schema) -> None:
        self.dropped: set[str] = set()
        self._root = root
        self._nodes = 0

    def node(self, schema: Any, opened: tuple[str, ...], depth: int) -> dict[str, Any]:
        """One schema. `opened` are the references that led here."""
        self._nodes += 1
        if not isinstance(schema, Mapping):
            return {"type": "string"}
        if depth > DEPTH or self._nodes > _NODES:
            return {"type": _type_name(schema) or "object"}
        schema, opened = self._merged(_as_object(schema), opened, 0)
        self.dropped.update(str(name) for name in schema.keys() - _READ)
        node = {name: schema[name] for name in _PLAIN if name in schema and self._fits(name, schema[name])}
        choices = [item for name in ("anyOf", "oneOf") for item in _list(schema.get(name))]
        if choices:
            return self._union(node, schema, choices, opened, depth)
        self._typed(node, schema)
        if node.get("type") == "object":
            self._object(node, schema, opened, depth)
        elif node.get("type") == "array":
            node["items"] = self._items(schema, opened, depth)
        elif "anyOf" in node:
            node["anyOf"] = [self.node({**schema, "type": kind}, opened, depth + 1) for kind in node["anyOf"]]
        return node

    @staticmethod
    def _fits(name: str, value: Any) -> bool:
        if name == "format":
            return False  # it depends on the type
        kind: Any = str
        if name in COUNTS:
            kind = int
        elif name in ("minimum", "maximum"):
            kind = (int, float)
        elif name == "nullable":
            kind = bool
        elif name == "propertyOrdering":
            kind = list
        return isinstance(value, kind)

    def _merged(self, schema: Schema, opened: tuple[str, ...], depth: int) -> tuple[Schema, tuple[str, ...]]:
        """The schema with its reference, `allOf` and conditionals in it; its own keywords win."""
        parts: list[Any] = []
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in opened and len(opened) < DEPTH:
            opened = (*opened, reference)
            parts.append(self._resolve(reference))
        elif reference is not None:
            self.dropped.add("$ref")
        parts += _list(schema.get("allOf"))
        branches = [schema[name] for name in ("then", "else") if name in schema]
        if (not parts and not branches) or depth > 8:
            return schema, opened
        merged = {name: value for name, value in schema.items() if name not in ("$ref", "allOf", "if", "then", "else")}
        for number, part in enumerate([*parts, *branches]):
            if not isinstance(part, Mapping):
                continue
            other, opened = self._merged(_as_object(part), opened, depth + 1)
            properties = {**_mapping(other.get("properties")), **_mapping(merged.get("properties"))}
            names = [*_list(merged.get("required")), *(_list(other.get("required")) if number < len(parts) else ())]
            merged = {**other, **merged}
            if properties:
                merged["properties"] = properties
            if names:
                merged["required"] = names
        return merged, opened

    def _resolve(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return None
        node: Any = self._root
        for step in filter(None, reference[1:].split("/")):
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
        return node

    def _union(
        self, node: dict[str, Any], schema: Schema, choices: list[Any], opened: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        """Alternatives. Null among them only makes the rest nullable; one that is left stands for itself."""
        real = [choice for choice in choices if not (isinstance(choice, Mapping) and choice.get("type") == "null")]
        if len(real) < len(choices):
            node["nullable"] = True
        if len(real) == 1:
            rest = {name: value for name, value in schema.items() if name not in ("anyOf", "oneOf")}
            return {**self.node({**rest, "allOf": real}, opened, depth + 1), **node}
        if "format" in schema:
            self.dropped.add("format")
        if "properties" in schema:  # a union inside an object: what all alternatives share
            self.dropped.add("anyOf")
            node["type"] = "object"
            self._object(node, schema, opened, depth)
            return node
        written: list[dict[str, Any]] = []
        for choice in real:
            item = self.node(choice, opened, depth + 1)
            if item not in written:
                written.append(item)
        if len(written) == 1:
            return {**written[0], **node}
        if written:
            node["anyOf"] = written
        else:
            node["type"] = "string"
        return node

    def _typed(self, node: dict[str, Any], schema: Schema) -> None:
        """`type`, or `anyOf` of several for now, and `enum`."""
        kind = schema.get("type")
        kinds = [word.lower() for word in (kind if isinstance(kind, list) else [kind]) if isinstance(word, str)]
        if "null" in kinds:
            node["nullable"] = True
            kinds = [word for word in kinds if word != "null"]
        values = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
        if values:
            kinds = [self._enum(node, values, kinds)]
        if len(kinds) > 1:
            node["anyOf"] = kinds
        else:
            node["type"] = kinds[0] if kinds else _inferred(schema)
        if "format" in schema:
            if schema["format"] in _FORMATS.get(node.get("type", ""), ()):
                node["format"] = schema["format"]
            else:
                self.dropped.add("format")

    def _enum(self, node: dict[str, Any], values: list[Any], kinds: list[str]) -> str:
        """Only strings have an `enum`; of another type, what is allowed stands in the description."""
        if None in values:
            node["nullable"] = True
        words = list(dict.fromkeys(_word(value) for value in values if value is not None))
        kind = kinds[0] if len(kinds) == 1 else _shared_type(values)
        if kind == "string":
            if words := list(filter(None, words)):  # an empty one is refused
                node["enum"] = words
        else:
            self.dropped.add("enum")
            node["description"] = " ".join(filter(None, (node.get("description"), f"One of: {', '.join(words)}.")))
        return kind

    def _object(self, node: dict[str, Any], schema: Schema, opened: tuple[str, ...], depth: int) -> None:
        properties = {
            str(name): self.node(value, opened, depth + 1)
            for name, value in _mapping(schema.get("properties")).items()
            if value is not False
        }
        if properties:
            node["properties"] = properties
        required = schema.get("required")
        if required is not None and not isinstance(required, list):
            self.dropped.add("required")
        names = [name for name in dict.fromkeys(filter(_is_text, _list(required))) if name in properties]
        if names:
            node["required"] = names

    def _items(self, schema: Schema, opened: tuple[str, ...], depth: int) -> dict[str, Any]:
        items = schema.get("items")
        tuples = _list(schema.get("prefixItems")) or _list(items)
        if not tuples:
            if items is None:
                self.dropped.add(NO_ITEMS)
            return self.node(items, opened, depth + 1)
        written: list[dict[str, Any]] = []
        for item in tuples:
            one = self.node(item, opened, depth + 1)
            if one not in written:
                written.append(one)
        return written[0] if len(written) == 1 else {"anyOf": written}


def _as_object(schema: Schema) -> Schema:
    """A bare map of properties, as some servers send it, as the object schema it means."""
    if schema and not any(name in schema for name in _READ) and all(isinstance(v, Mapping) for v in schema.values()):
        return {"type": "object", "properties": schema}
    return schema


def _inferred(schema: Schema) -> str:
    if isinstance(schema.get("properties"), Mapping) or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _type_name(schema: Schema) -> str | None:
    kind = schema.get("type")
    return kind.lower() if isinstance(kind, str) and kind.lower() != "array" else None


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _shared_type(values: list[Any]) -> str:
    """The type that all of these have; strings can stand for any mixture."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "integer"
    return "number" if kinds and kinds <= {int, float} else "string"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}
