"""What a client cannot be told of an answer is told in the losses, streamed and whole."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from axonhub_cli.llm.content import OpaquePart, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.response import Response
from axonhub_cli.protocols.base import Codec
from axonhub_cli.protocols.registry import PROTOCOLS
from axonhub_cli.protocols.translator import whole
from axonhub_cli.protocols.unsaid import unsaid
from tests.protocols import laws
from tests.protocols.laws import Fixture

clients = pytest.mark.parametrize("client", PROTOCOLS.values(), ids=PROTOCOLS)
CHAT, RESPONSES, MESSAGES, GEMINI = (
    PROTOCOLS[name] for name in ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
)


def told(answer: Response) -> Counter[str]:
    """What there is of things that not every protocol can say."""
    found = Counter("answer." + part.kind for part in answer.parts if isinstance(part, OpaquePart))
    found["answer.annotations"] = sum(len(part.annotations) for part in answer.parts if isinstance(part, TextPart))
    return found


@pytest.mark.parametrize("response", laws.RESPONSES, ids=str)
@clients
def test_nothing_is_lost_in_silence(response: Fixture, client: Codec) -> None:
    answer = response.codec.decode_response(response.payload, laws.NATIVE)
    request = laws.declaring(answer)
    found = whole(client, response.codec, request, response.data, quirks=laws.NATIVE, seal_part=lambda part: part)
    read = client.decode_response(msgspec.json.decode(found.data), laws.NATIVE)
    lost = {loss.field for loss in found.watch.losses}
    assert (told(answer) - told(read)).keys() <= lost
    assert lost <= told(answer).keys() | {"answer.state"}


@pytest.mark.parametrize("stream", laws.STREAMS, ids=str)
@clients
def test_a_stream_tells_the_same(stream: Fixture, client: Codec) -> None:
    relay = laws.translation(client, stream.codec, stream.request())
    relay.feed(stream.data)
    relay.close()
    assert relay.watch.losses == unsaid(client, fold(laws.decode(stream)).parts)


@pytest.mark.parametrize(
    "part", [ReasoningPart("hm", opaque={"x": {"signature": "s"}}), ToolCallPart("c1", "f", "{}", opaque={"x": {}})]
)
def test_only_chats_clients_bring_no_state_back(part: ReasoningPart | ToolCallPart) -> None:
    assert [loss.field for loss in unsaid(CHAT, [part, part])] == ["answer.state"]
    assert [unsaid(client, [part]) for client in (RESPONSES, MESSAGES, GEMINI)] == [(), (), ()]
    assert unsaid(CHAT, [msgspec.structs.replace(part, opaque={"openai_chat": {"d": 1}})]) == ()
    assert unsaid(CHAT, [ReasoningPart("its words are shown")]) == ()
