"""OpenAI's Chat Completions, as clients speak it and as vendors do."""

from axonhub_cli.protocols.openai_chat.codec import CODEC

__all__ = ["CODEC"]
