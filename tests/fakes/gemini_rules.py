"""What Google's Gemini API refuses, in its own words where a report of them is known.

https://ai.google.dev/api/generate-content, /api/caching#Schema, /gemini-api/docs/{function-calling,thinking,
thought-signatures,structured-output,image-understanding}, and issues of google-gemini/gemini-cli 3814, 5450, 13467,
26486; simonw/llm-gemini 130.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.genai import types

from tests.fakes.gemini_tools import TOLD, choice_faults, schema_faults, tool_faults
from tests.fakes.gemini_types import Wire, read
from tests.fakes.script import Fault

JSON = dict[str, Any]
SENTINEL = "skip_thought_signature_validator"
MIME = {
    *("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf", "text/plain"),
    *("audio/wav", "audio/mp3", "audio/mpeg", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac"),
    *("video/mp4", "video/mpeg", "video/webm", "video/quicktime"),
}


@dataclass(frozen=True)
class Model:
    """One model's ways. `budget`: the least and most tokens of thought; `levels`: the words it takes."""

    name: str
    budget: tuple[int, int] = (0, 24576)
    levels: tuple[str, ...] = ()
    signed: bool = False  # calls must come back with their signatures

    @property
    def old(self) -> bool:
        return not self.levels


_ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
MODELS = {
    model.name: model
    for model in (
        Model("gemini-3-pro-preview", (128, 32768), ("LOW", "HIGH"), signed=True),
        Model("gemini-3.1-pro-preview", (128, 32768), ("LOW", "MEDIUM", "HIGH"), signed=True),
        Model("gemini-3-flash-preview", (0, 24576), _ALL, signed=True),
        Model("gemini-3.1-flash-lite", (0, 24576), _ALL, signed=True),
        Model("gemini-2.5-pro", (128, 32768)),
        Model("gemini-2.5-flash"),
        Model("gemini-2.5-flash-lite", (512, 24576)),
        Model(
            "claude-opus-4-8", (1024, 32000), _ALL
        ),  # as relays serve it; there is no stand-in for Claude (pitfall 89)
    )
}


@dataclass(frozen=True)
class Made:
    """What a signature was given for: `text`, or a call and its name; and what was thought."""

    kind: str
    name: str = ""
    thought: str = ""


def judge(body: JSON, model: Model, made: Mapping[str, Made]) -> Fault | None:
    """The refusal Google would send, if any. `made`: the signatures this server gave."""
    wire = read(body)
    if isinstance(wire, str):
        return Fault(400, wire)
    rules = (
        *(_contents(wire), _turns(wire), _pairs(wire), tool_faults(wire, model.old), choice_faults(wire)),
        *(_config(wire, model), _thinking(wire, model), _signatures(body, wire, model, made)),
    )
    return next((Fault(400, message) for complaints in rules for message in complaints), None)


def _contents(wire: Wire) -> Iterator[str]:
    if not wire.contents:
        yield f"{TOLD}contents: contents is not specified"
    for at, content in enumerate(wire.contents):
        if content.role not in ("user", "model"):
            yield "Please use a valid role: user, model."
        if not content.parts:
            yield f"{TOLD}contents[{at}].parts: contents.parts must not be empty."
        for number, part in enumerate(content.parts or ()):
            yield from _part(part, f"contents[{at}].parts[{number}]")
    if wire.system_instruction is not None:
        if not wire.system_instruction.parts:
            yield f"{TOLD}system_instruction.parts: contents.parts must not be empty."
        for number, part in enumerate(wire.system_instruction.parts or ()):
            if not part.text:
                yield f"{TOLD}system_instruction.parts[{number}]: system instructions are text."


_DATA = ("text", "inline_data", "file_data", "function_call", "function_response", "executable_code")


def _part(part: types.Part, where: str) -> Iterator[str]:
    there = [name for name in (*_DATA, "code_execution_result") if getattr(part, name) is not None]
    bare = there == ["text"] and not part.text and part.thought_signature is None
    if len(there) != 1 or bare:
        yield f"{TOLD}{where}.data: required oneof field 'data' must have one initialized field"
    if part.inline_data is not None:
        yield from _blob(part.inline_data.mime_type, part.inline_data.data)
    for name in ("function_call", "function_response"):
        if (one := getattr(part, name)) is not None and not one.name:
            yield f"{TOLD}{where}.{name}.name: Name cannot be empty."
    if part.function_response is not None:
        if part.function_response.response is None and not part.function_response.parts:
            yield f"{TOLD}{where}.function_response.response: Response cannot be empty."
        for inner in part.function_response.parts or ():
            if inner.inline_data is not None:
                yield from _blob(inner.inline_data.mime_type, inner.inline_data.data)


def _blob(mime: str | None, data: bytes | None) -> Iterator[str]:
    if mime not in MIME:
        yield f"Unsupported MIME type: {mime}"
    if not data:
        yield "Unable to process input image. Please retry or report in the Gemini API forum."


def _calls(content: types.Content) -> list[types.FunctionCall]:
    return [part.function_call for part in content.parts or () if part.function_call is not None]


def _responses(content: types.Content) -> list[types.FunctionResponse]:
    return [part.function_response for part in content.parts or () if part.function_response is not None]


