"""Judges a Gemini request by Google's own types, and says what is wrong in the words Google's servers use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any

from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

JSON = dict[str, Any]
# In the SDK's types for Vertex AI only: its converters for the Gemini API raise an error for them.
NOT_HERE = {
    "Blob": {"display_name"},
    "FileData": {"display_name"},
    "FunctionCall": {"partial_args", "will_continue"},
    "GenerationConfig": {"audio_timestamp", "model_selection_config", "routing_config"},
    "FunctionCallingConfig": {"stream_function_call_arguments"},
    "Schema": {"additional_properties", "defs", "ref"},
    "Tool": {"retrieval", "enterprise_web_search", "parallel_ai_search", "exa_ai_search", "mcp_servers"},
}

_NO_LIST = "Proto field is not repeating, cannot start list."


class Wire(BaseModel):
    """The body of generateContent: https://ai.google.dev/api/generate-content."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", val_json_bytes="base64", strict=True
    )

    contents: list[types.Content] = Field(default_factory=list)
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    generation_config: types.GenerationConfig | None = None
    cached_content: str | None = None
    service_tier: types.ServiceTier | None = None
    store: bool | None = None


@cache
def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def read(body: JSON) -> Wire | str:
    """The request as Google's types, or the refusal."""
    try:
        wire = Wire.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        return _words(fault["type"], fault["loc"], fault.get("input"))
    except AttributeError:  # the SDK's enums do not expect lists
        return f"Invalid JSON payload received. {_NO_LIST}"
    return next(_strangers(wire, ()), wire)


def _words(kind: str, loc: tuple[str | int, ...], given: Any) -> str:
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), loc[:-1])
    if isinstance(given, list):
        return f'Invalid JSON payload received. Unknown name "{loc[-1]}"{_at(loc[:-1])}: {_NO_LIST}'
    return f"Invalid value at '{_path(loc)}': {json.dumps(given, default=str)[:80]}"


def _unknown(name: str, loc: tuple[str | int, ...]) -> str:
    return f'Invalid JSON payload received. Unknown name "{name}"{_at(loc)}: Cannot find field.'


def _at(loc: tuple[str | int, ...]) -> str:
    return f" at '{_path(loc)}'" if loc else ""


def _path(loc: tuple[str | int, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{_snake(step)}" for step in loc]
    return "".join(steps).lstrip(".")


def _strangers(value: Any, loc: tuple[str | int, ...]) -> Iterator[str]:
    """Fields that this API does not have, and words the SDK lets through though no enum of its has them."""
    if isinstance(value, Enum):
        if value.name not in type(value).__members__:
            yield f"Invalid value at '{_path(loc)}' ({type(value).__name__}), \"{value.value}\""
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            if name in NOT_HERE.get(type(value).__name__, ()):
                yield _unknown(to_camel(name), loc)
            yield from _strangers(getattr(value, name), (*loc, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strangers(item, (*loc, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _strangers(item, (*loc, at))
