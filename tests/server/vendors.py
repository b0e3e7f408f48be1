"""Upstreams that make state of their own with each answer and refuse everybody else's, as the vendors do."""

import base64
import json
import re

from tests.server.hub import events

# What every vendor takes (pitfall 90).
_LEGAL = re.compile(r"[A-Za-z0-9_-]{1,40}")
_IDS = re.compile(r'"(?:call_id|tool_call_id|tool_use_id)":\s*"([^"]*)"')
SENTINEL = "skip_thought_signature_validator"  # Google's stand-in for calls that another model made
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


class Vendor:
    """One account. Every answer is a tool call with new state; `seen` are the states of its own in each request, in
    order, and `refusals` what it had to refuse."""

    protocol = type = model = ""
    options: dict[str, str] = {}

    def __init__(self, name):
        self.name = name
        self.made, self.seen, self.refusals = [], [], []
        self.down = False

    async def __call__(self, wire):
        if self.down:
            await wire.answer(503, {"error": {"message": "busy"}})
            return
        payload = wire.call.json
        states = list(self.states(payload))
        words = self.wrong(payload, states)
        if b"axh1." in wire.call.body or base64.b64encode(b"axh1.")[:6] in wire.call.body:
            words = "an envelope of the hub's"
        if not all(_LEGAL.fullmatch(name) for name in _IDS.findall(wire.call.body.decode())):
            words = "an id of a call that no vendor takes"
        if words:
            self.refusals.append(words)
            await wire.answer(400, {"error": {"message": words, "type": "invalid_request_error", "status": "X"}})
            return
        self.seen.append([state for state in states if state in self.made])
        number = len(self.made)
        state = self.state(number)
        self.made += state
        await wire.answer(200, self.answer(number, *state))

    def state(self, number):
        """New states of one answer."""
        return [f"{self.name}-state-{number}"]

    def wrong(self, payload, states):
        """Why a request is refused; None where it is not."""
        return None if set(states) <= set(self.made) else self.foreign

    def call_id(self, number):
        return f"call_{self.name}_{number}"


class Responses(Vendor):
    protocol, type, model = "openai_responses", "openai", "gpt-5"
    options = {"protocol": "openai_responses"}
    foreign = "The encrypted content could not be verified."

    def states(self, payload):
        return [item["encrypted_content"] for item in payload["input"] if item.get("encrypted_content")]

    def answer(self, number, state):
        call = {"type": "function_call", "id": f"fc_{number}", "call_id": self.call_id(number), "name": "weather"}
        output = [
            {"type": "reasoning", "id": f"rs_{self.name}_{number}", "summary": [], "encrypted_content": state},
            {**call, "arguments": '{"city":"Oslo"}', "status": "completed"},
        ]
        return {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "output": output} | {
            "status": "completed"
        }


class Claude(Vendor):
    protocol, type, model = "anthropic_messages", "anthropic", "claude-sonnet-4-5"
    foreign = "messages.1.content.0: Invalid `signature` in `thinking` block"

    def state(self, number):
        return [f"{self.name}-signature-{number}", f"{self.name}-redacted-{number}"]

    def states(self, payload):
        for message in payload["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else []:
                if block["type"] in ("thinking", "redacted_thinking"):
                    yield block.get("signature") or block.get("data")

    def wrong(self, payload, states):
        if unsigned_loop(payload):
            return "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
        return super().wrong(payload, states)

    def answer(self, number, signature, redacted):
        content = [
            {"type": "thinking", "thinking": f"Claude {self.name} {number}", "signature": signature},
            {"type": "redacted_thinking", "data": redacted},
            {"type": "tool_use", "id": f"toolu_{self.name}_{number}", "name": "weather", "input": {"city": "Oslo"}},
        ]
        usage = {"input_tokens": 9, "output_tokens": 3}
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
        return {**head, "content": content, "stop_reason": "tool_use", "stop_sequence": None, "usage": usage}


def unsigned_loop(payload):
    """Thinking is on, and the turn that goes on does not begin with it."""
    messages = payload["messages"]
    on = payload.get("thinking", {}).get("type") == "enabled"
    return on and len(messages) > 1 and "thinking" not in messages[1]["content"][0]["type"]


class Google(Vendor):
    protocol, type, model = "gemini", "gemini", "gemini-3-pro"
    foreign = "Corrupted thought signature."

    def state(self, number):
        return [base64.b64encode(f"{self.name}-signature-{number}".encode()).decode()]

    def states(self, payload):
        for content in payload["contents"]:
            for part in content["parts"]:
                if part.get("thoughtSignature", SENTINEL) != SENTINEL:
                    yield part["thoughtSignature"]

    def wrong(self, payload, states):
        for content in payload["contents"]:
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and "thoughtSignature" not in calls[0]:
                return "Function call is missing a thought_signature in functionCall parts."
        return super().wrong(payload, states)

    def answer(self, number, state):
        call = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": state}
        candidate = {"content": {"role": "model", "parts": [call]}, "index": 0, "finishReason": "STOP"}
        return {"candidates": [candidate], "modelVersion": "gemini-3-pro", "responseId": f"{self.name}{number}"}


class _Chat(Vendor):
    protocol = "openai_chat"

    def calling(self, number, **fields):
        function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
        calls = [{"id": self.call_id(number), "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": calls, **fields}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        head = {"id": "c1", "object": "chat.completion", "created": 1, "model": self.model}
        return {**head, "choices": [choice], "usage": USAGE}


class DeepSeek(_Chat):
    """Its reasoning is plain text, and has to come back beside each call."""

    type, model = "deepseek", "deepseek-chat"

    def states(self, payload):
        return [message["reasoning_content"] for message in payload["messages"] if message.get("reasoning_content")]

    def wrong(self, payload, states):
        calls = [message for message in payload["messages"] if message.get("tool_calls")]
        missing = any(not message.get("reasoning_content") for message in calls)
        return "The reasoning_content in the thinking mode must be passed back to the API." if missing else None

    def answer(self, number, state):
        return self.calling(number, reasoning_content=state)


class OpenRouter(_Chat):
    type, model = "openrouter", "anthropic/claude-sonnet-4.5"
    foreign = "Invalid `signature` in `thinking` block"

    def states(self, payload):
        for message in payload["messages"]:
            yield from (block["data"] for block in message.get("reasoning_details") or () if "data" in block)

    def answer(self, number, state):
        return self.calling(number, reasoning_details=[{"type": "reasoning.encrypted", "data": state, "index": 0}])


VENDORS = {kind.__name__: kind for kind in (Responses, Claude, Google, DeepSeek, OpenRouter)}


class Session:
    """A client in the middle of a tool loop: it sends back what it was told, and a result for each call."""

    def __init__(self, h):
        self.h, self.turns = h, []

    async def ask(self, model, *, stream=False):
        """One turn. The status, and the answer's text where it failed."""
        path, payload = self.request(model)
        if stream and self.protocol == "gemini":
            path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
        elif stream:
            payload["stream"] = True
        status, _, text = await self.h.ask(path, payload)
        if status == 200:
            self.turns += self.replay(self.heard(events(text)) if stream else json.loads(text))
        return status, text


class Codex(Session):
    protocol, carries = "openai_responses", True

    def request(self, model):
        tool = {"type": "function", "name": "weather", "parameters": _SCHEMA}
        user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}]}
        asked = {"model": model, "tools": [tool], "reasoning": {"effort": "high"}, "store": False}
        return "/v1/responses", {**asked, "include": ["reasoning.encrypted_content"], "input": [user, *self.turns]}

    def replay(self, answer):
        for item in answer["output"]:
            kept = {name: value for name, value in item.items() if name != "id"}
            yield {**kept, "content": None} if item["type"] == "reasoning" else kept
        for item in answer["output"]:
            if item["type"] == "function_call":
                yield {"type": "function_call_output", "call_id": item["call_id"], "output": "rain"}

    def heard(self, told):
        return {"output": [event["item"] for event in told if event["type"] == "response.output_item.done"]}


