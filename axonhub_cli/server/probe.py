"""One tiny real request to a channel, and the list of models it has: for the commands that test channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from axonhub_cli import demo, vendors
from axonhub_cli.entities import Channel
from axonhub_cli.errors import AxonHubError
from axonhub_cli.llm.content import TextPart
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.events import PartDelta, PartEnd, StreamEvent
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols import registry
from axonhub_cli.protocols.base import Call, Operation, UpstreamCodec
from axonhub_cli.server import address, faults
from axonhub_cli.server.calls import MAX_MODEL
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.reloader import DEMO
from axonhub_cli.server.reply import Reply
from axonhub_cli.server.transports import Transports
from axonhub_cli.server.upstream import USER_AGENT, Outgoing
from axonhub_cli.vendors import Quirks

T = TypeVar("T")
_PROMPT = "Reply with the single word: ready"
_MAX_TOKENS = 256  # models that think need some before the first word
_LIMITS = Limits(first_byte_s=30.0)
_PATIENCE_S = 120.0  # for all of it: a person waits


class ProbeResult(Struct, frozen=True):
    """What came of the request; `error` is the upstream's own, in words, or ours with a `hint`. Unknown is None."""

    ok: bool
    latency_ms: int
    ttft_ms: int | None = None
    usage: Usage | None = None
    text: str = ""
    error: str | None = None
    hint: str | None = None


async def probe_channel(channel: Channel, key: str | None, model: str) -> ProbeResult:
    """Asks `model` for one word, with the key itself. Never raises for what the upstream does."""
    transports = Transports(_LIMITS)
    start = time.monotonic()
    try:
        first, response = await _in_time(_ask(transports, channel, key or "", model, start))
    except Failure as failure:
        return ProbeResult(False, _ms(start), error=failure.error.message)
    except AxonHubError as problem:
        return ProbeResult(False, _ms(start), error=problem.message, hint=problem.hint)
    finally:
        await transports.close()
    text = "".join(part.text for part in response.parts if isinstance(part, TextPart)).strip()
    return ProbeResult(True, _ms(start), first, response.usage, text)


async def upstream_models(channel: Channel, key: str | None) -> list[str]:
    """The names the upstream lists, in its order, once each and without those that no client may ask for. Raises
    AxonHubError with the upstream's words."""
    if channel.type == DEMO:
        return list(demo.MODELS)
    codec = registry.upstream(vendors.protocols(channel)[0])
    name_them = f"name its models: axonhub channel edit {channel.name} --add-model M"
    try:
        call = codec.call(Operation.MODELS, "", key or "", False, vendors.quirks(channel))
    except Failure as failure:
        raise AxonHubError(f"channel {channel.name}: {failure.error.message}", name_them) from None
    transports = Transports(_LIMITS)
    try:
        return await _in_time(_listed(transports, _outgoing(channel, call, b"", key or "", stream=False), codec))
    except Failure as failure:
        message = failure.error.message.replace(key, "[key]") if key else failure.error.message
        raise AxonHubError(
            f"channel {channel.name}: its models cannot be listed: {message}",
            f"check its base URL and key, or {name_them}",
        ) from None
    finally:
        await transports.close()


async def _in_time(work: Coroutine[Any, Any, T]) -> T:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await work
    except TimeoutError:
        raise Failure(faults.slow("The upstream did not end its answer in time.")) from None


async def _ask(
    transports: Transports, channel: Channel, key: str, model: str, start: float
) -> tuple[int | None, Response]:
    codec, quirks = registry.upstream(vendors.protocols(channel)[0]), vendors.quirks(channel)
    request = Request(model, messages=(Message(Role.USER, (TextPart(_PROMPT),)),), max_tokens=_MAX_TOKENS, stream=True)
    body = msgspec.json.encode(codec.encode_request(request, quirks).payload)
    call = codec.call(Operation.GENERATE, model, key, True, quirks)
    sent = await transports.signed(_outgoing(channel, call, body, key, stream=True))
    try:
        return await _answer(await transports.send(sent), codec, quirks, start)
    except Failure as failure:
        message = failure.error.message
        for secret in sent.secrets:
            message = message.replace(secret, "[key]")
        raise Failure(replace(failure.error, message=message)) from None


async def _answer(reply: Reply, codec: UpstreamCodec, quirks: Quirks, start: float) -> tuple[int | None, Response]:
    try:
        await _check(codec, reply)
        decoder = codec.stream_decoder(quirks)
        events: list[StreamEvent] = []
        first: int | None = None
        while data := await reply.read():
            events += decoder.feed(data)
            if first is None and any(isinstance(event, (PartDelta, PartEnd)) for event in events):
                first = _ms(start)
        return first, fold([*events, *decoder.close()])
    finally:
        reply.close()


async def _listed(transports: Transports, call: Outgoing, codec: UpstreamCodec) -> list[str]:
    reply = await transports.get(call)
    try:
        await _check(codec, reply)
        names = dict.fromkeys(codec.decode_models(_json(await _whole(reply))))
        return [name for name in names if name.strip() and name.isprintable() and len(name) <= MAX_MODEL]
    finally:
        reply.close()


def _outgoing(channel: Channel, call: Call, body: bytes, key: str, *, stream: bool) -> Outgoing:
    common = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT}
    url = address.join(channel.base_url, call.path)
    auth, secrets = vendors.quirks(channel).auth, (key,) if key else ()
    return Outgoing(channel, url, {**call.headers, **common}, body, stream, auth=auth, key=key, secrets=secrets)


async def _whole(reply: Reply) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size < _LIMITS.reply and (data := await reply.read()):
        chunks.append(data)
        size += len(data)
    return b"".join(chunks)


async def _check(codec: UpstreamCodec, reply: Reply) -> None:
    if error := faults.no_answer(reply.status, reply.headers):
        raise Failure(error)
    if reply.status >= 400:
        error = codec.decode_error(reply.status, reply.headers, await _whole(reply))
        raise Failure(replace(error, message=f"{reply.status}: {error.message}"))


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Failure(faults.not_an_api("The upstream's answer is not JSON.")) from None


def _ms(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
