"""What one client asked for, and the call that asks one channel for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from axonhub_cli.entities import Body, Channel, UpstreamKey
from axonhub_cli.errors import ConfigError
from axonhub_cli.llm.content import Part
from axonhub_cli.llm.errors import APIError, Failure, invalid
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols import registry
from axonhub_cli.protocols.base import JSON, SSE, Codec, Loss, Operation, StreamEncoder, UpstreamCodec
from axonhub_cli.protocols.opaque import Seal, seal_part, unseal_request
from axonhub_cli.protocols.remedies import Remedy
from axonhub_cli.protocols.retarget import patch_raw, without_raw
from axonhub_cli.protocols.translator import Passthrough, Relay, Translation, Whole, whole
from axonhub_cli.protocols.whole import embeddings
from axonhub_cli.routing import affinity
from axonhub_cli.server import address, faults
from axonhub_cli.server.upstream import USER_AGENT, Outgoing
from axonhub_cli.vendors import Quirks
from axonhub_cli.vendors.rows import RESPONSES

MAX_MODEL = 256
_ABSENT = object()

KeyReader = Callable[[UpstreamKey, Channel], str]


class Asked:
    """`headers` have lower-case names; `by_path` is what the path says instead of the body, whose fields it overrules.
    Raises Failure (400) where no usable model is named."""

    def __init__(
        self,
        codec: Codec,
        operation: Operation,
        body: bytes,
        given: JSON,
        headers: Mapping[str, str],
        *,
        by_path: Mapping[str, Any] | None = None,
    ) -> None:
        self.codec, self.operation = codec, operation
        self.body, self.given, self.headers = body, given, headers
        self.payload: JSON = {**given, **by_path} if by_path else given
        self.model = _model(self.payload)
        self.stream = self.payload.get("stream") is True and operation is Operation.GENERATE
        self.media = codec.stream_media(self.payload) if self.stream else "application/json"
        self._request: Request | None = None

    def request(self) -> Request:
        """The neutral request, decoded when first asked for. Raises Failure (400) naming the field."""
        if self._request is None:
            self._request = replace(self.codec.decode_request(self.payload), stream=self.stream)
        return self._request

    def sums_up(self) -> bool:
        """Whether the client asks for a summary of its conversation."""
        return self.operation is Operation.COMPACT or affinity.sums_up(self.headers, self.payload)

    def outline(self) -> Request:
        """As much of the request as encoders need where nothing is translated."""
        return self._request or Request(model=self.model, stream=self.stream)


def _model(payload: Mapping[str, Any]) -> str:
    model = payload.get("model")
    if not isinstance(model, str) or not model.strip():
        raise invalid("`model` must be the name of a model.", param="model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise invalid(f"`model` must be at most {MAX_MODEL} printable characters.", param="model")
    return model


class Prepared(Struct, frozen=True):
    """One call, ready to be sent, and how its answer will be read. `raw`: both sides speak one protocol."""

    call: Outgoing
    upstream: UpstreamCodec
    quirks: Quirks
    raw: bool
    losses: tuple[Loss, ...]
    path: str
    seal_part: Callable[[Part], Part]

    def relay(
        self, asked: Asked, response_id: str, now: int, encoder: Callable[[], StreamEncoder], *, begun: bool
    ) -> Relay:
        """For an answer that streams. `encoder`: the one that has `begun` it for a client that waits, or may have."""
        if self.raw and not begun:
            return Passthrough(asked.codec, asked.outline(), quirks=self.quirks, response_id=response_id, now=now)
        return Translation(
            asked.codec,
            self.upstream,
            asked.request(),
            quirks=self.quirks,
            response_id=response_id,
            now=now,
            # The vendor's own state stays its own where it passes: it will come back to that vendor as it is.
            seal_part=_as_it_is if self.raw else self.seal_part,
            encoder=encoder,
            scrub=self.scrubbed,
        )

    def scrubbed(self, error: APIError) -> APIError:
        """Without the key, which some upstreams repeat in their errors (reliability K5)."""
        for secret in self.call.secrets:
            if secret in f"{error.message}{error.raw}{error.param}{error.code}":
                words = {name: getattr(error, name) for name in ("message", "raw", "param", "code")}
                clean = {name: value.replace(secret, "[key]") for name, value in words.items() if value}
                error = replace(error, **clean)
        return error

    def scrubbed_body(self, body: Body) -> Body:
        """The same for what is kept of an answer that passed as it came."""
        for secret in map(str.encode, self.call.secrets):
            if secret in body.data:
                body = replace(body, data=body.data.replace(secret, b"[key]"))
        return body

    def whole(self, asked: Asked, data: bytes) -> Whole:
        """For an answer in one piece. Raises Failure for an error inside."""
        if asked.operation is Operation.EMBED:
            return embeddings(self.upstream, data)
        request = asked.outline() if self.raw else asked.request()
        return whole(
            asked.codec,
            self.upstream,
            request,
            data,
            quirks=self.quirks,
            seal_part=self.seal_part,
            raw=self.raw,
        )


def speaks(asked: Asked, protocol: str, quirks: Quirks) -> bool:
    """Whether the client's request and the upstream's answer in `protocol` can pass as they come."""
    if asked.operation is Operation.EMBED:
        return True
    if protocol != asked.codec.name or (asked.stream and asked.media != SSE):
        return False
    return asked.codec.fits(asked.payload, quirks)


def protocol_for(asked: Asked, protocols: tuple[str, ...]) -> str:
    """The client's own where the channel speaks it, else the one the channel prefers. Embeddings pass by either of
    OpenAI's."""
    if asked.codec.name in protocols:
        return asked.codec.name
    return RESPONSES if asked.operation is Operation.EMBED and RESPONSES in protocols else protocols[0]


