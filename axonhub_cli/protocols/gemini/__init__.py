"""Google's Gemini API (generateContent), as clients speak it and as vendors do."""

from axonhub_cli.protocols.gemini.codec import CODEC

__all__ = ["CODEC"]
