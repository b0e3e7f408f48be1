import pytest

from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.registry import codec
from axonhub_cli.server.address import join
from axonhub_cli.vendors import Quirks


@pytest.mark.parametrize(
    ("base", "protocol", "address"),
    [
        ("http://x", "anthropic_messages", "http://x/v1/messages"),
        ("http://x/v1", "anthropic_messages", "http://x/v1/messages"),
        ("http://x/v1/", "anthropic_messages", "http://x/v1/messages"),
        ("http://x/anthropic", "anthropic_messages", "http://x/anthropic/v1/messages"),
        ("http://x/anthropic/v1/", "anthropic_messages", "http://x/anthropic/v1/messages"),
        ("http://x", "gemini", "http://x/v1beta/models/m:generateContent"),
        ("http://x/v1beta", "gemini", "http://x/v1beta/models/m:generateContent"),
        ("http://x/v1", "gemini", "http://x/v1/models/m:generateContent"),
        ("http://x/api/paas/v4/", "openai_chat", "http://x/api/paas/v4/chat/completions"),
        ("http://x/v1", "openai_responses", "http://x/v1/responses"),
    ],
)
def test_a_version_is_never_doubled(base, protocol, address):  # pitfall 25
    call = codec(protocol).call(Operation.GENERATE, "m", "k", False, Quirks())
    assert join(base, call.path) == address


@pytest.mark.parametrize("model", ["../../admin", "tunedModels/../../x", "a/./b"])
def test_a_model_is_no_way_out_of_the_base_url(model):  # reliability S5: a client never names where to
    call = codec("gemini").call(Operation.GENERATE, model, "k", True, Quirks())
    with pytest.raises(Failure) as caught:
        join("http://x/tenant", call.path)
    assert (caught.value.error.kind, caught.value.error.param) == (ErrorKind.INVALID_REQUEST, "model")


def test_dots_inside_of_names_are_names():
    call = codec("gemini").call(Operation.GENERATE, "tunedModels/..a.b..", "k", False, Quirks())
    assert join("http://x", call.path) == "http://x/v1beta/tunedModels/..a.b..:generateContent"
