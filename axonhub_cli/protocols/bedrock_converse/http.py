"""Where Converse is asked. The signature, or a Bedrock API key, is put on by whoever sends.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from urllib.parse import quote

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.base import Call, Operation
from axonhub_cli.vendors import SIGNED, Quirks


def call(operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
    """See `base.UpstreamCodec.call`. A summary of the conversation is an ordinary answer here."""
    if operation in (Operation.MODELS, Operation.COUNT_TOKENS):
        words = "list the models an account may use" if operation is Operation.MODELS else "count tokens so"
        raise Failure(APIError(ErrorKind.NOT_FOUND, f"Bedrock's runtime does not {words}.", 404))
    headers = {"accept": "application/vnd.amazon.eventstream" if stream else "application/json"}
    if key and quirks.auth not in SIGNED:
        headers["authorization"] = f"Bearer {key}"
    return Call(f"/model/{quote(model, safe=':')}/{'converse-stream' if stream else 'converse'}", headers)
