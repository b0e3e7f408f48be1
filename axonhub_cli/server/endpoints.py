"""From a path to what answers it; every route says what it needs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11
from msgspec import Struct

from axonhub_cli import __version__, ids
from axonhub_cli.entities import ApiKey
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols import registry
from axonhub_cli.protocols.base import Codec, Operation
from axonhub_cli.protocols.openai_responses import COMPACT
from axonhub_cli.server import auth, body, listings
from axonhub_cli.server.calls import Asked
from axonhub_cli.server.client import HTTPClient, base_headers, error_response, json_of
from axonhub_cli.server.connection import REQUEST_ID, SAFE_HEADERS
from axonhub_cli.server.exchange import Exchange
from axonhub_cli.server.hub import Hub
from axonhub_cli.server.reloader import Live
from axonhub_cli.server.websocket import Socket

_RESPONSES, _CHAT, _MESSAGES, _GEMINI = "openai_responses", "openai_chat", "anthropic_messages", "gemini"
_ROOTS = ("responses", "chat", "models", "messages", "embeddings")
_DOUBLED = re.compile(r"(?:/v1(?:beta|alpha)?)+(?=/v1(?:beta|alpha)?(?:/|\Z))")
_GEMINI_METHODS = {
    "generateContent": (Operation.GENERATE, False),
    "streamGenerateContent": (Operation.GENERATE, True),
    "countTokens": (Operation.COUNT_TOKENS, False),
}
# Whose list of models it is to be.
_LISTS = {_RESPONSES: "openai", _MESSAGES: "anthropic", _GEMINI: "gemini"}


class Need(StrEnum):
    """What a caller must show."""

    NOTHING = "nothing"
    KEY = "key"
    KEY_OR_LOOPBACK = "key_or_loopback"


class Caller(Struct, frozen=True):
    """Who asks, by the snapshot taken for this request; `key` is None where the route needs none."""

    live: Live
    key: ApiKey | None
    path: str  # in its plain spelling


Handler = Callable[[Hub, web.BaseRequest, Caller], Awaitable[web.StreamResponse]]


class Route(Struct, frozen=True):
    """`path` ends in `/*` where a name follows."""

    method: str
    path: str
    need: Need
    handler: Handler


async def handle(hub: Hub, request: web.BaseRequest) -> web.StreamResponse:
    """Every request: Host and Origin, then the key, then the route (reliability S1, S4, S9). Unknown routes need a key
    like any other."""
    path = plain_path(request.path)
    codec = registry.codec(protocol_of(request.method, path, request.headers))
    if refusal := _refused_version(request):
        return _refused(codec, refusal, close=True)
    if refusal := auth.refused_origin(request.headers, request.raw_path, hub.hosts):
        return _refused(codec, refusal, close=True)
    route = find_route(request.method, path)
    need = route.need if route else Need.KEY
    live = hub.reloader.current()
    shown = auth.presented_key(request.headers, request.query)
    key = auth.authenticate(live.snapshot, shown, request.remote, hub.now_ms())
    if key is None and not _open_to(need, request.remote):
        hub.refused.warn(f"a request from {request.remote} without a valid key was refused")
        return _refused(codec, auth.REFUSED, close=request.can_read_body)
    if route is None:
        refused = _refused(codec, _unknown(request.method, path), close=request.can_read_body)
        if refused.status == 405:
            refused.headers["Allow"] = ", ".join(_methods(path))
        return refused
    response = await route.handler(hub, request, Caller(live, key, path))
    if not response.prepared:
        response.headers.setdefault(REQUEST_ID, ids.new_id("req"))
    return response


def plain_path(path: str) -> str:
    """One spelling for what clients make of a base URL: `/v1` missing or doubled, `/anthropic` before it, a slash at
    the end (pitfall 25)."""
    path = path.rstrip("/")
    if path == "/anthropic" or path.startswith("/anthropic/"):
        path = path.removeprefix("/anthropic")
    path = _DOUBLED.sub("", path, count=1) if _DOUBLED.match(path) else path
    if path.startswith("/v1alpha/"):
        path = path.replace("/v1alpha/", "/v1beta/", 1)
    first = path.partition("/")[2].partition("/")[0]  # none in `*`, which is no path
    return f"/v1{path}" if first in _ROOTS else path or "/"


def protocol_of(method: str, path: str, headers: Mapping[str, str]) -> str:
    """Whose words a plain path wants to be answered in, whether or not there is such a route."""
    if path.startswith("/v1beta/") or (method == "POST" and path.startswith("/v1/models/")):
        return _GEMINI
    if path.startswith(("/v1/chat/", "/v1/embeddings")):
        return _CHAT
    if path.startswith("/v1/messages"):
        return _MESSAGES
    if path.startswith("/v1/responses"):
        return _RESPONSES
    if "anthropic-version" in headers:
        return _MESSAGES
    return _GEMINI if "x-goog-api-key" in headers or "x-goog-api-client" in headers else _RESPONSES


def find_route(method: str, path: str) -> Route | None:
    """The route of a plain path."""
    if route := _ROUTES.get((method, path)):
        return route
    parent = path.split("/")[:3]
    return _ROUTES.get((method, "/".join([*parent, "*"]))) if path.count("/") >= len(parent) else None


def _refused_version(request: web.BaseRequest) -> APIError | None:
    """What the library lets through: versions that are not served, and a framing that HTTP/1.0 does not have
    (RFC 9112, 6.1)."""
    if request.version not in (HttpVersion10, HttpVersion11):
        return APIError(ErrorKind.INVALID_REQUEST, "Only HTTP/1.1 is spoken here.", 505, code="bad_http")
    if request.version == HttpVersion10 and "Transfer-Encoding" in request.headers:
        return APIError(ErrorKind.INVALID_REQUEST, "The request is not valid HTTP.", 400, code="bad_http")
    return None


def _open_to(need: Need, peer: str | None) -> bool:
    return need is Need.NOTHING or (need is Need.KEY_OR_LOOPBACK and auth.is_loopback(peer))


def _generate(codec: Codec, operation: Operation = Operation.GENERATE) -> Handler:
    async def handler(hub: Hub, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        return await _serve(hub, request, caller, codec, operation, by_path={})

    return handler


async def _gemini(hub: Hub, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
    """Model and method are in the path; the codec reads them in the payload."""
    codec = registry.codec(_GEMINI)
    model, _, method = caller.path.partition("/models/")[2].rpartition(":")
    if method not in _GEMINI_METHODS:
        return _refused(codec, _unknown(request.method, caller.path), close=request.can_read_body)
    operation, stream = _GEMINI_METHODS[method]
    by_path: dict[str, Any] = {"model": model, "stream": stream}
    if stream:
        by_path["alt"] = "sse" if request.query.get("alt") == "sse" else "json"
    return await _serve(hub, request, caller, codec, operation, by_path=by_path)


async def _serve(
    hub: Hub,
    request: web.BaseRequest,
    caller: Caller,
    codec: Codec,
    operation: Operation,
    *,
    by_path: Mapping[str, Any],
) -> web.StreamResponse:
    request_id = ids.new_id("req")
    held = 0
    try:
        _check_media(request)
        hub.check_room()
        data = await _read(hub, request)
        held = len(data)
        hub.bodies_held += held
        asked = Asked(codec, operation, data, body.parse(data, hub.limits), _lowered(request), by_path=by_path)
        assert caller.key is not None
        client = HTTPClient(request, codec.manners, hub.limits)
        exchange = Exchange(hub, caller.live, client, asked, key=caller.key, record_id=request_id, path=request.path)
        return await exchange.run()
    except Failure as failure:
        # Only what came before the exchange: it answers for itself.
        hub.metrics.count("axonhub_requests_total", f'status="{failure.error.status}"')
        return _refused(codec, failure.error, request_id, close=not request.content.at_eof())
    finally:
        hub.bodies_held -= held


def _check_media(request: web.BaseRequest) -> None:
    """A page can send other types across origins without asking (reliability S2)."""
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        message = "The Content-Type must be application/json."
        raise Failure(APIError(ErrorKind.INVALID_REQUEST, message, 415, code="unsupported_media_type"))


async def _read(hub: Hub, request: web.BaseRequest) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    return await body.read(request, hub.limits)


def _lowered(request: web.BaseRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def _models(_hub: Hub, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
    codex = "client_version" in request.query
    shape = "codex" if codex else _LISTS[protocol_of(request.method, caller.path, request.headers)]
    return json_of(listings.listing(shape, caller.live, caller.key))


async def _model(_hub: Hub, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
    protocol = protocol_of(request.method, caller.path, request.headers)
    name = unquote(caller.path.partition("/models/")[2])
    if (found := listings.entry(_LISTS[protocol], caller.live, caller.key, name)) is not None:
        return json_of(found)
    message = f"There is no model {name[:256]!r}."
    error = APIError(ErrorKind.NOT_FOUND, message, 404, code="model_not_found", param="model")
    return _refused(registry.codec(protocol), error)


async def _health(hub: Hub, _request: web.BaseRequest, _caller: Caller) -> web.StreamResponse:
    return json_of({"status": "stopping" if hub.stopping else "ok", "version": __version__})


async def _metrics(hub: Hub, _request: web.BaseRequest, _caller: Caller) -> web.StreamResponse:
    gauges = {**hub.recorder.gauges(), "axonhub_requests_in_flight": len(hub.exchanges)}
    gauges["axonhub_sockets_open"] = len(hub.sockets)
    headers = {**SAFE_HEADERS, "Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    return web.Response(text=hub.metrics.text(gauges), headers=headers)


async def _alive(_hub: Hub, _request: web.BaseRequest, _caller: Caller) -> web.StreamResponse:
    return web.Response(headers=SAFE_HEADERS)


async def _socket(hub: Hub, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
    socket = Socket(hub, request, caller.path)
    if socket.wanted and len(hub.sockets) < hub.limits.sockets and not hub.stopping:
        return await socket.serve()
    # 426 makes Codex go on over HTTP at once, at 503 it would knock for six seconds (pitfall 159, measured with 0.169).
    error = APIError(ErrorKind.INVALID_REQUEST, "Use POST, or upgrade to WebSocket.", 426, code="upgrade_required")
    response = _refused(registry.codec(_RESPONSES), error)
    response.headers["Upgrade"] = "websocket"
    return response


def _refused(codec: Codec, error: APIError, request_id: str | None = None, *, close: bool = False) -> web.Response:
    """`close`: a body was not read, and will not be."""
    response = error_response(codec, error, base_headers(request_id or ids.new_id("req")))
    response.set_status(error.status)
    if close:
        response.force_close()
    return response


def _unknown(method: str, path: str) -> APIError:
    if others := _methods(path):
        message = f"{path} takes {', '.join(others)}, not {method[:16]}."
        return APIError(ErrorKind.INVALID_REQUEST, message, 405, code="method_not_allowed")
    return APIError(ErrorKind.NOT_FOUND, f"There is no {method[:16]} {path[:200]} here.", 404, code="unknown_route")


def _methods(path: str) -> list[str]:
    return sorted({route.method for route in ROUTES if route.path == path})


ROUTES = (
    Route("POST", "/v1/responses", Need.KEY, _generate(registry.codec(_RESPONSES))),
    Route("POST", "/v1/responses/compact", Need.KEY, _generate(COMPACT, Operation.COMPACT)),
    Route("POST", "/v1/chat/completions", Need.KEY, _generate(registry.codec(_CHAT))),
    Route("POST", "/v1/embeddings", Need.KEY, _generate(registry.codec(_CHAT), Operation.EMBED)),
    Route("POST", "/v1/messages", Need.KEY, _generate(registry.codec(_MESSAGES))),
    Route("POST", "/v1/messages/count_tokens", Need.KEY, _generate(registry.codec(_MESSAGES), Operation.COUNT_TOKENS)),
    Route("POST", "/v1beta/models/*", Need.KEY, _gemini),
    Route("POST", "/v1/models/*", Need.KEY, _gemini),
    Route("GET", "/v1/responses", Need.KEY, _socket),
    Route("HEAD", "/v1/responses", Need.KEY, _alive),
    Route("GET", "/v1/models", Need.KEY, _models),
    Route("GET", "/v1/models/*", Need.KEY, _model),
    Route("GET", "/v1beta/models", Need.KEY, _models),
    Route("GET", "/v1beta/models/*", Need.KEY, _model),
    Route("GET", "/health", Need.NOTHING, _health),
    Route("HEAD", "/health", Need.NOTHING, _alive),
    Route("HEAD", "/", Need.NOTHING, _alive),
    Route("GET", "/metrics", Need.KEY_OR_LOOPBACK, _metrics),
)
_ROUTES = {(route.method, route.path): route for route in ROUTES}
