"""What rows of channel types are written with."""

from __future__ import annotations

from typing import Any

from axonhub_cli.vendors.quirks import Fact

RESPONSES = "openai_responses"
CHAT = "openai_chat"
MESSAGES = "anthropic_messages"
GEMINI = "gemini"
CONVERSE = "bedrock_converse"


def facts(as_of: str, source: str, **values: Any) -> tuple[Fact, ...]:
    """One fact for each value."""
    return tuple(Fact(field, value, as_of, source) for field, value in values.items())
