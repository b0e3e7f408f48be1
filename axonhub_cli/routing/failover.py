"""What to do when a channel fails, and what to tell the client when all have.

One table by kind of failure, the same for every protocol. The caller is the only loop that repeats
upstream calls; clients repeat on their own, so every answer here is chosen to make them stop or wait
(Codex asks 30 times for a plain 500, and once for a 429 that names no time; pitfalls 137, 138, 141).
"""

from __future__ import annotations

import math
import re
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from axonhub_cli.llm.errors import APIError, ErrorKind

MAX_ATTEMPTS = 4
MAX_CHANNELS = 3
BUDGET_S = 90.0
MAX_RETRY_AFTER_S = 60

KEY_REST_S = 600.0
QUOTA_REST_S = 900.0
QUOTA_REST_MAX_S = 86_400.0
MODEL_REST_S = 600.0
RATE_REST_S = 2.0
RATE_REST_MAX_S = 60.0
RETRY_AFTER_MAX_S = 3600.0
SHORT_WAIT_S = 3.0
_BACKOFF_S = 0.25
_BACKOFF_MAX_S = 4.0
_DEFAULT_RETRY_AFTER_S = 2


class Fault(StrEnum):
    """`APIError.code` of failures that an upstream did not word itself."""

    CONNECT = "connect_failed"  # refused, unreachable, no such host, connect timeout
    TLS = "tls_failed"  # certificate or name
    STALE = "stale_connection"  # a reused connection closed before any byte came
    RESET = "connection_reset"  # a fresh connection closed before the answer was whole
    SLOW = "upstream_timeout"  # no headers, no first byte, or silence for too long
    REDIRECT = "redirected"  # 3xx: the base URL is wrong
    NOT_AN_API = "not_an_api"  # HTML, a wrong media type, no answer at all, broken JSON
    EMPTY = "empty_answer"  # well-formed, with nothing in it


class Action(StrEnum):
    """What comes next."""

    RETRY = "retry"  # the same channel and key, after `delay`
    NEXT_KEY = "next_key"
    NEXT_CHANNEL = "next_channel"
    STOP = "stop"


class AttemptState(Struct, frozen=True):
    """Where the exchange stands after a failed attempt. Counts include that attempt."""

    attempts: int = 1  # upstream calls made for this request
    here: int = 1  # of these, in a row with this channel and key
    channels: int = 1  # different channels tried
    elapsed: float = 0.0  # seconds since the request came
    other_keys: bool = False  # this channel has another key to try
    other_channels: bool = False
    committed: bool = False  # the client has seen output, or headers
    strikes: int = 0  # `Health.strikes` of this key and model
    chance: float = 1.0  # 0..1, for the jitter
    extra: bool = False  # an operation that not every upstream of the protocol has


class Decision(Struct, frozen=True):
    """`delay` and rests are in seconds; 0 means none. `rest_key_s` belongs to this key, for this model only
    when `rest_model_only`; `rest_channel_s` to the channel for this model; `cause` is what the rest comes from.
    `penalize`: the failure counts against the channel (`Health.fault`)."""

    action: Action
    delay: float = 0.0
    rest_key_s: float = 0.0
    rest_channel_s: float = 0.0
    rest_model_only: bool = False
    penalize: bool = False
    cause: ErrorKind | None = None


class _Class(Struct, frozen=True):
    """One row of the table."""

    retries: int = 0  # more calls to the same channel and key
    hop: bool = True
    penalize: bool = False
    backoff: bool = True


_FINAL = _Class(hop=False)
_HOP = _Class()
_FAULTY = _Class(penalize=True)
_SHAKY = _Class(retries=1, penalize=True)

