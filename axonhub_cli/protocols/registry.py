"""The protocols there are. A new one adds its import and its place in the tuple."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.errors import ConfigError
from axonhub_cli.protocols import anthropic_messages, gemini, openai_chat, openai_responses
from axonhub_cli.protocols.base import Codec

_CODECS: tuple[Codec, ...] = (openai_responses.CODEC, openai_chat.CODEC, anthropic_messages.CODEC, gemini.CODEC)

PROTOCOLS: Mapping[str, Codec] = {codec.name: codec for codec in _CODECS}


def codec(name: str) -> Codec:
    """The codec of a protocol. Raises ConfigError, naming those there are."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ConfigError(f"Unknown protocol '{name}'.", f"One of: {', '.join(PROTOCOLS)}.") from None
