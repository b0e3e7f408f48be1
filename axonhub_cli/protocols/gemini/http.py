"""Where a Gemini upstream is asked, and how it is shown the key: never in the address, which ends up in logs.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from urllib.parse import quote

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.base import Call, Operation

ROOT = "/v1beta/"


def call(operation: Operation, model: str, key: str, stream: bool) -> Call:
    """See `base.Codec.call`. A summary of the conversation is an ordinary answer here."""
    if operation is Operation.EMBED:
        raise invalid("Gemini's embeddings have another shape.", code="unsupported_operation")
    stream = stream and operation is not Operation.COUNT_TOKENS
    if operation is Operation.MODELS:
        return Call(f"{ROOT}models?pageSize=1000", {"accept": "application/json", **_shown(key)})
    if operation is Operation.COUNT_TOKENS:
        method = "countTokens"
    else:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    headers = {"accept": "text/event-stream" if stream else "application/json", **_shown(key)}
    return Call(f"{ROOT}{quote(resource(model), safe='/@-._~')}:{method}", headers)


def _shown(key: str) -> dict[str, str]:
    return {"x-goog-api-key": key} if key else {}


def resource(model: str) -> str:
    """`models/NAME`; tuned models and those of publishers come with their own collection."""
    return model if "/" in model else f"models/{model}"
