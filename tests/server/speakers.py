"""Tiny upstreams of each protocol, written by hand, and the official SDKs as clients of ours."""

import json
from types import SimpleNamespace

import anthropic
import openai
from google import genai

from tests.server.upstreams import chat_answer, chat_stream, responses_events

TEXT = "Hello there"
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
MESSAGES_USAGE = {"input_tokens": 6, "cache_read_input_tokens": 5, "output_tokens": 3}
GEMINI_USAGE = {
    "promptTokenCount": 11,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 3,
    "totalTokenCount": 14,
}


def sse(*events, named=False):
    """One piece per event."""
    return [
        (f"event: {event['type']}\n" if named else "").encode() + b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in events
    ]


def messages_answer(*content, stop="end_turn"):
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": "claude-up",
        "content": list(content) or [{"type": "text", "text": TEXT}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


_DELTAS = {"text": ("text", "text_delta"), "thinking": ("thinking", "thinking_delta")}


def messages_stream(*content, stop="end_turn"):
    """The same answer as events."""
    whole = messages_answer(*content, stop=stop)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**MESSAGES_USAGE, "output_tokens": 0}}
    events = [{"type": "message_start", "message": start}]
    for index, block in enumerate(whole["content"]):
        events += _block(index, block)
    events += [
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    return sse(*events, named=True)


def _block(index, block):
    deltas = []
    empty = dict(block)
    if block["type"] == "tool_use":
        empty["input"] = {}
        deltas.append({"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
    else:
        field, kind = _DELTAS[block["type"]]
        empty[field] = ""
        deltas.append({"type": kind, field: block[field]})
    if "signature" in block:
        empty["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def gemini_chunk(*parts, finish=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-up", "responseId": "r1", "usageMetadata": GEMINI_USAGE}


def responses_answer():
    return json.loads(responses_events(TEXT)[-1].split(b"data: ")[1])["response"]


ANSWERS = {
    "openai_responses": (lambda: responses_events(TEXT), responses_answer),
    "openai_chat": (lambda: chat_stream(TEXT), lambda: chat_answer(TEXT)),
    "anthropic_messages": (messages_stream, messages_answer),
    "gemini": (
        lambda: sse(gemini_chunk({"text": "Hello "}), gemini_chunk({"text": "there"}, finish="STOP")),
        lambda: gemini_chunk({"text": TEXT}, finish="STOP"),
    ),
}
TYPES = {
    "openai_responses": "openai",
    "openai_chat": "openai-compatible",
    "anthropic_messages": "anthropic",
    "gemini": "gemini",
}


def speaks(protocol):
    """A script that answers in this protocol, streamed where it was asked to."""
    streamed, whole = ANSWERS[protocol]

    async def script(wire):
        if b'"stream":true' in wire.call.body.replace(b" ", b"") or "alt=sse" in wire.call.path:
            await wire.head()
            for piece in streamed():
                await wire.chunk(piece)
            await wire.end()
        else:
            await wire.answer(200, whole())

    return script


def clients(h):
    """The SDKs, each as its documentation sets it up for a gateway."""
    made = SimpleNamespace(
        openai=openai.AsyncOpenAI(base_url=h.url + "/v1", api_key=h.key, max_retries=0),
        anthropic=anthropic.AsyncAnthropic(base_url=h.url, api_key=h.key, max_retries=0),
        gemini=genai.Client(api_key=h.key, http_options={"base_url": h.url}).aio,
    )
    h.closers += (made.openai.close, made.anthropic.close, made.gemini.aclose)
    return made


async def _responses(sdk, model, stream):
    answer = await sdk.openai.responses.create(model=model, input="hi", stream=stream)
    if stream:
        events = [event async for event in answer]
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta").strip() == TEXT
        answer = events[-1].response
    return answer.output_text, (answer.usage.input_tokens, answer.usage.output_tokens)


async def _chat(sdk, model, stream):
    messages = [{"role": "user", "content": "hi"}]
    options = {"stream_options": {"include_usage": True}} if stream else {}
    answer = await sdk.openai.chat.completions.create(model=model, messages=messages, stream=stream, **options)
    if not stream:
        return answer.choices[0].message.content, (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    chunks = [chunk async for chunk in answer]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    (usage,) = (c.usage for c in chunks if c.usage)
    return text, (usage.prompt_tokens, usage.completion_tokens)


async def _messages(sdk, model, stream):
    asked = {"model": model, "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
    if stream:
        async with sdk.anthropic.messages.stream(**asked) as events:
            answer = await events.get_final_message()
    else:
        answer = await sdk.anthropic.messages.create(**asked)
    usage = answer.usage
    return answer.content[0].text, (usage.input_tokens + (usage.cache_read_input_tokens or 0), usage.output_tokens)


async def _gemini(sdk, model, stream):
    if stream:
        answers = [chunk async for chunk in await sdk.gemini.models.generate_content_stream(model=model, contents="hi")]
    else:
        answers = [await sdk.gemini.models.generate_content(model=model, contents="hi")]
    usage = answers[-1].usage_metadata
    return "".join(a.text or "" for a in answers), (usage.prompt_token_count, usage.candidates_token_count)


ASK = {"openai_responses": _responses, "openai_chat": _chat, "anthropic_messages": _messages, "gemini": _gemini}
