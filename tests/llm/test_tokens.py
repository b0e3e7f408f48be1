from __future__ import annotations

import pytest

from axonhub_cli.llm.content import ImagePart, TextPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.llm.tokens import IMAGE_TOKENS, estimate_messages, estimate_request, estimate_text

# Counted with o200k_base.
KNOWN = [
    ("The quick brown fox jumps over the lazy dog.", 10),
    ("def add(a: int, b: int) -> int:\n    return a + b\n", 19),
    ('{"name": "exec_command", "arguments": {"cmd": "ls -la"}}', 18),
    ("今天天气很好，我们去公园散步吧。", 12),
]


@pytest.mark.parametrize(("text", "tokens"), KNOWN)
def test_close_to_a_real_tokenizer(text: str, tokens: int) -> None:
    assert 0.7 * tokens <= estimate_text(text) <= 1.4 * tokens


def test_sums() -> None:
    assert estimate_text("") == 0
    one = Message(Role.USER, (TextPart("hi"), ImagePart("data:,")))
    assert estimate_messages((one, one)) == 2 * estimate_messages((one,))
    assert estimate_request(Request("m", (one,))) > IMAGE_TOKENS
