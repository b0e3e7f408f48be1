"""Flat names of tools and the way back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    HostedTool,
    SearchTool,
    ShellTool,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.tools import MAX_NAME, ToolNames, flat_name

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
