"""One conversation in each client protocol, held by the official SDK as its documentation says.

A talk keeps its own history, as agents do, and sends the whole of it each time. What the SDK raises is not caught.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import anthropic
import openai
from google import genai
from google.genai import errors, types

SYSTEM = "Be brief."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "The weather of a city."}


@cache
def _openai(url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=30)


@cache
def _anthropic(url: str, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=30)


@cache
def _gemini(url: str, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=30_000))


class FailedError(Exception):
    """The Responses SDK hands out `response.failed` instead of raising it."""


def _arguments(text: str) -> Any:
    """As an agent reads them; what is not JSON stays as it is."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@dataclass(frozen=True)
class Said:
    """One answer. `pieces` is in how many deltas its text came; tokens are as the SDK shows them, input whole."""

    text: str
    calls: list[tuple[str, Any]]
    finish: str | None
    input_tokens: int | None
    output_tokens: int | None
    pieces: int = 1


@dataclass
class Talk:
    """`url` is the hub's, without a version."""

    url: str
    key: str
    model: str
    streamed: bool = False
    tools: bool = False
    history: list[Any] = field(default_factory=list)
    pending: list[Any] = field(default_factory=list)  # the calls that wait for results, as this protocol has them

    error: ClassVar[tuple[type[Exception], ...]]  # what the SDK raises for a failure that was told
    garbled: ClassVar[type[Exception]] = json.JSONDecodeError  # and for an event that is not JSON
    stop: ClassVar[str]  # how a finished answer ends here
    cut: ClassVar[str]  # and one that called a tool

    def add(self, text: str) -> None:
        """The next message of the user, not sent yet."""
        raise NotImplementedError

    def hear(self, text: str) -> None:
        """An answer that the model is to believe it gave."""
        self.history.append({"role": "assistant", "content": text})

    def say(self, text: str) -> Said:
        """The next message of the user, and what is said to it."""
        self.add(text)
        return self.again()

    def give(self, output: str) -> Said:
        """The same result for each call of the last answer."""
        raise NotImplementedError

    def again(self) -> Said:
        """The last request once more, as after a failure."""
        raise NotImplementedError


class ResponsesTalk(Talk):
    error = (openai.APIError, FailedError)
    stop = cut = "completed"

    def add(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})

    def hear(self, text: str) -> None:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        self.history.append({"type": "message", "role": "assistant", "status": "completed", "content": content})

    def give(self, output: str) -> Said:
        for call in self.pending:
            self.history.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
        return self.again()

    def again(self) -> Said:
        client = _openai(self.url, self.key)
        tool = {"type": "function", **WEATHER, "parameters": SCHEMA, "strict": False}
        asked: dict[str, Any] = {"model": self.model, "input": self.history, "instructions": SYSTEM, "store": False}
        asked["include"] = ["reasoning.encrypted_content"]
        if self.tools:
            asked["tools"] = [tool]
        pieces = 1
        if self.streamed:
            events = list(client.responses.create(**asked, stream=True))
            pieces = len([event for event in events if event.type == "response.output_text.delta"])
            answer = events[-1].response
        else:
            answer = client.responses.create(**asked)
        if answer.status == "failed":
            raise FailedError(answer.error.message)
        self.pending = [item for item in answer.output if item.type == "function_call"]
        self.history += [item.model_dump(exclude_none=True) for item in answer.output]
        calls = [(call.name, _arguments(call.arguments)) for call in self.pending]
        usage = answer.usage
        return Said(
            answer.output_text,
            calls,
            answer.status,
            usage and usage.input_tokens,
            usage and usage.output_tokens,
            pieces,
        )


