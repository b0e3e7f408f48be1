"""JSON schemas and Gemini's subset of them; only ever run on schemas, never on arguments (pitfall 92).

https://ai.google.dev/api/caching#Schema (function parameters);
https://ai.google.dev/gemini-api/docs/structured-output#json-schema-support (answers)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.protocols.gemini.fields import camel
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
_SILENT = frozenset({"encrypted", "defer_loading"})  # the Responses API's own marks (pitfall 5)
_FORMATS = frozenset({"enum", "date-time", "float", "double", "int32", "int64"})
_ANSWER_KEYS = frozenset(
    {*("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems")}
    | {*("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties")}
    | {"required", "propertyOrdering"}
)
_BRANCHES = frozenset({"$ref", "allOf", "if", "then", "else"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_SNAKE = frozenset({"any_of", "property_ordering", "min_items", "max_items", "min_length", "max_length"})
_NAMED = ("properties", "$defs", "definitions", "patternProperties")
_DEPTH = 40
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
    if reduced.get("type") != "object":  # a branch has put alternatives there
        reducer.dropped |= root.keys() & _BRANCHES
        reduced = reducer.node({name: value for name, value in root.items() if name not in _BRANCHES}, (), 0)
    return reduced, reducer.dropped - _SILENT


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
        if depth > _DEPTH or self._nodes > _NODES:
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

    def _fits(self, name: str, value: Any) -> bool:
        if name == "format" and value not in _FORMATS:
            self.dropped.add("format")
            return False
        kind: Any = str
        if name in _COUNTS:
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
        if isinstance(reference, str) and reference not in opened and len(opened) < _DEPTH:
            opened = (*opened, reference)
            parts.append(self._resolve(reference))
        elif reference is not None:
            self.dropped.add("$ref")
        parts += _list(schema.get("allOf"))
        branches = [schema[name] for name in ("then", "else") if name in schema]
        if (not parts and not branches) or depth > 8:
            return schema, opened
        merged = {name: value for name, value in schema.items() if name not in _BRANCHES}
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
        written: list[dict[str, Any]] = []
        for choice in real:
            item = self.node(choice, opened, depth + 1)
            if item not in written:
                written.append(item)
        if len(written) == 1:
            return {**written[0], **node}
        if "properties" in schema:  # a union inside an object: what all alternatives share
            self.dropped.add("anyOf")
            node["type"] = "object"
            self._object(node, schema, opened, depth)
            return node
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
            if None in values:
                node["nullable"] = True
            words = [_word(value) for value in values if value is not None]
            node["enum"] = list(dict.fromkeys(words))
            kinds = kinds[:1] or ["string"]
        if len(kinds) > 1:
            node["anyOf"] = kinds
        else:
            node["type"] = kinds[0] if kinds else _inferred(schema)

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


def answer_schema(schema: Schema, depth: int = 0) -> tuple[dict[str, Any], set[str]]:
    """A schema for answers, without the keywords that Gemini does not know there, and their names."""
    written: dict[str, Any] = {}
    dropped: set[str] = set()
    for name, value in schema.items():
        if name == "const":
            written["enum"] = [value]
        elif name not in _ANSWER_KEYS or depth > _DEPTH:
            dropped.add(name)
        elif name in _NAMED and isinstance(value, Mapping):
            written[name] = {key: _answer_child(item, depth, dropped) for key, item in value.items()}
        elif isinstance(value, list) and name in ("anyOf", "oneOf", "prefixItems"):
            written[name] = [_answer_child(item, depth, dropped) for item in value]
        else:
            written[name] = _answer_child(value, depth, dropped) if isinstance(value, Mapping) else value
    return written, dropped - _SILENT


def _answer_child(value: Any, depth: int, dropped: set[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    written, gone = answer_schema(value, depth + 1)
    dropped |= gone
    return written


def json_schema(schema: Any, depth: int = 0) -> Any:
    """Gemini's own form as a JSON schema: types in small letters, `nullable` as a type, counts as numbers."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return schema
    written: dict[str, Any] = {}
    for name, value in schema.items():
        key = camel(str(name)) if str(name) in _SNAKE else str(name)
        if key in _NAMED and isinstance(value, Mapping):
            written[key] = {field: json_schema(item, depth + 1) for field, item in value.items()}
        elif key == "type" and isinstance(value, str):
            written[key] = value.lower()
        elif key in _COUNTS and isinstance(value, str) and value.isdigit():
            written[key] = int(value)
        elif isinstance(value, list) and key == "anyOf":
            written[key] = [json_schema(item, depth + 1) for item in value]
        else:
            written[key] = json_schema(value, depth + 1) if key in ("items", "additionalProperties") else value
    if written.get("nullable") is True and isinstance(written.get("type"), str):
        del written["nullable"]
        written["type"] = [written["type"], "null"]
    return written


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


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}
