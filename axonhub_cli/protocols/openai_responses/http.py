"""Where a Responses upstream is asked, and how the key is carried.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.base import Call, Operation

_PATHS = {Operation.GENERATE: "/responses", Operation.COMPACT: "/responses/compact"}


def call(operation: Operation, model: str, key: str, stream: bool) -> Call:
    """Raises Failure (400) for an operation that Responses has no path for."""
    path = _PATHS.get(operation)
    if path is None:
        raise invalid(f"Responses has no {operation.value} operation.", code="unsupported_operation")
    accept = "text/event-stream" if stream and operation is Operation.GENERATE else "application/json"
    headers = {"content-type": "application/json", "accept": accept}
    return Call(path, headers | ({"authorization": f"Bearer {key}"} if key else {}))
