"""Anthropic Messages, as clients speak it (Claude Code above all) and as vendors do."""

from axonhub_cli.protocols.anthropic_messages.codec import CODEC

__all__ = ["CODEC"]
