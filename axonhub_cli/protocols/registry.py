"""The protocols there are. A new one adds its import and its place in one of the tuples."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.errors import ConfigError
from axonhub_cli.protocols import anthropic_messages, bedrock_converse, gemini, openai_chat, openai_responses
from axonhub_cli.protocols.base import Codec, UpstreamCodec

_BOTH: tuple[Codec, ...] = (openai_responses.CODEC, openai_chat.CODEC, anthropic_messages.CODEC, gemini.CODEC)
_UPSTREAM: tuple[UpstreamCodec, ...] = (bedrock_converse.CODEC,)  # no client speaks it

PROTOCOLS: Mapping[str, Codec] = {codec.name: codec for codec in _BOTH}
UPSTREAMS: Mapping[str, UpstreamCodec] = {codec.name: codec for codec in (*_BOTH, *_UPSTREAM)}


def codec(name: str) -> Codec:
    """The codec of a protocol that clients speak. Raises ConfigError, naming those there are."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ConfigError(f"Unknown protocol '{name}'.", f"One of: {', '.join(PROTOCOLS)}.") from None


def upstream(name: str) -> UpstreamCodec:
    """The same for a protocol that upstreams speak."""
    try:
        return UPSTREAMS[name]
    except KeyError:
        raise ConfigError(f"Unknown protocol '{name}'.", f"One of: {', '.join(UPSTREAMS)}.") from None
