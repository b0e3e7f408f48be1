"""The contracts every protocol fulfils."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import StreamEvent
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.vendors import Quirks

JSON = dict[str, Any]
SSE = "text/event-stream"
NO_HEADERS: Mapping[str, str] = {}


class Operation(StrEnum):
    """What a client wants of an endpoint, whatever its protocol."""

    GENERATE = "generate"
    COMPACT = "compact"
    COUNT_TOKENS = "count_tokens"
    EMBED = "embeddings"
    MODELS = "models"


class Loss(Struct, frozen=True):
    """A field the target cannot say. `field` is a dotted path in the client's request; of what the upstream said and
    the client cannot be told it begins with `answer`."""

    field: str
    reason: str


class Encoded(Struct, frozen=True):
    """A request in a protocol's own words, and what could not be said in them."""

    payload: JSON
    losses: tuple[Loss, ...] = ()


Edited = tuple[JSON, tuple[Loss, ...]]  # a payload, and what is missing from it


class Call(Struct, frozen=True):
    """Where and how to send a payload: `path` is appended to the channel's base URL; `headers`
    carry the key in the protocol's own way."""

    path: str
    headers: Mapping[str, str]


class Manners(Struct, frozen=True):
    """How a protocol's clients want HTTP itself to be used."""

    breaks_after_error: bool = False  # they take a body that ends well for an answer that did (reliability 5.3)
    waits_at_503: bool = True  # a 503 may name a wait
    translated_headers: Mapping[str, str] = {}  # what they are told of an answer in our words
    shown_prefixes: tuple[str, ...] = ()  # what of an upstream's headers they see of an answer in its own
    strict_sdk: bool = False  # the vendor's SDK takes no event before the answer's beginning, a comment it does
    returns_state: bool = True  # they bring back what only an upstream understands
    citations: str = "all"  # which annotations of a text they can be told: all, own (of their protocol's making), none


class Unsealer(Protocol):
    """Opens our envelopes; `opaque.Seal` fits."""

    def unseal(self, token: str) -> tuple[str, dict[str, Any]] | None: ...


class StreamDecoder(Protocol):
    """Upstream bytes of one stream -> events. Never raises, whatever the bytes: a fault is a StreamError."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Takes the next bytes, cut anywhere; returns the events they complete. Deltas of one part
        that arrive together come out as one delta."""
        ...

    def close(self) -> list[StreamEvent]:
        """The upstream's stream is over: returns what is left, at least the end if none was given yet."""
        ...


class StreamEncoder(Protocol):
    """Events of one answer -> the client's bytes."""

    def encode(self, events: Iterable[StreamEvent]) -> bytes:
        """The bytes for these events; all that leave in one write. A ResponseStart after the first says nothing."""
        ...

    def keepalive(self) -> bytes:
        """Bytes that this protocol's clients count as life and otherwise ignore (pitfall 151). They never begin the
        answer: before its ResponseStart they fit into one that somebody else writes."""
        ...


class Watch(Struct):
    """What passthrough needs to know of a stream it does not touch. Fields only ever grow."""

    output: bool = False  # a part's delta or end has been seen: too late for another channel
    ended: bool = False  # the protocol's own terminal event has been seen
    error: APIError | None = None  # an error in the stream, first or last
    usage: Usage | None = None
    model: str | None = None  # the model the upstream says it used
    finish: str | None = None
    empty: bool = False  # the terminal event came, and nothing was said before it
    losses: tuple[Loss, ...] = ()  # what was said that the client could not be told


class StreamWatcher(Protocol):
    """Listens to raw bytes that pass by; parses no more than it must. Never raises."""

    watch: Watch

    def feed(self, data: bytes) -> None:
        """Takes the next bytes, cut anywhere."""
        ...


class UpstreamCodec(Protocol):
    """A protocol as upstreams speak it. Holds no state; every method is pure."""

    name: str

    def encode_request(self, request: Request, quirks: Quirks) -> Encoded:
        """The request for `request.model`. Raises Failure where something must not be dropped."""
        ...

    def decode_response(self, payload: JSON, quirks: Quirks) -> Response:
        """Raises Failure (bad_gateway or the error inside) for what is no answer."""
        ...

    def stream_decoder(self, quirks: Quirks) -> StreamDecoder: ...

    def decode_usage(self, payload: JSON) -> Usage | None:
        """The usage inside a whole, not streamed answer; None where it has none."""
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """Any error answer of an upstream, whatever its shape (pitfall 147). Header names are lower case."""
        ...

    def without_state(self, payload: JSON) -> Edited:
        """A request as an upstream was sent it without what earlier answers left there for it alone, which it refused:
        signatures, encrypted reasoning. What was said stays. The same object where there was nothing of the kind; the
        caller's is not touched."""
        ...

    def call(self, operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
        """How to ask an upstream; `quirks.auth` says how the key is shown where there is a choice, `quirks.cloud` whose
        paths to take. Raises Failure where the protocol or the cloud lacks the operation."""
        ...

    def decode_models(self, payload: Any) -> list[str]:
        """The names in an upstream's answer to MODELS, in its order; what is no name is left out."""
        ...


class Codec(UpstreamCodec, Protocol):
    """A protocol as clients speak it too."""

    manners: Manners

    def decode_request(self, payload: JSON) -> Request:
        """Raises Failure (400, naming the field) for what cannot be understood."""
        ...

    def encode_response(self, response: Response, request: Request) -> JSON:
        """The answer as the client expects it; `response.model` is replaced by the name it asked for."""
        ...

    def stream_encoder(self, request: Request, response_id: str, now: int) -> StreamEncoder:
        """`response_id` is ours (letters, digits), used where the upstream's does not fit the protocol's
        form; `now` is seconds since 1970."""
        ...

    def stream_watcher(self) -> StreamWatcher: ...

    def encode_error(self, error: APIError) -> tuple[int, JSON]:
        """Status and body before anything was sent, in the shape that makes this protocol's clients act rightly."""
        ...

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        """Whether an upstream of the same protocol with these quirks takes a client's payload as it stands. Where it
        does not, the request is decoded and encoded anew, as between two protocols."""
        ...

    def pass_on(
        self,
        payload: JSON,
        model: str,
        quirks: Quirks,
        unsealer: Unsealer,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Encoded:
        """A client's payload for an upstream of the same protocol: for `model`, without what is ours; everything else
        is the same object as before (pitfalls 13, 65). The caller's payload is not touched. Of the client's `headers`
        (lower case) goes in what such an upstream wants to read there."""
        ...

    def pass_headers(self, headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
        """What of a client's headers (lower case) goes along with `payload` to an upstream of the same protocol;
        everything else stays here (reliability B11)."""
        ...

    def stream_media(self, payload: JSON) -> str:
        """The media type in which the client wants its stream; an upstream's own can pass only as SSE."""
        ...

    def encode_count(self, tokens: int) -> JSON:
        """The answer to COUNT_TOKENS."""
        ...

    def decode_count(self, payload: JSON) -> int:
        """The tokens an upstream counted. Raises Failure for what is no count."""
        ...