_BY_FAULT = {
    Fault.CONNECT: _FAULTY,
    Fault.TLS: _FAULTY,
    Fault.STALE: _Class(retries=1, backoff=False),
    Fault.RESET: _SHAKY,
    Fault.SLOW: _FAULTY,
    Fault.REDIRECT: _FAULTY,
    Fault.NOT_AN_API: _FAULTY,
    Fault.EMPTY: _Class(retries=1, backoff=False),  # chance of the model's, not a fault of the channel's
}
_BY_STATUS = {
    405: _FAULTY,
    408: _Class(retries=1),
    409: _Class(retries=1),
    421: _FAULTY,
    425: _Class(retries=1),
    451: _FAULTY,
    501: _HOP,
}
_BY_KIND = {
    ErrorKind.INVALID_REQUEST: _FINAL,
    ErrorKind.CONTEXT_LENGTH: _FINAL,
    ErrorKind.TOO_LARGE: _FINAL,
    ErrorKind.CANCELED: _FINAL,
    ErrorKind.AUTHENTICATION: _HOP,
    ErrorKind.PERMISSION: _HOP,
    ErrorKind.QUOTA: _HOP,
    ErrorKind.RATE_LIMIT: _HOP,
    ErrorKind.OVERLOADED: _SHAKY,
    ErrorKind.SERVER_ERROR: _SHAKY,
    ErrorKind.BAD_GATEWAY: _SHAKY,
    ErrorKind.TIMEOUT: _FAULTY,
}
_MODEL = re.compile(r"model|模型|no endpoints found", re.IGNORECASE)  # OpenRouter's may name what was asked for only
_ABSENT = frozenset({404, 405})  # how a server says that it has no such path
_KEY_KINDS = {ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION, ErrorKind.QUOTA, ErrorKind.RATE_LIMIT}


def decide(error: APIError, state: AttemptState) -> Decision:
    """The next step after `error`. A failure that is not the upstream's, or comes after output, ends it."""
    row = _row(error)
    rests = _rests(error, row, state)
    if not error.upstream or state.committed or not row.hop:
        return replace(rests, action=Action.STOP)
    # The first channel's silence alone may outlast the budget: that must not keep every other one from being asked.
    late = state.elapsed >= BUDGET_S
    if state.attempts >= MAX_ATTEMPTS or (late and state.channels > 1):
        return replace(rests, action=Action.STOP)
    elsewhere = state.other_channels and state.channels < MAX_CHANNELS
    # Nor may the keys of one, or the repeats of two: the last call is for whoever was not asked yet.
    stay = not late and not (elsewhere and state.attempts == MAX_ATTEMPTS - 1)
    if stay and state.here <= row.retries and (delay := _pause(error, row, state)) is not None:
        return Decision(Action.RETRY, delay)
    if stay and state.other_keys and error.kind in _KEY_KINDS:
        return replace(rests, action=Action.NEXT_KEY)
    if elsewhere:
        return replace(rests, action=Action.NEXT_CHANNEL)
    if _worth_waiting(error, state):
        return Decision(Action.RETRY, max(error.retry_after or 0.0, 0.0))
    return replace(rests, action=Action.STOP)


def client_error(error: APIError) -> APIError:
    """The failure as the client is to be told it once no channel is left.

    A refused upstream key never looks like a refused key of ours, and a wait is always told in whole
    seconds from 1 to 60: Codex understands nothing else and sleeps through the rest.
    """
    if not error.upstream:
        return error
    if error.status in (408, 409, 425):
        return _overloaded(error)
    if error.kind in (ErrorKind.INVALID_REQUEST, ErrorKind.CONTEXT_LENGTH, ErrorKind.TOO_LARGE, ErrorKind.CANCELED):
        return error
    if error.code in _CLIENT_BY_FAULT:
        return _as(error, *_CLIENT_BY_FAULT[Fault(error.code)])
    match error.kind:
        case ErrorKind.AUTHENTICATION | ErrorKind.PERMISSION:
            return _as(error, ErrorKind.BAD_GATEWAY, 502, "upstream_auth")
        case ErrorKind.QUOTA:
            return replace(error, status=429, code=error.code or "insufficient_quota", retry_after=None)
        case ErrorKind.RATE_LIMIT:
            return replace(error, status=429, retry_after=_whole_seconds(error.retry_after))
        case ErrorKind.NOT_FOUND:
            if _is_model(error):
                return replace(error, status=404, code=error.code or "model_not_found")
            return _as(error, ErrorKind.BAD_GATEWAY, 502, error.code)
        case ErrorKind.TIMEOUT:
            return replace(error, status=504)
        case ErrorKind.OVERLOADED | ErrorKind.SERVER_ERROR:
            return _overloaded(error)
        case _:
            return _overloaded(error) if error.status in (500, 503, 504) else replace(error, status=502)


