"""An agent's turn by each official SDK on each upstream protocol: history, tools, thinking and pictures go in,
thinking, text and calls come out; structured output is parsed and errors are raised by the SDKs themselves."""

import base64
import json
from types import SimpleNamespace

import anthropic
import openai
import pytest
from google.genai import errors, types
from msgspec.structs import replace
from pydantic import BaseModel

from axonhub_cli.llm.content import ReasoningPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.fold import fold
from axonhub_cli.protocols.registry import PROTOCOLS
from axonhub_cli.protocols.tools import flat_name
from tests.protocols import laws
from tests.protocols.anthropic_messages.helpers import SAMPLING
from tests.server.hub import channel, hub
from tests.server.speakers import TYPES, clients, gemini_chunk, messages_answer
from tests.server.upstreams import Upstream, answers, chat_answer, responses_events

TURNS = {
    "openai_responses": "every-kind-of-call",
    "openai_chat": "interleaved-calls",
    "anthropic_messages": "thinking-and-calls",
    "gemini": "parallel-calls",
}
STREAMS = {stream.codec.name: stream for stream in laws.STREAMS if stream.name == TURNS.get(stream.codec.name)}
# OpenAI's SDK cannot put together a Chat stream that calls a custom tool.
QUIRKS = {name: replace(laws.NATIVE, custom_tools=name != "openai_chat") for name in PROTOCOLS}
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\nnot much of one").decode()


def row(protocol, up):
    url = up.url.removesuffix("/v1") if protocol in ("anthropic_messages", "gemini") else up.url
    options = {"protocol": protocol} if protocol == "openai_responses" else {}
    return channel("up", url, type=TYPES[protocol], options=options)


def plays(stream):
    """A script that gives a fixture, as a stream where one is asked for."""

    async def script(wire):
        if b'"stream":true' in wire.call.body.replace(b" ", b"") or "alt=sse" in wire.call.path:
            await wire.head()
            await wire.chunk(stream.data)
            await wire.end()
        else:
            await wire.answer(200, json.loads(stream.response().read_bytes()))

    return script


def expected(stream):
    answer = fold(laws.decode(stream))
    thoughts = [part.text or "\n\n".join(part.summary) for part in answer.parts if isinstance(part, ReasoningPart)]
    return SimpleNamespace(
        text="".join(part.text for part in answer.parts if isinstance(part, TextPart)),
        thinking="\n\n".join(filter(None, thoughts)),
        calls=[
            (flat_name(part.namespace, part.name), json.loads(part.input))
            for part in answer.parts
            if isinstance(part, ToolCallPart) and part.kind is ToolKind.FUNCTION
        ],
        usage=(answer.usage.input, answer.usage.output),
    )


async def ask_responses(sdk, payload, stream):
    answer = await sdk.openai.responses.create(**payload, stream=stream)
    if stream:
        answer = [event async for event in answer][-1].response
    thoughts = [text.text for item in answer.output if item.type == "reasoning" for text in item.summary]
    return SimpleNamespace(
        text=answer.output_text,
        thinking="\n\n".join(thoughts),
        calls=[
            (flat_name(item.namespace, item.name), json.loads(item.arguments))
            for item in answer.output
            if item.type == "function_call"
        ],
        usage=(answer.usage.input_tokens, answer.usage.output_tokens),
    )


async def ask_chat(sdk, payload, stream):
    if stream:
        options = {"stream_options": {"include_usage": True}}
        async with sdk.openai.chat.completions.stream(**payload, **options) as events:
            answer = await events.get_final_completion()
    else:
        answer = await sdk.openai.chat.completions.create(**payload)
    said = answer.choices[0].message
    calls = [call for call in said.tool_calls or () if call.type == "function"]
    return SimpleNamespace(
        text=said.content or "",
        thinking=getattr(said, "reasoning_content", ""),
        calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
        usage=(answer.usage.prompt_tokens, answer.usage.completion_tokens),
    )


async def ask_messages(sdk, payload, stream):
    untyped = {name: payload.pop(name) for name in SAMPLING if name in payload}
    if stream:
        async with sdk.anthropic.messages.stream(**payload, extra_body=untyped) as events:
            answer = await events.get_final_message()
    else:
        answer = await sdk.anthropic.messages.create(**payload, extra_body=untyped)
    usage = answer.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return SimpleNamespace(
        text="".join(block.text for block in answer.content if block.type == "text"),
        thinking="\n\n".join(block.thinking for block in answer.content if block.type == "thinking"),
        calls=[(block.name, block.input) for block in answer.content if block.type == "tool_use"],
        usage=(usage.input_tokens + cached, usage.output_tokens),
    )


async def ask_gemini(sdk, payload, stream):
    model, contents = payload.pop("model"), payload.pop("contents")
    config = types.GenerateContentConfig.model_validate(payload.pop("generationConfig", {}) | payload)
    asked = {"model": model, "contents": [types.Content.model_validate(content) for content in contents]}
    if stream:
        found = [chunk async for chunk in await sdk.gemini.models.generate_content_stream(**asked, config=config)]
    else:
        found = [await sdk.gemini.models.generate_content(**asked, config=config)]
    usage = found[-1].usage_metadata
    contents = [candidate.content for chunk in found for candidate in chunk.candidates or ()]
    parts = [part for content in contents if content for part in content.parts or ()]
    return SimpleNamespace(
        text="".join(part.text for part in parts if part.text and not part.thought),
        thinking="".join(part.text for part in parts if part.text and part.thought),
        calls=[(part.function_call.name, part.function_call.args) for part in parts if part.function_call],
        usage=(usage.prompt_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0)),
    )


