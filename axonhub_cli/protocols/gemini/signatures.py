"""`thoughtSignature`: Google's own state, and ours on its way through a Gemini client.

https://ai.google.dev/gemini-api/docs/thought-signatures; pitfalls 63, 64, 88, 89. The field is `bytes`: base64 on the
wire, and clients may write it in either alphabet. Our sealed tokens travel in it as base64 of their letters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

NAME = "gemini"
FIELD = "thoughtSignature"
SENTINEL = "skip_thought_signature_validator"  # documented for calls that another model made
_TOKEN = "axh1."
_HEAD = base64.b64encode(_TOKEN.encode()).decode()[:6]  # the letters every token of ours begins with
# Where a signature stood that has a part of its own here: on a thought, on text, or on an empty text.
THOUGHT, TEXT, EMPTY = "thought", "text", "empty"


def wrap_tokens(tokens: Iterable[str]) -> str:
    """Sealed tokens as one signature."""
    return base64.b64encode(" ".join(tokens).encode()).decode()


def tokens_in(signature: str) -> list[str]:
    """Our tokens in a signature that a client returns; none where it is somebody else's."""
    if not signature.startswith(_HEAD):
        return []
    plain = signature.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    tokens = text.split(" ")
    return tokens if all(token.startswith(_TOKEN) for token in tokens) else []


def state(signature: str, place: str | None = None) -> dict[str, dict[str, Any]]:
    """A signature as a part's `opaque`."""
    fields = {FIELD: signature}
    return {NAME: fields if place is None else {**fields, "on": place}}


def signature_of(opaque: Mapping[str, Any]) -> tuple[str, str] | None:
    """The signature kept on a part, byte for byte, and where it stood."""
    fields = opaque.get(NAME)
    signature = fields.get(FIELD) if isinstance(fields, Mapping) else None
    if fields is None or not isinstance(signature, str) or not signature:
        return None
    return signature, str(fields.get("on"))
