"""What an upstream's error answer means, whatever vendor and shape it comes from (pitfalls 139, 140, 147)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from axonhub_cli.llm.errors import APIError, ErrorKind

RAW_LIMIT = 64 * 1024  # characters of an error body that are kept
_MESSAGE_LIMIT = 4000
_LONGEST_WAIT_S = 1e9  # whatever an upstream says, so that one can reckon with it

# What a kind is worth where the error came without a status of its own, as inside a stream.
STATUS_OF_KIND: dict[ErrorKind, int] = {
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.CONTEXT_LENGTH: 400,
    ErrorKind.AUTHENTICATION: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.RATE_LIMIT: 429,
    ErrorKind.QUOTA: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.SERVER_ERROR: 500,
    ErrorKind.BAD_GATEWAY: 502,
    ErrorKind.TIMEOUT: 504,
    ErrorKind.CANCELED: 499,
}

_STATUSES: dict[int, ErrorKind] = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.QUOTA,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    409: ErrorKind.SERVER_ERROR,
    413: ErrorKind.TOO_LARGE,
    421: ErrorKind.BAD_GATEWAY,
    425: ErrorKind.SERVER_ERROR,
    429: ErrorKind.RATE_LIMIT,
    451: ErrorKind.PERMISSION,
    498: ErrorKind.OVERLOADED,  # Groq: no capacity for the flex tier
    499: ErrorKind.SERVER_ERROR,  # somebody behind it hung up; a client of ours that does is not asked any more
    500: ErrorKind.SERVER_ERROR,
    501: ErrorKind.INVALID_REQUEST,
    503: ErrorKind.OVERLOADED,
    529: ErrorKind.OVERLOADED,
    **dict.fromkeys((502, 520, 521, 523, 525, 526), ErrorKind.BAD_GATEWAY),
    **dict.fromkeys((504, 522, 524), ErrorKind.TIMEOUT),
}

# Vendors' own words, lower case. These say more than the status does.
_CODES: dict[str, ErrorKind] = {
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "context_window_exceeded": ErrorKind.CONTEXT_LENGTH,
    "model_max_prompt_tokens_exceeded": ErrorKind.CONTEXT_LENGTH,
    "string_above_max_length": ErrorKind.CONTEXT_LENGTH,
    "exceed_context_size_error": ErrorKind.CONTEXT_LENGTH,  # llama.cpp
    "1039": ErrorKind.CONTEXT_LENGTH,  # MiniMax
    "1261": ErrorKind.CONTEXT_LENGTH,  # Zhipu
    "insufficient_quota": ErrorKind.QUOTA,
    "insufficient_balance": ErrorKind.QUOTA,
    "insufficient_user_quota": ErrorKind.QUOTA,
    "billing_hard_limit_reached": ErrorKind.QUOTA,
    "billing_not_active": ErrorKind.QUOTA,
    "billing_error": ErrorKind.QUOTA,
    "usage_limit_reached": ErrorKind.QUOTA,
    "usage_not_included": ErrorKind.QUOTA,
    "exceeded_current_quota_error": ErrorKind.QUOTA,  # Moonshot
    "arrearage": ErrorKind.QUOTA,  # DashScope
    "1008": ErrorKind.QUOTA,  # MiniMax
    "1113": ErrorKind.QUOTA,  # Zhipu
    "rate_limit_exceeded": ErrorKind.RATE_LIMIT,
    "rate_limit_reached_error": ErrorKind.RATE_LIMIT,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "too_many_requests": ErrorKind.RATE_LIMIT,
    "resource_exhausted": ErrorKind.RATE_LIMIT,
    "throttling": ErrorKind.RATE_LIMIT,
    "throttling.ratequota": ErrorKind.RATE_LIMIT,
    "throttling.allocationquota": ErrorKind.RATE_LIMIT,
    "1002": ErrorKind.RATE_LIMIT,  # MiniMax
    "1302": ErrorKind.RATE_LIMIT,  # Zhipu
    "server_is_overloaded": ErrorKind.OVERLOADED,
    "slow_down": ErrorKind.OVERLOADED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "engine_overloaded": ErrorKind.OVERLOADED,
    "engine_overloaded_error": ErrorKind.OVERLOADED,
    "unavailable": ErrorKind.OVERLOADED,
    "service_unavailable": ErrorKind.OVERLOADED,
    "1305": ErrorKind.OVERLOADED,  # Zhipu
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "invalid_authentication_error": ErrorKind.AUTHENTICATION,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "unauthenticated": ErrorKind.AUTHENTICATION,
    "api_key_invalid": ErrorKind.AUTHENTICATION,
    "1004": ErrorKind.AUTHENTICATION,  # MiniMax
    "permission_error": ErrorKind.PERMISSION,
    "permission_denied": ErrorKind.PERMISSION,
    "unsupported_country_region_territory": ErrorKind.PERMISSION,
    "model_not_found": ErrorKind.NOT_FOUND,
    "model_not_exist": ErrorKind.NOT_FOUND,
    "not_found_error": ErrorKind.NOT_FOUND,
    "not_found": ErrorKind.NOT_FOUND,
    "resource_not_found_error": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "timeout_error": ErrorKind.TIMEOUT,
    "deadline_exceeded": ErrorKind.TIMEOUT,
    # AWS names its exceptions (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html)
    "throttlingexception": ErrorKind.RATE_LIMIT,
    "servicequotaexceededexception": ErrorKind.QUOTA,
    "accessdeniedexception": ErrorKind.PERMISSION,
    "expiredtokenexception": ErrorKind.AUTHENTICATION,
    "unrecognizedclientexception": ErrorKind.AUTHENTICATION,
    "invalidsignatureexception": ErrorKind.AUTHENTICATION,
    "incompletesignatureexception": ErrorKind.AUTHENTICATION,
    "missingauthenticationtokenexception": ErrorKind.AUTHENTICATION,
    "resourcenotfoundexception": ErrorKind.NOT_FOUND,
    "modelnotreadyexception": ErrorKind.OVERLOADED,
    "serviceunavailableexception": ErrorKind.OVERLOADED,
    "modeltimeoutexception": ErrorKind.TIMEOUT,
    "modelerrorexception": ErrorKind.SERVER_ERROR,
    "invalid_prompt": ErrorKind.INVALID_REQUEST,
    "previous_response_not_found": ErrorKind.INVALID_REQUEST,
    "cyber_policy": ErrorKind.INVALID_REQUEST,
    "content_filter": ErrorKind.INVALID_REQUEST,
    "2013": ErrorKind.INVALID_REQUEST,  # MiniMax
}

# Words of little weight: believed only where there is no status (an error inside a 200 stream).
_TYPES: dict[str, ErrorKind] = {
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
    "invalid_argument": ErrorKind.INVALID_REQUEST,
    "invalid_parameter_error": ErrorKind.INVALID_REQUEST,
    "failed_precondition": ErrorKind.INVALID_REQUEST,
    "badrequesterror": ErrorKind.INVALID_REQUEST,
    "api_error": ErrorKind.SERVER_ERROR,
    "server_error": ErrorKind.SERVER_ERROR,
    "internal_error": ErrorKind.SERVER_ERROR,
    "internal_server_error": ErrorKind.SERVER_ERROR,
    "internal": ErrorKind.SERVER_ERROR,
}

# The sentence, by vendor, for "your conversation does not fit" (pitfall 139).
_CONTEXT = re.compile(
    r"maximum context length"  # OpenAI, vLLM, DeepSeek, OpenRouter, Moonshot
    r"|context[_ ]length[_ ]exceeded"
    r"|prompt is too long"  # Anthropic
    r"|input length and `?max_tokens`? exceed context limit"  # Anthropic
    r"|exceeds? (?:the |your )?(?:model'?s? )?(?:maximum |max |available )?context"  # xAI, LM Studio, llama.cpp
    r"|input token count.{0,40}exceeds the maximum"  # Gemini
    r"|exceeds? the (?:model's )?max(?:imum)? (?:number of )?(?:input |prompt )?tokens?"  # xAI, Groq
    r"|(?:prompt|input|request) (?:tokens )?(?:is |are )?too (?:long|large) for (?:the |this )?(?:model|context)"
    r"|range of input length should be"  # DashScope
    r"|(?:prompt|input|messages?)[^.]{0,60}exceeds? (?:the )?(?:context|token) (?:window|limit|size)"
    r"|context window (?:exceeds|is full|of this model)"  # MiniMax, Codex
    r"|exceeded model token limit"  # Moonshot
    r"|too many (?:input )?tokens.{0,30}context"
    r"|input is too long for requested model"  # Bedrock
    r"|requested token count exceeds"  # Together, Fireworks
    r"|prompt (?:length|has|contains).{0,60}(?:larger|longer|more) than.{0,40}(?:context|max|limit)"  # Ollama, Mistral
    r"|greater than the context length"  # LM Studio
    r"|tokens? (?:in )?(?:total )?exceeds? (?:the )?limit.{0,30}context"
    r"|超过.{0,12}(?:上下文|长度限制)|输入长度",
    re.IGNORECASE | re.DOTALL,
)
_BILLING = re.compile(
    r"insufficient[ _]balance|credit balance is too low|payment required|billing hard limit|余额不足|欠费",
    re.IGNORECASE,
)
# A 403 about what was asked, as OpenRouter and xAI word it: it says nothing of the key.
_POLICY = re.compile(
    r"input was flagged|requires moderation|violates usage guidelines|content[ _]policy|request blocked: ",
    re.IGNORECASE,
)
# A 404 about what a request refers to, as OpenAI and Anthropic word it: path and model are right.
_NO_ITEM = re.compile(r"(?i)(?<!model )\bwith ids? .{1,200} not found|no such file object|\bfile not found: \w")
_BAD_KEY = re.compile(r"api key not valid|invalid api key|incorrect api key|invalid_api_key", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model (?:[`'\"]?[\w./:@-]+[`'\"]? )?(?:(?:does )?not exist|not found)|模型不存在|invalid model: |no such model"
    r"|model [`'\"]?[\w./:@-]+[`'\"]? is not supported|unknown model|not a valid model id|model identifier is invalid",
    re.IGNORECASE,
)
_WAIT = re.compile(
    r"(?:try again|retry|retrying) (?:in|after) (?:about )?(\d+(?:\.\d+)?) ?"
    r"(ms|milliseconds?|m|min|minutes?|s|sec|seconds?)\b",
    re.IGNORECASE,
)
# Where an error may be, inside an error.
_INSIDE = (
    *("error", "errors", "response", "base_resp", "message", "Message"),
    *("status_msg", "msg", "detail", "error_message"),
)
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body)\b", re.IGNORECASE | re.DOTALL)


class _Words:
    """What was found in an error body: its message and the vendor's words for the kind, most telling first."""

    def __init__(self) -> None:
        self.message = ""
        self.words: list[str] = []
        self.code: str | None = None
        self.param: str | None = None
        self.wait: float | None = None


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> APIError:
    """An error answer of an upstream. Header names are lower case. Never raises."""
    raw = body[: RAW_LIMIT * 4].decode("utf-8", "replace")[:RAW_LIMIT]
    html = _HTML.match(raw) is not None
    words = _Words()
    if name := headers.get("x-amzn-errortype", "").partition(":")[0]:
        words.words.append(name)
        words.code = name
    payload = None if html else _json(body)
    if payload is not None:
        _collect(payload, words, 0)
    if not words.message:
        words.message = _plain_text(raw, html) or f"The upstream answered {status} without a word."
    page = html and status in {200, 403, 404, 405}  # somebody's site: the address is wrong, not what was asked
    kind = ErrorKind.BAD_GATEWAY if page else _kind(status, words)
    wait = _header_wait(headers)
    own = status >= 400 and not (status in {403, 404} and kind is ErrorKind.INVALID_REQUEST)  # of keys and paths
    return APIError(
        kind,
        words.message[:_MESSAGE_LIMIT],
        status if own else STATUS_OF_KIND[kind],
        code="not_an_api" if page else words.code,
        param=words.param,
        retry_after=words.wait if wait is None else wait,
        raw=raw,
        upstream=True,
    )


