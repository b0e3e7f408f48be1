"""A fake of Bedrock's runtime, a script for `tests.server.upstreams.Upstream`: it computes the signature of what it
received anew with botocore, and refuses what the real one refuses."""

from __future__ import annotations

import asyncio
import base64
import datetime
import itertools
import json
import re
from functools import cache
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.fakes import frames

JSON = dict[str, Any]
KEY, SECRET, TOKEN = "AKIAFAKEFAKEFAKEFAKE", "wJalrFAKE/K7MDENG+bPxRfiCYFAKEKEYFAKEKEY", "FwoGZXIvYXdzFAKE//token=="
API_KEY = "ABSKQmVkcm9ja0FQSUtleS1mYWtl"
REGION = "us-east-1"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_PATH = re.compile(r"/model/([^/?]+)/(invoke|invoke-with-response-stream|converse|converse-stream)")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=(\w{64})"
)
_FIELDS = {
    *("anthropic_version", "anthropic_beta", "max_tokens", "messages", "system", "temperature", "top_p", "top_k"),
    *("tools", "tool_choice", "stop_sequences", "thinking", "output_config", "metadata"),
}
USAGE = {
    "inputTokens": 6,
    "outputTokens": 3,
    "totalTokens": 14,
    "cacheReadInputTokens": 5,
    "cacheWriteInputTokens": 0,
}


class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """An error as AWS words it."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name = status, name


class Bedrock:
    """`content`: the blocks of its answer, as Anthropic words them. `break_off`: (exception, message) in mid-stream;
    `refuse`: the same instead of an answer, with its status in front."""

    def __init__(self, *content: JSON, stop: str = "end_turn", token: str | None = None) -> None:
        self.content = list(content) or [{"type": "text", "text": "Hello there"}]
        self.stop = stop
        self.credentials = Credentials(KEY, SECRET, token)
        self.break_off: tuple[str, str] | None = None
        self.refuse: tuple[int, str, str] | None = None
        self.complaints: list[str] = []

    async def __call__(self, wire: Any) -> None:
        try:
            operation = self.judge(wire.call)
        except Refusal as refusal:
            self.complaints.append(str(refusal))
            extra = (f"x-amzn-ErrorType: {refusal.name}:http://internal.amazon.com/coral/",)
            await wire.answer(refusal.status, {"message": str(refusal)}, extra=extra)
            return
        if operation in ("invoke", "converse"):
            whole = self._message() if operation == "invoke" else self._converse()
            await wire.answer(200, whole, extra=("x-amzn-RequestId: aws-1",))
            return
        await wire.head(media=frames.MEDIA, extra=("x-amzn-RequestId: aws-1",))
        written = self._chunks() if operation.startswith("invoke") else self._events()
        if self.break_off is not None:
            written = written[: len(written) // 2]
        for piece in written:
            await wire.chunk(piece)
        if self.break_off is not None:
            await asyncio.sleep(0.2)  # the client shall have seen what was said before
            await wire.chunk(frames.exception(*self.break_off))
        await wire.end()

    # -- what it takes

    def judge(self, call: Any) -> str:
        self._authenticate(call)
        if self.refuse is not None:
            raise Refusal(*self.refuse)
        found = _PATH.fullmatch(call.path)
        if found is None or call.method != "POST":
            raise Refusal(404, "UnknownOperationException", f"no operation at {call.path}")
        if call.headers.get("content-type") != "application/json":
            raise Refusal(415, "ValidationException", "the content type must be application/json")
        body = json.loads(call.body)
        if found[2].startswith("invoke"):
            judge_messages(body)
        else:
            judge_converse(body, found[1])
        return found[2]

    def _authenticate(self, call: Any) -> None:
        given = call.headers.get("authorization", "")
        if given.startswith("Bearer "):
            if given != f"Bearer {API_KEY}":
                raise Refusal(403, "AccessDeniedException", "Authentication failed: API Key not valid")
            return
        found = _AUTHORIZATION.fullmatch(given)
        if found is None:
            raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        key, day, region, service, signed, signature = found.groups()
        if key != KEY:
            raise Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if (region, service) != (REGION, "bedrock"):
            raise Refusal(403, "InvalidSignatureException", f"Credential should be scoped to {REGION}/bedrock")
        names = signed.split(";")
        stamp = call.headers.get("x-amz-date", "")
        if not {"host", "x-amz-date"} <= set(names) or not stamp.startswith(day):
            raise Refusal(403, "IncompleteSignatureException", "host and x-amz-date must be signed")
        if call.headers.get("x-amz-security-token") != self.credentials.token:
            raise Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        if abs(datetime.datetime.now(datetime.UTC) - at) > datetime.timedelta(minutes=5):
            raise Refusal(403, "InvalidSignatureException", "Signature expired")
        if self._signature(call, names, stamp) != signature:
            raise Refusal(403, "InvalidSignatureException", f"The signature does not match: {call.headers}")

    def _signature(self, call: Any, names: list[str], stamp: str) -> str:
        """Over the path as it came, letter by letter."""
        headers = {name: call.headers[name] for name in names}
        request = AWSRequest(call.method, f"http://{call.headers['host']}{call.path}", headers, call.body)
        request.context["timestamp"] = stamp
        signer = SigV4Auth(self.credentials, "bedrock", REGION)
        return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))

    # -- what it says

    def _message(self) -> JSON:
        from tests.server.speakers import messages_answer

        return messages_answer(*self.content, stop=self.stop)

    def _chunks(self) -> list[bytes]:
        from tests.server.speakers import messages_stream

        pieces = messages_stream(*self.content, stop=self.stop)
        return [frames.chunk(json.loads(piece.split(b"data: ")[1])) for piece in pieces]

    def _converse(self) -> JSON:
        content = [_converse_block(block) for block in self.content]
        message = {"role": "assistant", "content": content}
        return {
            "output": {"message": message},
            "stopReason": self.stop,
            "usage": USAGE,
            "metrics": {"latencyMs": 12},
        }

    def _events(self) -> list[bytes]:
        written = [frames.event("messageStart", {"role": "assistant"})]
        for at, block in enumerate(self.content):
            written += _converse_events(at, block)
        written.append(frames.event("messageStop", {"stopReason": self.stop}))
        written.append(frames.event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 12}}))
        return written


def judge_messages(body: JSON) -> None:
    """The rules of Claude's body on Bedrock."""
    if body.get("anthropic_version") != "bedrock-2023-05-31":
        raise Refusal(400, "ValidationException", "anthropic_version: Field required")
    flags = body.get("anthropic_beta", ())
    flagged = {"context_management"} if any(flag.startswith("context-management-") for flag in flags) else set()
    for name in body.keys() - _FIELDS - flagged:
        raise Refusal(400, "ValidationException", f"{name}: Extra inputs are not permitted")
    if any("strict" in tool for tool in body.get("tools", ())):
        raise Refusal(400, "ValidationException", "tools.0.custom.strict: Extra inputs are not permitted")
    for name in ("max_tokens", "messages"):
        if name not in body:
            raise Refusal(400, "ValidationException", f"{name}: Field required")
    if any("unknown" in flag for flag in flags):
        raise Refusal(400, "ValidationException", "invalid beta flag")


