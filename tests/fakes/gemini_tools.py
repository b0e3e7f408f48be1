"""What Google's Gemini API refuses of tools, of their schemas and of the choice among them.

https://ai.google.dev/api/caching#Schema, /gemini-api/docs/function-calling; vercel/ai and browser-use issue 7 for the
words, google-gemini/gemini-cli issue 5450.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.genai import types

from tests.fakes.gemini_types import Wire

TOLD = "* GenerateContentRequest."
FUNCTION_NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$")


def tool_faults(wire: Wire, old: bool) -> Iterator[str]:
    seen: set[str] = set()
    for at, tool in enumerate(wire.tools or ()):
        if not tool.model_fields_set:
            yield f"{TOLD}tools[{at}].tool_type: required one_of 'tool_type' must have one initialized field"
        if tool.function_declarations == []:
            yield f"{TOLD}tools[{at}].function_declarations: must not be empty."
        for number, declared in enumerate(tool.function_declarations or ()):
            where = f"tools[{at}].function_declarations[{number}]"
            yield from _declaration(declared, where)
            if declared.name in seen:
                yield f"Duplicate function declaration found: {declared.name}"
            seen.add(str(declared.name))
    hosted = [tool for tool in wire.tools or () if tool.function_declarations is None]
    mixed = wire.tool_config is not None and wire.tool_config.include_server_side_tool_invocations
    if hosted and seen and (old or not mixed):
        yield "Built-in tools ({google_search}) and Function Calling cannot be combined in the same request."


def _declaration(declared: types.FunctionDeclaration, where: str) -> Iterator[str]:
    if not FUNCTION_NAME.match(declared.name or ""):
        yield (
            f"{TOLD}{where}.name: Invalid function name. Must start with a letter or an underscore. Must be "
            "alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum "
            "length of 128."
        )
    if declared.parameters is not None and declared.parameters_json_schema is not None:
        yield f"{TOLD}{where}: only one of parameters and parameters_json_schema can be set."
    if declared.parameters is not None:
        if declared.parameters.type != types.Type.OBJECT:
            yield f"{TOLD}{where}.parameters.type: schema of function parameters must be of type OBJECT."
        if not declared.parameters.properties:
            yield f"{TOLD}{where}.parameters.properties: should be non-empty for OBJECT type"
        yield from schema_faults(declared.parameters, f"{where}.parameters")
    own = declared.parameters_json_schema
    if own is not None and (not isinstance(own, dict) or own.get("type") != "object"):
        yield f"{TOLD}{where}.parameters_json_schema: must describe an object"


_FORMATS = {
    types.Type.STRING: {"enum", "date-time"},
    types.Type.INTEGER: {"int32", "int64"},
    types.Type.NUMBER: {"float", "double"},
}


def schema_faults(schema: types.Schema, where: str) -> Iterator[str]:
    kind = schema.type
    if kind is None and not schema.any_of:
        yield f"{TOLD}{where}.type: must be specified when not using one_of, any_of or all_of fields"
    if schema.enum is not None and kind is not types.Type.STRING:
        yield f"{TOLD}{where}.enum: only allowed for STRING type"
    if schema.enum is not None and "" in schema.enum:
        yield f"{TOLD}{where}.enum[{schema.enum.index('')}]: cannot be empty"
    if schema.format is not None and schema.format not in _FORMATS.get(kind or types.Type.NULL, ()):
        words = " and ".join(f"'{word}'" for word in sorted(_FORMATS.get(kind or types.Type.NULL, ()), reverse=True))
        yield f"{TOLD}{where}.format: only {words or 'no format'} are supported for {kind and kind.name} type"
    if kind is types.Type.ARRAY and schema.items is None:
        yield f"{TOLD}{where}.items: missing field."
    if schema.items is not None and kind is not types.Type.ARRAY:
        yield f"{TOLD}{where}.items: only allowed for ARRAY type"
    if schema.properties is not None and kind is not types.Type.OBJECT:
        yield f"{TOLD}{where}.properties: only allowed for OBJECT type"
    for at, name in enumerate(schema.required or ()):
        if name not in (schema.properties or ()):
            yield f"{TOLD}{where}.required[{at}]: property is not defined"
    for name, child in (schema.properties or {}).items():
        yield from schema_faults(child, f"{where}.properties[{name}]")
    if schema.items is not None:
        yield from schema_faults(schema.items, f"{where}.items")
    for at, child in enumerate(schema.any_of or ()):
        yield from schema_faults(child, f"{where}.any_of[{at}]")


def choice_faults(wire: Wire) -> Iterator[str]:
    config = wire.tool_config.function_calling_config if wire.tool_config else None
    if config is None:
        return
    names = [str(one.name) for tool in wire.tools or () for one in tool.function_declarations or ()]
    if not names:
        yield "Function calling config is set without function_declarations."
    if config.allowed_function_names is not None:
        if config.mode not in (types.FunctionCallingConfigMode.ANY, types.FunctionCallingConfigMode.VALIDATED):
            yield "allowed_function_names should only be set when function calling mode is ANY or VALIDATED."
        for name in config.allowed_function_names:
            if name not in names:
                yield f"allowed_function_names contains {name!r}, which is not in function_declarations."