def error_in(payload: Any) -> APIError:
    """An error object that came inside a 200: an event of a stream, or a body's `error` member. Never raises."""
    return read_error(200, {}, payload if isinstance(payload, bytes) else _dump(payload))


def is_context_length(message: str) -> bool:
    """Whether a vendor's sentence says that the conversation does not fit the model."""
    return _CONTEXT.search(message) is not None


def _dump(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload)
    except (UnicodeEncodeError, TypeError, RecursionError):
        return str(payload).encode("utf-8", "replace")


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _collect(value: Any, words: _Words, depth: int) -> None:
    """Walks the shapes vendors use: {error: {…}}, {error: "…"}, [{error}], {detail}, {base_resp}, {message}."""
    if depth > 5:
        return
    if isinstance(value, str):
        words.message = words.message or _nested(value, words, depth)
    elif isinstance(value, list):
        for item in value[:3]:
            _collect(item, words, depth + 1)
    elif isinstance(value, dict):
        _collect_fields(value, words, depth)


def _is_status(word: str) -> bool:
    """Whether a code only says again what the status says (llama.cpp, Google)."""
    return len(word) == 3 and word.isascii() and word.isdigit() and "1" <= word[0] <= "5"


def _collect_fields(value: Mapping[str, Any], words: _Words, depth: int) -> None:
    for name in ("code", "type", "status", "status_code", "reason"):
        word = value.get(name)
        if isinstance(word, (str, int)) and not isinstance(word, bool) and str(word) not in {"", "error", "200"}:
            words.words.append(str(word))
            if name in {"code", "status_code"} and not _is_status(str(word)):
                words.code = words.code or str(word)
    if isinstance(value.get("param"), str):
        words.param = words.param or value["param"]
    if isinstance(value.get("loc"), list):  # FastAPI
        words.param = words.param or ".".join(str(step) for step in value["loc"])
    if words.wait is None:
        words.wait = _body_wait(value)
    for name in _INSIDE:
        if value.get(name):
            _collect(value[name], words, depth + 1)
    metadata = value.get("metadata")  # OpenRouter keeps the provider's own words here
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        inner = _Words()
        inner.message = _nested(metadata["raw"], inner, depth + 1)
        if inner.message and inner.message not in words.message:
            words.message = f"{words.message}: {inner.message}" if words.message else inner.message
        words.words += inner.words
    if isinstance(value.get("details"), list):  # Google
        for detail in value["details"]:
            if isinstance(detail, dict):
                words.words += [str(detail["reason"])] if isinstance(detail.get("reason"), str) else []
                words.wait = words.wait if words.wait is not None else _body_wait(detail)


