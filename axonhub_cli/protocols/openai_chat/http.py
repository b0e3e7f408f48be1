"""Where a Chat Completions upstream is asked, and how it is shown the key."""

from __future__ import annotations

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.base import Call, Operation

PATH = "/chat/completions"
_PATHS = {Operation.MODELS: "/models", Operation.EMBED: "/embeddings"}


def call(operation: Operation, model: str, key: str, stream: bool) -> Call:
    """See `base.Codec.call`. A summary of the conversation is an ordinary answer here; counting tokens is unknown."""
    del model  # it travels in the payload
    if operation is Operation.COUNT_TOKENS:
        raise Failure(APIError(ErrorKind.NOT_FOUND, "Chat Completions cannot count tokens without answering.", 404))
    if operation in _PATHS:
        stream = False
    headers = {"accept": "text/event-stream" if stream else "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return Call(_PATHS.get(operation, PATH), headers)