class ClaudeCode(Session):
    protocol, carries = "anthropic_messages", True

    def request(self, model):
        tools = [{"name": "weather", "input_schema": _SCHEMA}]
        thinking = {"type": "enabled", "budget_tokens": 1024}
        messages = [{"role": "user", "content": "weather?"}, *self.turns]
        asked = {"model": model, "max_tokens": 4000, "thinking": thinking, "tools": tools}
        return "/v1/messages", {**asked, "messages": messages}

    def replay(self, answer):
        calls = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call, "content": "rain"} for call in calls]
        yield {"role": "assistant", "content": answer["content"]}
        yield {"role": "user", "content": results}

    def heard(self, told):
        blocks = []
        for event in told:
            if event["type"] == "content_block_start":
                blocks.append(dict(event["content_block"]))
            elif event["type"] == "content_block_delta":
                ((kind, value),) = ((name, value) for name, value in event["delta"].items() if name != "type")
                name = {"partial_json": "json"}.get(kind, kind)
                blocks[-1][name] = blocks[-1].get(name, "") + value
        for block in blocks:
            if "json" in block:
                block["input"] = json.loads(block.pop("json"))
        return {"content": blocks}


class GeminiCLI(Session):
    protocol, carries = "gemini", True

    def request(self, model):
        tools = [{"functionDeclarations": [{"name": "weather", "parameters": _SCHEMA}]}]
        contents = [{"role": "user", "parts": [{"text": "weather?"}]}, *self.turns]
        config = {"thinkingConfig": {"includeThoughts": True}}
        asked = {"contents": contents, "tools": tools, "generationConfig": config}
        return f"/v1beta/models/{model}:generateContent", asked

    def replay(self, answer):
        content = answer["candidates"][0]["content"]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        yield content
        results = [{"name": call["name"], "response": {"output": "rain"}} for call in calls]
        for call, result in zip(calls, results, strict=True):
            result.update({"id": call["id"]} if "id" in call else {})
        yield {"role": "user", "parts": [{"functionResponse": result} for result in results]}

    def heard(self, told):
        parts = [part for chunk in told for part in chunk["candidates"][0].get("content", {}).get("parts", ())]
        return {"candidates": [{"content": {"role": "model", "parts": parts}}]}


class OpenCode(Session):
    """Its protocol has no opaque field: only what a vendor of its own protocol made can come back."""

    protocol, carries = "openai_chat", False

    def request(self, model):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": _SCHEMA}}]
        messages = [{"role": "user", "content": "weather?"}, *self.turns]
        return "/v1/chat/completions", {"model": model, "tools": tools, "messages": messages}

    def replay(self, answer):
        message = answer["choices"][0]["message"]
        yield message
        for call in message["tool_calls"]:
            yield {"role": "tool", "tool_call_id": call["id"], "content": "rain"}


SESSIONS = {kind.__name__: kind for kind in (Codex, ClaudeCode, GeminiCLI, OpenCode)}