def _nested(text: str, words: _Words, depth: int) -> str:
    """A message that is itself JSON, as relays make them, gives its inner message."""
    if not text.lstrip().startswith("{"):
        return text
    payload = _json(text.encode("utf-8", "replace"))
    if not isinstance(payload, dict):
        return text
    _collect_fields(payload, words, depth + 1)
    inner, words.message = words.message, ""
    return inner or text


def _kind(status: int, words: _Words) -> ErrorKind:
    said = [word.lower() for word in words.words]
    if is_context_length(words.message) and status not in {401, 402, 403, 404, 429}:
        return ErrorKind.CONTEXT_LENGTH
    if status in {200, 403} and _POLICY.search(words.message):
        return ErrorKind.INVALID_REQUEST
    if status == 404 and _NO_ITEM.search(words.message):
        return ErrorKind.INVALID_REQUEST
    for word in said:
        if kind := _CODES.get(word):
            return kind
    if _BILLING.search(words.message):
        return ErrorKind.QUOTA
    if status < 500 and _BAD_KEY.search(words.message):
        return ErrorKind.AUTHENTICATION
    if status in {200, 400, 422} and _NO_MODEL.search(words.message):
        return ErrorKind.NOT_FOUND
    if status >= 400:
        return _STATUSES.get(status, ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.SERVER_ERROR)
    for word in said:
        number = int(word) if re.fullmatch("[45][0-9][0-9]", word) else 0
        if kind := _STATUSES.get(number):
            return kind
        if 400 <= number < 500:
            return ErrorKind.INVALID_REQUEST
        if kind := _TYPES.get(word):
            return kind
    return ErrorKind.BAD_GATEWAY if status >= 300 else ErrorKind.SERVER_ERROR