def _turns(wire: Wire) -> Iterator[str]:
    if wire.contents[0].role == "model":
        if _calls(wire.contents[0]):
            yield CALL_TURN
        yield "Please ensure that multiturn requests alternate between user and model."
    for content in wire.contents:
        if (content.role == "user" and _calls(content)) or (content.role == "model" and _responses(content)):
            yield RESPONSE_TURN if _responses(content) else CALL_TURN


CALL_TURN = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_TURN = "Please ensure that function response turn comes immediately after a function call turn."
COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)


def _pairs(wire: Wire) -> Iterator[str]:
    """All responses to a turn's calls are in the content directly behind it, one for each, by name."""
    for at, content in enumerate(wire.contents):
        before = wire.contents[at - 1] if at else None
        calls, responses = _calls(content), _responses(content)
        if calls and before is not None and before.role == "model":
            yield CALL_TURN
        if responses and (before is None or not _calls(before)):
            yield RESPONSE_TURN
        if calls and at + 1 < len(wire.contents):
            answers = _responses(wire.contents[at + 1])
            if len(answers) != len(calls):
                yield COUNT
            if sorted(str(call.name) for call in calls) != sorted(str(answer.name) for answer in answers):
                given = [answer.name for answer in answers]
                yield f"The function responses {given} are to other names than {[call.name for call in calls]}."
            ids = {call.id for call in calls if call.id}
            if any(answer.id and ids and answer.id not in ids for answer in answers):
                yield "The id of a function response is none of the function calls' ids."
        elif calls:
            yield COUNT


def _config(wire: Wire, model: Model) -> Iterator[str]:
    config = wire.generation_config or types.GenerationConfig()
    json_answer = config.response_mime_type == "application/json"
    if config.response_mime_type not in (None, "text/plain", "application/json", "text/x.enum"):
        yield f"{TOLD}generation_config.response_mime_type: allowed mimetypes are `text/plain`, `application/json`."
    if config.response_schema is not None:
        yield from schema_faults(config.response_schema, "generation_config.response_schema")
        if config.response_json_schema is not None:
            yield "Only one of response_schema and response_json_schema can be set."
    if (config.response_schema is not None or config.response_json_schema is not None) and not json_answer:
        yield f"{TOLD}generation_config.response_schema: only supported with response mime type `application/json`"
    if json_answer and model.old and any(tool.function_declarations for tool in wire.tools or ()):
        yield "Function calling with a response mime type: 'application/json' is unsupported"
    if not 0 <= (config.temperature or 0) <= 2:
        yield f"{TOLD}generation_config.temperature: temperature must be in the range [0.0, 2.0]."
    if not 0 <= (config.top_p or 0) <= 1:
        yield f"{TOLD}generation_config.top_p: top_p must be in the range [0.0, 1.0]."
    if config.max_output_tokens is not None and config.max_output_tokens < 1:
        yield f"{TOLD}generation_config.max_output_tokens: max_output_tokens must be positive."
    if len(config.stop_sequences or ()) > 5:
        yield f"{TOLD}generation_config.stop_sequences: at most 5 stop sequences are allowed."
    if not 1 <= (config.candidate_count or 1) <= 8:
        yield f"{TOLD}generation_config.candidate_count: candidate_count must be in the range [1, 8]."
    if config.logprobs is not None and not config.response_logprobs:
        yield "logprobs is only allowed when response_logprobs is set."


def _thinking(wire: Wire, model: Model) -> Iterator[str]:
    config = wire.generation_config.thinking_config if wire.generation_config else None
    if config is None:
        return
    budget, level = config.thinking_budget, config.thinking_level
    if budget is not None and level is not None:
        yield "You can only set only one of thinking budget and thinking level."
    if level is not None and model.old:
        yield "Thinking level is not supported for this model."
    elif level is not None and level.name not in model.levels:
        yield (f"Thinking level {level.name} is not supported for this model. Please retry with other thinking level.")
    if budget is None or budget == -1:
        return
    least, most = model.budget
    if budget == 0 and least == 128:
        yield "Budget 0 is invalid. This model only works in thinking mode."
    if budget and not least <= budget <= most:
        yield f"The thinking budget {budget} is invalid. Please choose a value between {least} and {most}."


def _signatures(body: JSON, wire: Wire, model: Model, made: Mapping[str, Made]) -> Iterator[str]:
    """As given, on the part they were given for; on the first call of each step since the user last spoke."""
    start = max((at for at, one in enumerate(wire.contents) if one.role == "user" and not _responses(one)), default=0)
    for at, content in enumerate(body["contents"]):
        called = False
        for part in content["parts"]:
            signature = part.get("thoughtSignature", part.get("thought_signature"))
            call = part.get("functionCall", part.get("function_call"))
            if signature is not None and signature != SENTINEL and not _belongs(made.get(signature), call):
                yield "Corrupted thought signature."
            if call is not None and not called and signature is None and at >= start and model.signed:
                yield (
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools "
                    "to work correctly, and missing thought_signature may lead to degraded model performance. "
                    f"Additional data, function call `default_api:{call['name']}` , position {at + 1}. Please refer "
                    "to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
                )
            called = called or call is not None


def _belongs(origin: Made | None, call: JSON | None) -> bool:
    if origin is None:
        return False
    if call is None:
        return origin.kind == "text"
    return (origin.kind, origin.name) == (
        "call",
        call["name"],
    )  # not the arguments: Claude Code adds defaults to its own
