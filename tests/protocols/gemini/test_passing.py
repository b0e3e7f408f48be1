"""What a Gemini client's own payload becomes for a Gemini upstream; pitfalls 64, 65, 89."""

from __future__ import annotations

from axonhub_cli.protocols.gemini.passing import pass_on
from axonhub_cli.protocols.gemini.signatures import SENTINEL, wrap_tokens
from axonhub_cli.vendors import Quirks
from tests.protocols.gemini.helpers import validate

OURS = wrap_tokens(["axh1.abc"])


def test_nothing_of_ours_is_untouched() -> None:
    contents = [{"role": "model", "parts": [{"text": "a", "thoughtSignature": "QUJD", "odd": [1e3]}]}, 3]
    body, losses = pass_on({"model": "m", "stream": True, "alt": "json", "contents": contents, "new": 1}, "m", Quirks())
    assert body == {"contents": contents, "new": 1} and body["contents"] is contents and losses == ()


def test_our_tokens_never_leave() -> None:
    parts = [
        {"text": "", "thought": True, "thoughtSignature": OURS},
        {"text": "a", "thought_signature": OURS},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": OURS.rstrip("=")},
        {"text": "b", "thoughtSignature": "QUJD"},
    ]
    payload = {"contents": [{"role": "model", "parts": parts[:1]}, {"role": "model", "parts": parts}]}
    body, losses = pass_on(payload, "gemini-3-pro", Quirks())
    call = {"functionCall": {"name": "f", "args": {}}}
    assert body["contents"] == [
        {"role": "model", "parts": [{"text": "a"}, {**call, "thoughtSignature": SENTINEL}, parts[3]]}
    ]
    assert len(losses) == 1 and payload["contents"][0]["parts"] == parts[:1]
    validate(body)
    assert pass_on(payload, "gemini-2.5-pro", Quirks())[0]["contents"][0]["parts"][1] == call
