"""Anthropic Messages, as clients speak it (Claude Code above all) and as vendors do."""

from axonhub_cli.protocols.anthropic_messages.codec import CODEC
from axonhub_cli.protocols.anthropic_messages.count import count_payload, decode_count, encode_count, estimate_count
from axonhub_cli.protocols.anthropic_messages.http import betas

__all__ = ["CODEC", "betas", "count_payload", "decode_count", "encode_count", "estimate_count"]
