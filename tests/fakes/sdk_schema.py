"""Judges a request by the official SDK's own types: exact types, and no key those types do not know."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_count_tokens_params as beta_message_count_tokens_params
from anthropic.types.beta import message_create_params as beta_message_create_params
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, ValidationError

TYPES: dict[tuple[str, bool], Any] = {
    ("chat", True): CompletionCreateParamsStreaming,
    ("chat", False): CompletionCreateParamsNonStreaming,
    ("responses", True): ResponseCreateParamsStreaming,
    ("responses", False): ResponseCreateParamsNonStreaming,
    ("messages", True): message_create_params.MessageCreateParamsStreaming,
    ("messages", False): message_create_params.MessageCreateParamsNonStreaming,
    ("count messages", False): message_count_tokens_params.MessageCountTokensParams,
    ("beta count messages", False): beta_message_count_tokens_params.MessageCountTokensParams,
    ("beta messages", True): beta_message_create_params.MessageCreateParamsStreaming,
    ("beta messages", False): beta_message_create_params.MessageCreateParamsNonStreaming,
}


@cache
def validator(kind: str, stream: bool) -> SchemaValidator:
    """A validator of request bodies of a kind of `TYPES`."""
    schema = TypeAdapter(TYPES[kind, stream]).core_schema
    return SchemaValidator(_strict(schema))


def _strict(schema: Any) -> Any:
    """The same schema where no key is extra, where what the SDK calls Iterable is a list, checked at once, and where
    the SDK's own answers, which it takes back as objects, are no dicts."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if isinstance(schema, tuple):
        return tuple(_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "model":
        return {key: value for key, value in schema.items() if key in ("cls", "ref")} | {"type": "is-instance"}
    changed = {key: value if key == "metadata" else _strict(value) for key, value in schema.items()}
    if changed.get("type") == "typed-dict" and "extras_schema" not in changed:
        changed["extra_behavior"] = "forbid"
    if changed.get("type") == "generator":
        changed["type"] = "list"
    return changed


Loc = tuple[int | str, ...]


def faults(kind: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    """(where, what) of everything the SDK's types would not let a caller write."""
    try:
        validator(kind, body.get("stream") is True).validate_python(body, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return list(dict.fromkeys((_path(loc), words) for loc, words in _meant(found)))
    return []


def _meant(found: list[Any]) -> Iterator[tuple[Loc, str]]:
    """What remains without the complaints of union members that the value does not claim to be: those with
    another `type` or `role`, objects, and plain strings where it is something else. Where none remains, it claims
    to be nothing known."""
    others = {fault["loc"][:-1] for fault in found if _claims_another(fault)}
    kept: list[Loc] = []
    for fault in found:
        loc = fault["loc"]
        if any(loc[: len(other)] == other for other in others) or _is_member_of_another_kind(fault):
            continue
        kept.append(loc)
        yield loc, fault["msg"]
    for union in dict.fromkeys(other[:-1] for other in others):
        inside_another = any(union[: len(other)] == other for other in others)
        if not inside_another and not any(loc[: len(union)] == union for loc in kept):
            yield union, "Invalid value: no such type"


def _claims_another(fault: Any) -> bool:
    loc = fault["loc"]
    in_union = len(loc) > 1 and isinstance(loc[-2], str)
    return in_union and loc[-1] in ("type", "role") and fault["type"] == "literal_error"


def _is_member_of_another_kind(fault: Any) -> bool:
    return fault["type"] == "is_instance_of" or (fault["type"] == "string_type" and fault["loc"][-1] == "str")


def _path(loc: Loc) -> str:
    """Keys and indexes only, without the names of union members."""
    steps = [str(step) for step in loc if isinstance(step, int) or (step.islower() and "[" not in step)]
    return ".".join(step for step in steps if step != "str")
