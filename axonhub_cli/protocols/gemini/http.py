"""Where a Gemini upstream is asked, and how it is shown the key: never in the address, which ends up in logs.

https://ai.google.dev/api/generate-content,
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

from __future__ import annotations

from urllib.parse import quote

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure, invalid
from axonhub_cli.protocols.base import Call, Operation
from axonhub_cli.vendors import SIGNED, Quirks

ROOT = "/v1beta/"


def call(operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
    """See `base.Codec.call`. A summary of the conversation is an ordinary answer here. On Vertex the base URL ends
    with the location."""
    if operation is Operation.EMBED:
        raise invalid("Gemini's embeddings have another shape.", code="unsupported_operation")
    stream = stream and operation is not Operation.COUNT_TOKENS
    on_vertex = quirks.cloud == "vertex"
    if operation is Operation.MODELS:
        if on_vertex:
            raise Failure(APIError(ErrorKind.NOT_FOUND, "Vertex AI has no list of the models a project may use.", 404))
        return Call(f"{ROOT}models?pageSize=1000", {"accept": "application/json", **_shown(key, quirks)})
    if operation is Operation.COUNT_TOKENS:
        method = "countTokens"
    else:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    headers = {"accept": "text/event-stream" if stream else "application/json", **_shown(key, quirks)}
    root = "/" if on_vertex else ROOT
    return Call(f"{root}{quote(_published(model) if on_vertex else resource(model), safe='/@-._~')}:{method}", headers)


def _shown(key: str, quirks: Quirks) -> dict[str, str]:
    if not key or quirks.auth in SIGNED:
        return {}
    return {"authorization": f"Bearer {key}"} if quirks.auth == "bearer" else {"x-goog-api-key": key}


def _published(model: str) -> str:
    """A model's name on Vertex: Google is its publisher where none is named."""
    return model if "/" in model else f"publishers/google/models/{model}"


def resource(model: str) -> str:
    """`models/NAME`; tuned models and those of publishers come with their own collection."""
    return model if "/" in model else f"models/{model}"