class ChatTalk(Talk):
    error = (openai.APIError,)
    stop, cut = "stop", "tool_calls"

    def add(self, text: str) -> None:
        if not self.history:
            self.history.append({"role": "system", "content": SYSTEM})
        self.history.append({"role": "user", "content": text})

    def give(self, output: str) -> Said:
        for call in self.pending:
            self.history.append({"role": "tool", "tool_call_id": call.id, "content": output})
        return self.again()

    def again(self) -> Said:
        client = _openai(self.url, self.key)
        asked: dict[str, Any] = {"model": self.model, "messages": self.history}
        if self.tools:
            asked["tools"] = [{"type": "function", "function": {**WEATHER, "parameters": SCHEMA}}]
        pieces = 1
        if self.streamed:
            options = {"include_usage": True}
            with client.chat.completions.stream(**asked, stream_options=options) as stream:
                pieces = len([event for event in stream if event.type == "content.delta"])
                answer = stream.get_final_completion()
        else:
            answer = client.chat.completions.create(**asked)
        (choice,) = answer.choices
        self.pending = list(choice.message.tool_calls or ())
        kept = {"role", "content", "tool_calls", "reasoning_content"}
        said = choice.message.model_dump(exclude_none=True, include=kept)
        for call in said.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        self.history.append(said)
        calls = [(call.function.name, _arguments(call.function.arguments)) for call in self.pending]
        usage = answer.usage
        return Said(
            choice.message.content or "",
            calls,
            choice.finish_reason,
            usage and usage.prompt_tokens,
            usage and usage.completion_tokens,
            pieces,
        )


class MessagesTalk(Talk):
    error = (anthropic.APIError,)
    stop, cut = "end_turn", "tool_use"

    def add(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})

    def give(self, output: str) -> Said:
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": output} for call in self.pending]
        self.history.append({"role": "user", "content": results})
        return self.again()

    def again(self) -> Said:
        client = _anthropic(self.url, self.key)
        asked: dict[str, Any] = {"model": self.model, "max_tokens": 4000, "system": SYSTEM, "messages": self.history}
        if self.tools:
            asked["tools"] = [{**WEATHER, "input_schema": SCHEMA}]
        pieces = 1
        if self.streamed:
            with client.messages.stream(**asked) as stream:
                pieces = len([event for event in stream if event.type == "text"])
                answer = stream.get_final_message()
        else:
            answer = client.messages.create(**asked)
        self.pending = [block for block in answer.content if block.type == "tool_use"]
        content = [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in answer.content]
        self.history.append({"role": "assistant", "content": content})
        calls = [(call.name, call.input) for call in self.pending]
        text = "".join(block.text for block in answer.content if block.type == "text")
        usage = answer.usage
        read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        return Said(text, calls, answer.stop_reason, read, usage.output_tokens, pieces)


class GeminiTalk(Talk):
    error = (errors.APIError,)
    garbled = errors.UnknownApiResponseError
    stop = cut = "STOP"

    def add(self, text: str) -> None:
        self.history.append(types.UserContent(text))

    def hear(self, text: str) -> None:
        self.history.append(types.ModelContent(text))

    def give(self, output: str) -> Said:
        results = [
            types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"output": output}))
            for c in self.pending
        ]
        self.history.append(types.Content(role="user", parts=results))
        return self.again()

    def again(self) -> Said:
        client = _gemini(self.url, self.key)
        config = types.GenerateContentConfig(system_instruction=SYSTEM)
        if self.tools:
            tool = types.FunctionDeclaration(**WEATHER, parameters_json_schema=SCHEMA)
            config.tools = [types.Tool(function_declarations=[tool])]
        asked: dict[str, Any] = {"model": self.model, "contents": self.history, "config": config}
        if self.streamed:
            chunks = list(client.models.generate_content_stream(**asked))
        else:
            chunks = [client.models.generate_content(**asked)]
        candidates = [candidate for chunk in chunks for candidate in chunk.candidates or ()]
        contents = [candidate.content for candidate in candidates if candidate.content]
        parts = [part for content in contents for part in content.parts or ()]
        self.pending = [part.function_call for part in parts if part.function_call]
        self.history.append(types.Content(role="model", parts=parts))
        texts = [part.text for part in parts if part.text and not part.thought]
        usage = chunks[-1].usage_metadata
        return Said(
            "".join(texts),
            [(call.name, call.args) for call in self.pending],
            next((c.finish_reason.value for c in reversed(candidates) if c.finish_reason), None),
            usage and usage.prompt_token_count,
            usage and (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            len(texts),
        )


TALKS: dict[str, type[Talk]] = {
    "openai_responses": ResponsesTalk,
    "openai_chat": ChatTalk,
    "anthropic_messages": MessagesTalk,
    "gemini": GeminiTalk,
}


def assert_too_long(error: Any) -> None:
    """What the SDK raised tells its agent to shorten the conversation (pitfall 139)."""
    if isinstance(error, errors.APIError):
        assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    elif isinstance(error, anthropic.APIStatusError):
        assert error.status_code == 400 and "prompt is too long" in error.message
    else:
        assert (error.status_code, error.code) == (400, "context_length_exceeded")