def judge_converse(body: JSON, model: str) -> None:
    """The shapes of botocore's own service model, and what only the service checks: turns, and results of calls."""
    report = ParamValidator().validate({**_with_bytes(body), "modelId": model}, converse_shape())
    if report.has_errors():
        raise Refusal(400, "ValidationException", report.generate_report())
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    if roles[0] != "user" or roles[-1] != "user" or any(a == b for a, b in itertools.pairwise(roles)):
        raise Refusal(400, "ValidationException", f"roles must alternate between user and assistant: {roles}")
    for message, following in itertools.pairwise([*messages, {"content": []}]):
        called = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        results = [b["toolResult"]["toolUseId"] for b in following["content"] if "toolResult" in b]
        if called != results:
            raise Refusal(400, "ValidationException", f"calls {called} are answered by {results}")
    blocks = [block for message in messages for block in message["content"]]
    if any("toolUse" in block for block in blocks) and "toolConfig" not in body:
        raise Refusal(400, "ValidationException", "The toolConfig field must be defined when using toolUse")
    if any(block.get("text") == "" for block in blocks):
        raise Refusal(400, "ValidationException", "The text field in the ContentBlock is blank")
    if json.dumps(body).count('"cachePoint"') > 4:
        raise Refusal(400, "ValidationException", "at most 4 cache points")


@cache
def converse_shape() -> Any:
    model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    return model.operation_model("Converse").input_shape


def _with_bytes(value: Any) -> Any:
    """Base64 as the bytes that the shapes speak of. Raises Refusal for what is none."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        return {
            name: base64.b64decode(item, validate=True)
            if name in ("bytes", "redactedContent") and isinstance(item, str)
            else _with_bytes(item)
            for name, item in value.items()
        }
    except ValueError:
        raise Refusal(400, "SerializationException", "blobs are base64") from None


def _converse_block(block: JSON) -> JSON:
    match block["type"]:
        case "tool_use":
            return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}
        case "thinking":
            text = {"text": block["thinking"], "signature": block["signature"]}
            return {"reasoningContent": {"reasoningText": text}}
        case _:
            return {"text": block["text"]}


def _converse_events(at: int, block: JSON) -> list[bytes]:
    index = {"contentBlockIndex": at}
    deltas: list[JSON]
    written = []
    match block["type"]:
        case "tool_use":
            start = {"toolUse": {"toolUseId": block["id"], "name": block["name"]}}
            written.append(frames.event("contentBlockStart", {"start": start, **index}))
            text = json.dumps(block["input"])
            deltas = [{"toolUse": {"input": text[:5]}}, {"toolUse": {"input": text[5:]}}]
        case "thinking":
            deltas = [
                {"reasoningContent": {"text": block["thinking"]}},
                {"reasoningContent": {"signature": block["signature"]}},
            ]
        case _:
            deltas = [{"text": block["text"][:5]}, {"text": block["text"][5:]}]
    written += [frames.event("contentBlockDelta", {"delta": delta, **index}) for delta in deltas]
    return [*written, frames.event("contentBlockStop", index)]
