"""Channels of every cloud type in front of the strict fakes, and clients' requests that all of them must take."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from axonhub_cli.llm.content import FunctionTool, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.registry import codec
from axonhub_cli.vendors import Quirks
from tests.fakes import azure, bedrock, vertex
from tests.server.hub import channel, hub, mapped
from tests.server.speakers import messages_answer, messages_stream, speaks
from tests.server.upstreams import Upstream

CALL = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}
CLIENTS = ("openai_responses", "openai_chat", "anthropic_messages", "gemini")
PATHS = {
    "openai_responses": "/v1/responses",
    "openai_chat": "/v1/chat/completions",
    "anthropic_messages": "/v1/messages",
}
AWS_KEY = f"{bedrock.KEY}:{bedrock.SECRET}:{bedrock.TOKEN}"


@dataclass
class Cloud:
    """One type: how its fake is made, what is below its address, its options, its key, a model of it."""

    name: str
    type: str
    protocol: str
    model: str
    base: str = ""
    options: Any = None

    def fake(self, *content: Any, stop: str = "end_turn") -> Any:
        if self.type.startswith("bedrock"):
            return bedrock.Bedrock(*content, stop=stop, token=bedrock.TOKEN)
        speak = told(self.protocol, *content) if content else speaks(self.protocol)
        return azure.Azure(speak) if self.type == "azure" else vertex.Vertex(speak)

    def key(self, up: Upstream) -> str:
        if self.type.startswith("bedrock"):
            return AWS_KEY
        return azure.KEY if self.type == "azure" else json.dumps(vertex.service_account(root(up)))

    def row(self, up: Upstream, **fields: Any) -> Any:
        options = {**(self.options or {}), **fields.pop("options", {})}
        return channel("up", root(up) + self.base, type=self.type, options=options, **fields)


_AWS = {"region": bedrock.REGION}
_DATED = {"api_version": azure.VERSION}
CLOUDS = (
    Cloud("azure", "azure", "openai_responses", azure.DEPLOYMENT, "/openai/v1", {"protocol": "openai_responses"}),
    Cloud("azure-chat", "azure", "openai_chat", azure.DEPLOYMENT, "/openai/v1", {"protocol": "openai_chat"}),
    Cloud("azure-dated", "azure", "openai_chat", azure.DEPLOYMENT, "/openai", _DATED | {"protocol": "openai_chat"}),
    Cloud("bedrock", "bedrock", "anthropic_messages", bedrock.MODEL, options=_AWS),
    Cloud("converse", "bedrock-converse", "bedrock_converse", bedrock.MODEL, options=_AWS),
    Cloud("vertex", "vertex", "gemini", "gemini-3-pro", vertex.BASE),
    Cloud("vertex-anthropic", "vertex-anthropic", "anthropic_messages", "claude-sonnet-4-5@20250929", vertex.BASE),
)
BY_NAME = {cloud.name: cloud for cloud in CLOUDS}


def root(up: Upstream) -> str:
    return up.url.removesuffix("/v1")


@asynccontextmanager
async def served(tmp_path, cloud, fake, *, key=None, **fields):
    """(hub, upstream) with one channel of `cloud`; clients ask for `asked`."""
    profile = mapped("asked", cloud.model)
    async with Upstream(fake) as up:
        environ = {"UP_KEY": cloud.key(up) if key is None else key}
        async with hub(tmp_path, [cloud.row(up, **fields)], profile=profile, environ=environ) as h:
            yield h, up


def told(protocol: str, *content: Any) -> Any:
    """A script that answers with these blocks, as Anthropic words them, in `protocol`."""
    quirks = Quirks()
    response = codec("anthropic_messages").decode_response(messages_answer(*content, stop="tool_use"), quirks)
    request = Request("m", tools=(TOOL,), stream=True)

    async def script(wire):
        if b'"stream":true' not in wire.call.body.replace(b" ", b"") and "alt=sse" not in wire.call.path:
            await wire.answer(200, codec(protocol).encode_response(response, request))
            return
        await wire.head()
        decoder = codec("anthropic_messages").stream_decoder(quirks)
        events = [event for piece in messages_stream(*content, stop="tool_use") for event in decoder.feed(piece)]
        await wire.chunk(codec(protocol).stream_encoder(request, "r1", 1).encode(events))
        await wire.end()

    return script


TOOL = FunctionTool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})
LOOP = (
    Message(Role.SYSTEM, (TextPart("Be brief."),)),
    Message(Role.USER, (TextPart("Weather in Oslo, then in Rome?"),)),
    Message(Role.ASSISTANT, (TextPart("I look."), ToolCallPart("c0", "weather", '{"city":"Oslo"}'))),
    Message(Role.TOOL, (ToolResultPart("c0", (TextPart("rain"),)),)),
)


def asking(client: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Path and body of a client amid a tool loop."""
    request = Request("asked", LOOP, (TOOL,), max_tokens=500, stream=stream)
    payload = codec(client).encode_request(request, Quirks()).payload
    if client == "gemini":
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/v1beta/models/asked:{method}", payload
    return PATHS[client], payload


def answered(client: str, text: str, *, stream: bool) -> Any:
    """What such a client was told, as the neutral answer."""
    if not stream:
        return codec(client).decode_response(msgspec.json.decode(text), Quirks())
    decoder = codec(client).stream_decoder(Quirks())
    return fold([*decoder.feed(text.encode()), *decoder.close()])


def spoken(response: Any) -> list[Any]:
    """Its parts without what only carries state."""
    return [part for part in response.parts if not isinstance(part, ReasoningPart)]
