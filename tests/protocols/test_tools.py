"""Flat names of tools and the way back."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    HostedTool,
    SearchTool,
    ShellTool,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.fold import fold, unfold
from axonhub_cli.llm.request import ChoiceMode, Message, Request, Role, ToolChoice
from axonhub_cli.llm.response import FinishKind, FinishReason, Response
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS
from axonhub_cli.protocols.tools import MAX_NAME, ToolNames, flat_name
from tests.protocols.laws import NATIVE, decode_bytes

names = st.text(min_size=1, max_size=90)


@given(st.none() | names, names)
def test_every_vendor_takes_a_flat_name(namespace, name):  # pitfall 19
    flat = flat_name(namespace, name)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", flat)
    assert flat == flat_name(namespace, name)


@given(st.lists(st.tuples(st.none() | names, names), unique=True, max_size=8))
def test_changed_names_stay_apart(pairs):  # pitfall 19
    changed = [pair for pair in pairs if len(flat_name(*pair)) == MAX_NAME]
    assert len({flat_name(*pair) for pair in changed}) == len(changed)


def test_namespaces_are_joined_and_found_again_however_the_model_writes_them():  # pitfall 106
    tool = FunctionTool("run", namespace="mcp__box")
    catalog = ToolNames(Request("m", tools=(tool,)))
    assert [name for name, _ in catalog] == ["mcp__box__run"]
    for name, namespace in [
        ("mcp__box__run", None),
        ("mcp__box.run", None),
        ("run", "mcp__box"),
        ("mcp__box/run", None),
    ]:
        assert catalog.find(name, namespace) is tool
    assert catalog.find("walk") is None


@pytest.mark.parametrize("client", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("name", ["fs.read", "mcp__tracker__" + "create_issue_" * 5])
def test_every_client_reads_the_name_it_declared(client, name):  # pitfall 19
    """Anthropic takes 128 letters and Gemini dots, so Claude Code's tools may have names that others are not sent."""
    request = Request("m", tools=(FunctionTool(name),))
    call = ToolCallPart("c", flat_name(None, name), "{}")
    answer = Response("r", "m", (call,), FinishReason(FinishKind.TOOL_CALLS))
    assert call.name != name
    whole = client.decode_response(client.encode_response(answer, request), NATIVE)
    streamed = client.stream_encoder(request, "r", 1).encode(unfold(answer))
    for found in (whole, fold(decode_bytes(client, streamed))):
        assert [part.name for part in found.parts] == [name]


@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
@pytest.mark.parametrize("name", ["fs.read", "mcp__tracker__" + "create_issue_" * 5])
def test_every_upstream_is_sent_a_name_it_takes(upstream, name):  # pitfall 19
    """Whether the tool is declared, chosen or was called, as by Claude Code, Gemini CLI or a Chat client."""
    request = Request(
        "m",
        (Message(Role.USER, (TextPart("Hi"),)), Message(Role.ASSISTANT, (ToolCallPart("c", name, "{}"),))),
        tools=(FunctionTool(name),),
        tool_choice=ToolChoice(ChoiceMode.TOOL, ((None, name),)),
    )
    sent = msgspec.json.encode(upstream.encode_request(request, NATIVE).payload).decode()
    assert f'"{name}"' not in sent
    assert sent.count(f'"{flat_name(None, name)}"') >= 3


def test_one_catalog_of_all_declarations_the_first_wins():  # pitfalls 21, 108, 114
    first, again, found = FunctionTool("a"), FunctionTool("a", "again"), CustomTool("b")
    request = Request(
        "m",
        (
            Message(Role.DEVELOPER, (ToolsPart((again, SearchTool())),)),
            Message(Role.TOOL, (ToolResultPart("c", tools=(found, ShellTool())),)),
        ),
        tools=(first, HostedTool("openai_responses", "web_search", {})),
    )
    assert dict(ToolNames(request)) == {
        "a": first,
        "tool_search": SearchTool(),
        "b": found,
        "local_shell": ShellTool(),
    }
