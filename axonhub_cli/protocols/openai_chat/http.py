"""Where a Chat Completions upstream is asked, and how it is shown the key."""

from __future__ import annotations

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.base import Call, Operation
from axonhub_cli.protocols.openai_http import dated, shown
from axonhub_cli.vendors import Quirks

PATH = "/chat/completions"
_PATHS = {Operation.MODELS: "/models", Operation.EMBED: "/embeddings"}


def call(operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
    """See `base.Codec.call`. A summary of the conversation is an ordinary answer here; counting tokens is unknown."""
    if operation is Operation.COUNT_TOKENS:
        raise Failure(APIError(ErrorKind.NOT_FOUND, "Chat Completions cannot count tokens without answering.", 404))
    if operation in _PATHS:
        stream = False
    accept = "text/event-stream" if stream else "application/json"
    deployment = "" if operation is Operation.MODELS else model
    return Call(dated(_PATHS.get(operation, PATH), quirks, deployment), {"accept": accept, **shown(key, quirks)})
