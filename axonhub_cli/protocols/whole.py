"""Answers that arrive in one piece, for clients that do not stream and from upstreams that should have."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from axonhub_cli.entities import Body
from axonhub_cli.llm.content import CustomTool, FunctionTool, SearchTool, ShellTool, Tool, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols import loose
from axonhub_cli.protocols.base import Codec, UpstreamCodec, Watch
from axonhub_cli.protocols.compaction import compact_response
from axonhub_cli.protocols.sealing import SealPart, sealed_parts
from axonhub_cli.protocols.unsaid import unsaid
from axonhub_cli.vendors import Quirks

MAX_BODY = 64 * 1024 * 1024  # bytes of a whole answer


class _Embeddings(msgspec.Struct):
    data: list[msgspec.Raw]
    model: Any = None
    usage: Any = None


_EMBEDDINGS = msgspec.json.Decoder(_Embeddings)


class Whole(msgspec.Struct, frozen=True):
    """One answer for a client that does not stream: its bytes, what routing wants to know, and what is recorded."""

    data: bytes
    watch: Watch
    body: Body | None


def whole(
    client: Codec,
    upstream: UpstreamCodec,
    request: Request,
    data: bytes,
    *,
    quirks: Quirks,
    seal_part: SealPart,
    raw: bool = False,
) -> Whole:
    """The upstream's whole body as the client's. `raw`: both speak one protocol and JSON passes untouched.

    A body that is a stream of events is folded (pitfall 50). Raises Failure for an error inside, HTML, or nothing
    (pitfall 51).
    """
    streamed = not _is_json(data)
    try:
        response = _folded(upstream, data, quirks) if streamed else decode_body(upstream, data, quirks)
    except Failure:
        if raw and not streamed and (unfinished := _unfinished(client, data)):
            return unfinished
        raise
    watch = Watch(True, True, usage=response.usage, model=response.model or None, empty=not response.parts)
    watch.finish = response.finish_reason.raw or response.finish_reason.kind.value
    if raw and not streamed:
        return Whole(data, watch, Body("stream", data))
    if raw:
        request = declaring(request, response)
    watch.losses = unsaid(client, response.parts)
    if request.compaction:
        response = compact_response(response)
    sealed = replace(response, parts=sealed_parts(response.parts, seal_part))
    answer = msgspec.json.encode(client.encode_response(sealed, request))
    return Whole(answer, watch, response_body(response))


def embeddings(upstream: UpstreamCodec, data: bytes) -> Whole:
    """An answer of OpenAI's embeddings, as it came. Nothing of it is recorded: nobody reads vectors. Raises Failure for
    an error inside, or for what is no such answer.

    https://platform.openai.com/docs/api-reference/embeddings/object
    """
    try:
        answer = _EMBEDDINGS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Failure(_not_an_answer(upstream, data)) from None
    asked, total = _count(answer.usage, "prompt_tokens"), _count(answer.usage, "total_tokens")
    asked = total if asked is None else asked  # Voyage tells the total alone
    output = max(0, total - asked) if asked is not None and total is not None else None
    usage = Usage(input=asked, output=output) if asked is not None else None
    model = answer.model if isinstance(answer.model, str) else None
    return Whole(data, Watch(output=True, ended=True, usage=usage, model=model), None)


def _count(usage: Any, name: str) -> int | None:
    """What is no number counts nothing: the vectors beside it are good all the same."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def decode_body(upstream: UpstreamCodec, data: bytes, quirks: Quirks) -> Response:
    """A body that should be one JSON answer. Raises Failure with the error inside, whatever its shape."""
    payload = _object(data)
    if payload is None:
        raise Failure(_not_an_answer(upstream, data))
    return upstream.decode_response(payload, quirks)


def declaring(request: Request, response: Response) -> Request:
    """The request with the tools that an answer in its own protocol calls: its names need no translation, so nobody
    has to know what was declared (pitfall 48 is for answers that are translated)."""
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    tools = {(call.kind, call.namespace, call.name): _tool(call) for call in calls}
    return replace(request, tools=(*request.tools, *tools.values())) if tools else request


def _tool(call: ToolCallPart) -> Tool:
    match call.kind:
        case ToolKind.FUNCTION:
            return FunctionTool(call.name, namespace=call.namespace)
        case ToolKind.CUSTOM:
            return CustomTool(call.name, namespace=call.namespace)
        case ToolKind.SEARCH:
            return SearchTool()
        case ToolKind.SHELL:
            return ShellTool()
        case _:
            assert_never(call.kind)


def response_body(response: Response) -> Body:
    """The neutral answer as it is recorded."""
    return Body("response", msgspec.json.encode(response))


def is_stream(head: bytes) -> bool | None:
    """Whether a body that begins like this is a stream of events; None while it is too early to tell (pitfall 50)."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text[:1] not in (b"{", b"[", b"<") if text else None


def _unfinished(client: Codec, data: bytes) -> Whole | None:
    """What is no answer yet but no failure either, between two that speak one protocol: one that runs in the
    background, say. It has a name and a kind, and no error."""
    payload = _object(data) or {}
    if not isinstance(payload.get("id"), str) or not isinstance(payload.get("object"), str) or payload.get("error"):
        return None
    watch = Watch(output=True, ended=True, usage=client.decode_usage(payload))
    return Whole(data, watch, Body("stream", data))


def _is_json(data: bytes) -> bool:
    return is_stream(data[:64]) is not True


def _folded(upstream: UpstreamCodec, data: bytes, quirks: Quirks) -> Response:
    decoder = upstream.stream_decoder(quirks)
    return fold([*decoder.feed(data), *decoder.close()])


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        payload = loose.decode(data)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _not_an_answer(upstream: UpstreamCodec, data: bytes) -> APIError:
    """HTML, an empty body, a list: the codec may still find words in it; the status 200 it came with is no use."""
    error = upstream.decode_error(200, {}, data)
    return replace(error, kind=ErrorKind.BAD_GATEWAY, status=502, upstream=True)