ASK = {
    "openai_responses": ask_responses,
    "openai_chat": ask_chat,
    "anthropic_messages": ask_messages,
    "gemini": ask_gemini,
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_a_turn_of_an_agent(tmp_path, client, upstream, stream):
    answer = STREAMS[upstream]
    request = replace(answer.request(), model="asked", stream=False, extras={}, max_tokens=2000)
    payload = {"model": "asked", **PROTOCOLS[client].encode_request(request, QUIRKS[client]).payload}
    async with Upstream(plays(answer)) as up, hub(tmp_path, [row(upstream, up)]) as h:
        found, wanted = await ASK[client](clients(h), payload, stream), expected(answer)
        record = await h.finished()
    assert (record.status, record.client_protocol, record.upstream_protocol) == ("completed", client, upstream)
    declared = {name for name, _ in wanted.calls}
    assert [call for call in found.calls if call[0] in declared] == wanted.calls
    assert (found.text, found.thinking.strip()) == (wanted.text, wanted.thinking.strip())
    assert found.usage == wanted.usage


class Sum(BaseModel):
    total: int


JSON_TEXT = '{"total":4}'
SAYS = {
    "openai_responses": lambda text: json.loads(responses_events(text)[-1].split(b"data: ")[1])["response"],
    "openai_chat": chat_answer,
    "anthropic_messages": lambda text: messages_answer({"type": "text", "text": text}),
    "gemini": lambda text: gemini_chunk({"text": text}, finish="STOP"),
}


async def parsed_by(sdk, client):
    """What the SDK makes of the answer, asked for a Sum as its documentation says."""
    ask = [{"role": "user", "content": "2+2?"}]
    match client:
        case "openai_responses":
            return (await sdk.openai.responses.parse(model="m", input=ask, text_format=Sum)).output_parsed
        case "openai_chat":
            answer = await sdk.openai.chat.completions.parse(model="m", messages=ask, response_format=Sum)
            return answer.choices[0].message.parsed
        case "anthropic_messages":
            answer = await sdk.anthropic.messages.parse(model="m", max_tokens=99, messages=ask, output_format=Sum)
            return answer.parsed_output
        case _:
            config = {"response_mime_type": "application/json", "response_schema": Sum}
            return (await sdk.gemini.models.generate_content(model="m", contents="2+2?", config=config)).parsed


@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_structured_output_is_parsed(tmp_path, client, upstream):
    async with Upstream(answers(200, SAYS[upstream](JSON_TEXT))) as up, hub(tmp_path, [row(upstream, up)]) as h:
        assert await parsed_by(clients(h), client) == Sum(total=4)
    (call,) = up.calls
    assert b"total" in call.body and b"schema" in call.body.lower()  # as a format, or in the prompt (pitfall 15)


async def show(sdk, client):
    """A picture, sent as the SDK's documentation says."""
    url = f"data:image/png;base64,{PICTURE}"
    match client:
        case "openai_responses":
            parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": url, "detail": "low"}]
            return (
                await sdk.openai.responses.create(model="m", input=[{"role": "user", "content": parts}])
            ).output_text
        case "openai_chat":
            parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}]
            answer = await sdk.openai.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
            return answer.choices[0].message.content
        case "anthropic_messages":
            source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
            talk = [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "see"}]}]
            return (await sdk.anthropic.messages.create(model="m", max_tokens=99, messages=talk)).content[0].text
        case _:
            part = types.Part.from_bytes(data=base64.b64decode(PICTURE), mime_type="image/png")
            return (await sdk.gemini.models.generate_content(model="m", contents=["see", part])).text


@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_a_picture_arrives(tmp_path, client, upstream):
    async with Upstream(answers(200, SAYS[upstream]("A square."))) as up, hub(tmp_path, [row(upstream, up)]) as h:
        assert await show(clients(h), client) == "A square."
    (call,) = up.calls
    sent = call.body.decode()
    assert PICTURE in sent or base64.urlsafe_b64encode(base64.b64decode(PICTURE)).decode() in sent


WORDS = "max_tokens is too large for this model"
REFUSALS = {
    "openai_responses": {"error": {"message": WORDS, "type": "invalid_request_error", "param": None, "code": None}},
    "openai_chat": {"error": {"message": WORDS, "type": "invalid_request_error", "param": None, "code": None}},
    "anthropic_messages": {"type": "error", "error": {"type": "invalid_request_error", "message": WORDS}},
    "gemini": {"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}},
}
RAISES = {
    "openai_responses": openai.BadRequestError,
    "openai_chat": openai.BadRequestError,
    "anthropic_messages": anthropic.BadRequestError,
    "gemini": errors.ClientError,
}


@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_a_refusal_is_raised(tmp_path, client, upstream):
    async with Upstream(answers(400, REFUSALS[upstream])) as up, hub(tmp_path, [row(upstream, up)]) as h:
        with pytest.raises(RAISES[client], match=WORDS):
            await show(clients(h), client)
        record = await h.finished()
    assert (record.status, len(up.calls)) == ("failed", 1)


@pytest.mark.parametrize("upstream", [name for name in PROTOCOLS if name != "openai_chat"])
async def test_several_answers_are_refused_by_name(tmp_path, upstream):
    """The upstream is never asked: it would give one, and be paid for it."""
    async with Upstream(answers(200, SAYS[upstream]("hi"))) as up, hub(tmp_path, [row(upstream, up)]) as h:
        talk = [{"role": "user", "content": "hi"}]
        with pytest.raises(openai.BadRequestError, match="`n` must be 1") as told:
            await clients(h).openai.chat.completions.create(model="m", messages=talk, n=2)
    assert told.value.param == "n" and up.calls == []