_CLIENT_BY_FAULT: dict[str, tuple[ErrorKind, int, str]] = {
    Fault.CONNECT: (ErrorKind.OVERLOADED, 503, "server_is_overloaded"),
    Fault.TLS: (ErrorKind.BAD_GATEWAY, 502, Fault.TLS),
    Fault.STALE: (ErrorKind.BAD_GATEWAY, 502, Fault.STALE),
    Fault.RESET: (ErrorKind.BAD_GATEWAY, 502, Fault.RESET),
    Fault.SLOW: (ErrorKind.TIMEOUT, 504, Fault.SLOW),
    Fault.REDIRECT: (ErrorKind.BAD_GATEWAY, 502, Fault.REDIRECT),
    Fault.NOT_AN_API: (ErrorKind.BAD_GATEWAY, 502, Fault.NOT_AN_API),
    Fault.EMPTY: (ErrorKind.BAD_GATEWAY, 502, Fault.EMPTY),
}


def _row(error: APIError) -> _Class:
    if error.code in _CLIENT_BY_FAULT:
        return _BY_FAULT[Fault(error.code)]
    if error.kind is ErrorKind.NOT_FOUND:
        return _HOP if _is_model(error) else _FAULTY
    if error.kind in _KEY_KINDS:
        return _BY_KIND[error.kind]
    return _BY_STATUS.get(error.status, _BY_KIND[error.kind])


def _rests(error: APIError, row: _Class, state: AttemptState) -> Decision:
    if not error.upstream:
        return Decision(Action.STOP)
    match error.kind:
        case ErrorKind.AUTHENTICATION | ErrorKind.PERMISSION if error.status != 451:
            return Decision(Action.STOP, rest_key_s=KEY_REST_S, cause=ErrorKind.AUTHENTICATION)
        case ErrorKind.QUOTA:
            seconds = error.retry_after or QUOTA_REST_S
            return Decision(Action.STOP, rest_key_s=min(max(seconds, 1.0), QUOTA_REST_MAX_S), cause=error.kind)
        case ErrorKind.RATE_LIMIT:
            return Decision(Action.STOP, rest_key_s=_rate_rest(error, state), rest_model_only=True)
        case ErrorKind.NOT_FOUND if _is_model(error):
            return Decision(Action.STOP, rest_channel_s=MODEL_REST_S, rest_model_only=True)
        case _:
            absent = state.extra and error.status in _ABSENT
            return Decision(Action.STOP, penalize=row.penalize and not absent)


def _rate_rest(error: APIError, state: AttemptState) -> float:
    if error.retry_after is not None:
        return min(max(error.retry_after, 1.0), RETRY_AFTER_MAX_S)
    return min(math.ldexp(RATE_REST_S, min(state.strikes, 10)), RATE_REST_MAX_S)


def _worth_waiting(error: APIError, state: AttemptState) -> bool:
    if error.kind is not ErrorKind.RATE_LIMIT or error.retry_after is None or state.here > 1:
        return False
    return error.retry_after <= SHORT_WAIT_S and state.elapsed + error.retry_after < BUDGET_S


def _pause(error: APIError, row: _Class, state: AttemptState) -> float | None:
    """Seconds before the same channel is asked once more; None where it named a time that is better not waited for."""
    delay, named = _backoff(state) if row.backoff else 0.0, error.retry_after or 0.0
    if named <= delay:
        return delay
    worth = named <= SHORT_WAIT_S and state.elapsed + named < BUDGET_S
    return named if worth and not state.other_channels else None


def _backoff(state: AttemptState) -> float:
    return min(_BACKOFF_MAX_S, math.ldexp(_BACKOFF_S, min(state.here, 10))) * state.chance


def _is_model(error: APIError) -> bool:
    """A 404 about the model, not about the path: an HTML page or a bare "Not Found" is a wrong base URL."""
    if error.code in ("model_not_found", "model_not_available", "DeploymentNotFound"):  # the last is Azure's
        return True
    return error.kind is ErrorKind.NOT_FOUND and _MODEL.search(error.message) is not None


def _as(error: APIError, kind: ErrorKind, status: int, code: str | None) -> APIError:
    wait = _whole_seconds(error.retry_after) if status == 503 else None
    return replace(error, kind=kind, status=status, code=code, retry_after=wait)


def _overloaded(error: APIError) -> APIError:
    # Codex ends a 503 with this code after five quick requests; any other 5xx costs thirty.
    return _as(error, ErrorKind.OVERLOADED, 503, "server_is_overloaded")


def _whole_seconds(seconds: float | None) -> float:
    if seconds is None or not math.isfinite(seconds):
        return float(_DEFAULT_RETRY_AFTER_S)
    return float(min(max(math.ceil(seconds), 1), MAX_RETRY_AFTER_S))
