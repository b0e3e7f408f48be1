"""Claude on Bedrock and on Vertex: the same payload, but the path says the model, and the body the version.

https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock,
…/claude-on-vertex-ai; Anthropic's own SDKs for both do the same.
"""

from __future__ import annotations

from urllib.parse import quote

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.base import JSON, Call, Operation
from axonhub_cli.vendors import SIGNED, Quirks

_VERSIONS = {"bedrock": "bedrock-2023-05-31", "vertex": "vertex-2023-10-16"}
_IN_THE_PATH = {"bedrock": frozenset({"model", "stream"}), "vertex": frozenset({"model"})}
_EVENT_STREAM = "application/vnd.amazon.eventstream"
_GENERATING = frozenset({Operation.GENERATE, Operation.COMPACT})
_NAMES = {"bedrock": "Bedrock's runtime", "vertex": "Vertex AI"}


def sells(quirks: Quirks) -> bool:
    """Whether the upstream is one of these clouds."""
    return quirks.cloud in _VERSIONS


def call(operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
    """See `base.UpstreamCodec.call`. On Vertex the base URL ends with the location."""
    cloud = quirks.cloud
    if operation not in _GENERATING:
        words = {Operation.MODELS: "list the models an account may use", Operation.COUNT_TOKENS: "count tokens so"}
        raise Failure(APIError(ErrorKind.NOT_FOUND, f"{_NAMES[cloud]} does not {words[operation]}.", 404))
    name = quote(model, safe=":" if cloud == "bedrock" else "@")
    if cloud == "bedrock":
        path = f"/model/{name}/{'invoke-with-response-stream' if stream else 'invoke'}"
    else:
        path = f"/publishers/anthropic/models/{name}:{'streamRawPredict' if stream else 'rawPredict'}"
    streamed = _EVENT_STREAM if cloud == "bedrock" else "text/event-stream"
    headers = {"accept": streamed if stream else "application/json"}
    if key and quirks.auth not in SIGNED:
        headers["authorization"] = f"Bearer {key}"
    return Call(path, headers)


def fitted(payload: JSON, quirks: Quirks, flags: str | None = None) -> JSON:
    """The payload as the upstream wants it; the same object for anybody but these clouds. `flags` is the header
    `anthropic-beta`, which Bedrock reads in the body."""
    if not sells(quirks):
        return payload
    kept = {name: value for name, value in payload.items() if name not in _IN_THE_PATH[quirks.cloud]}
    kept.setdefault("anthropic_version", _VERSIONS[quirks.cloud])
    if flags and quirks.cloud == "bedrock":
        kept.setdefault("anthropic_beta", flags.split(","))
    return kept