def _plain_text(raw: str, html: bool) -> str:
    if not html:
        return raw.strip()[:_MESSAGE_LIMIT]
    title = _TITLE.search(raw)
    text = " ".join(_TAGS.sub(" ", raw).split())[:300]
    return "The upstream answered with a web page: " + (" ".join(title[1].split()) if title else text)


def _header_wait(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, `retry-after` in seconds, or a date measured against the answer's own `date`."""
    if (wait := _number(headers.get("retry-after-ms"))) is not None:
        return wait / 1000
    value = headers.get("retry-after")
    if value is None or (wait := _number(value)) is not None:
        return wait
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _body_wait(value: Mapping[str, Any]) -> float | None:
    seconds = value.get("resets_in_seconds", value.get("retry_after"))
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0:
        return float(min(seconds, _LONGEST_WAIT_S))
    if isinstance(delay := value.get("retryDelay"), str):  # Google's RetryInfo: "20s"
        return _number(delay.removesuffix("s"))
    message = value.get("message")
    if isinstance(message, str) and (found := _WAIT.search(message)):
        unit = found[2].lower()
        factor = 0.001 if unit.startswith(("ms", "milli")) else 60 if unit.startswith("m") else 1
        return min(float(found[1]) * factor, _LONGEST_WAIT_S)
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return min(value, _LONGEST_WAIT_S) if 0 <= value < math.inf else None