def prepare(
    asked: Asked,
    channel: Channel,
    key: UpstreamKey | None,
    model: str,
    *,
    protocol: str,
    quirks: Quirks,
    seal: Seal,
    read_key: KeyReader,
    fresh: bool,
    remedies: Sequence[Remedy] = (),
) -> Prepared:
    """The call that asks `channel` for `model`, with what `remedies` leave out left out. Raises Failure: the client's
    fault (400), or an unusable key."""
    upstream = registry.upstream(protocol)
    raw = speaks(asked, protocol, quirks)
    origin = f"{protocol}/{channel.id}"
    operation = asked.operation if raw else Operation.GENERATE
    secret = _key(key, channel, read_key)
    call = upstream.call(operation, model, secret, asked.stream, quirks)
    if raw:
        body, losses = _patched(asked, model, quirks, seal, remedies)
    else:
        body, losses = _encoded(asked, upstream, model, quirks, (seal, origin), remedies=remedies)
    headers = {
        **call.headers,
        **(asked.codec.pass_headers(asked.headers, asked.payload, quirks) if raw else {}),
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
    }
    url = address.join(channel.base_url, call.path)
    secrets = (secret,) if secret else ()
    return Prepared(
        Outgoing(channel, url, headers, body, asked.stream, fresh, quirks.auth, secret, secrets),
        upstream,
        quirks,
        raw,
        losses,
        urlsplit(url).path,
        lambda part: seal_part(part, seal, origin),
    )


def _as_it_is(part: Part) -> Part:
    return part


def _key(key: UpstreamKey | None, channel: Channel, read_key: KeyReader) -> str:
    if key is None:
        return ""
    try:
        return read_key(key, channel)
    except ConfigError as error:
        # The words name variables and addresses of this machine: for the log, not for clients (reliability S22).
        raise Failure(
            faults.unusable_key(f"A key of the channel cannot be used; `axonhub channel test {channel.name}` says why.")
        ) from error


def _patched(
    asked: Asked, model: str, quirks: Quirks, seal: Seal, remedies: Sequence[Remedy]
) -> tuple[bytes, tuple[Loss, ...]]:
    """The client's own bytes with another model; envelopes of ours taken out, and a channel's own fields added."""
    own = {} if asked.operation is Operation.EMBED else quirks.body
    passed = asked.codec.pass_on({**own, **asked.payload}, model, quirks, seal, asked.headers)
    payload, lost = _mended(passed.payload, remedies)
    changes = {name: value for name, value in payload.items() if asked.given.get(name, _ABSENT) is not value}
    body = patch_raw(asked.body, changes)
    removed = asked.given.keys() - payload.keys()
    return without_raw(body, removed) if removed else body, (*passed.losses, *lost)


def _mended(payload: JSON, remedies: Sequence[Remedy]) -> tuple[JSON, tuple[Loss, ...]]:
    losses: tuple[Loss, ...] = ()
    for remedy in remedies:
        payload, lost = remedy.edit(payload)
        losses += lost
    return payload, losses


def _encoded(
    asked: Asked,
    upstream: UpstreamCodec,
    model: str,
    quirks: Quirks,
    maker: tuple[Seal, str],
    *,
    remedies: Sequence[Remedy],
) -> tuple[bytes, tuple[Loss, ...]]:
    request, lost = unseal_request(asked.request(), *maker, upstream.name)
    encoded = upstream.encode_request(replace(request, model=model), quirks)
    payload, left_out = _mended(encoded.payload, remedies)
    return msgspec.json.encode(payload), (*lost, *encoded.losses, *left_out)
