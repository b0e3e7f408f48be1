"""What is inside a tool's result."""

import json

import pytest

from axonhub_cli.llm.content import CustomTool, FunctionTool, HostedTool, ImagePart, TextPart, ToolResultPart
from axonhub_cli.protocols.results import found_tools, opened

PNG = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "input_image", "image_url": PNG},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image", "mimeType": "image/png", "data": "AAAA"},
    ],
)
def test_images_in_a_text_are_taken_out(item):  # pitfall 113
    text = TextPart(json.dumps([item, {"type": "text", "text": "seen"}, {"type": "other"}]))
    assert list(opened((text,))) == [ImagePart(PNG), TextPart("seen"), TextPart('{"type":"other"}')]


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"type":"text","text":"image"}]', "{}", '["image"]', "[" * 5000])
def test_other_texts_stay(text):
    assert list(opened((TextPart(text),))) == [TextPart(text)]


def test_found_tools_are_named_as_they_can_be_called():  # pitfall 108
    tools = (
        FunctionTool("run", namespace="box"),
        CustomTool("patch"),
        HostedTool("openai_responses", "web_search", {}),
    )
    assert json.loads(found_tools(ToolResultPart("c", tools=tools))) == {"tools": ["box__run", "patch"]}
