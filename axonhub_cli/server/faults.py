"""What can go wrong between us and an upstream, as APIErrors (reliability 5.1)."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.http import HttpProcessingError

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.routing.failover import Fault
from axonhub_cli.server.http1 import BadHTTP


def connect_failed(words: str) -> APIError:
    """Nothing was sent."""
    return APIError(ErrorKind.OVERLOADED, words, 503, code=Fault.CONNECT, upstream=True)


def tls_failed(words: str) -> APIError:
    """The peer could not prove who it is."""
    return APIError(ErrorKind.BAD_GATEWAY, words, 502, code=Fault.TLS, upstream=True)


def reset(reused: bool) -> APIError:
    """Cut before any byte of the answer. On a reused connection that says nothing about the upstream."""
    if reused:
        return APIError(
            ErrorKind.BAD_GATEWAY, "The upstream had closed the connection.", 502, code=Fault.STALE, upstream=True
        )
    return APIError(ErrorKind.BAD_GATEWAY, "The upstream closed the connection.", 502, code=Fault.RESET, upstream=True)


def cut() -> APIError:
    """The connection broke inside the answer."""
    return APIError(
        ErrorKind.BAD_GATEWAY,
        "The upstream's connection broke before its answer ended.",
        502,
        code=Fault.RESET,
        upstream=True,
    )


def slow(words: str) -> APIError:
    """A limit of time passed."""
    return APIError(ErrorKind.TIMEOUT, words, 504, code=Fault.SLOW, upstream=True)


def not_an_api(words: str, status: int = 502) -> APIError:
    """Whatever answered, it does not speak the protocol."""
    return APIError(ErrorKind.BAD_GATEWAY, words, status, code=Fault.NOT_AN_API, upstream=True)


def web_page(status: int = 502) -> APIError:
    """A success that is HTML: somebody's site, or a login page in between."""
    return not_an_api("The upstream answered with a web page; the base URL is probably wrong.", status)


def empty() -> APIError:
    """An answer with nothing in it, where the channel's options want none of those (pitfall 150)."""
    return APIError(ErrorKind.BAD_GATEWAY, "The model's answer was empty.", 502, code=Fault.EMPTY, upstream=True)


def redirected(status: int) -> APIError:
    """Never followed: the key and the prompt would go where nobody sent them (reliability S7)."""
    words = f"The upstream answered with a redirect ({status}); the channel's base URL is probably wrong."
    return APIError(ErrorKind.BAD_GATEWAY, words, 502, code=Fault.REDIRECT, upstream=True)


def no_answer(status: int, headers: Mapping[str, str]) -> APIError | None:
    """What the head of an answer says that cannot be one of a model's, nor an upstream's error."""
    if 300 <= status < 400:
        return redirected(status)
    if status == 407:
        return _proxy_failed()
    return web_page(status) if status < 300 and "html" in headers.get("content-type", "") else None


def _proxy_failed() -> APIError:
    return connect_failed("The channel's proxy could not be used.")


def unusable_key(words: str) -> APIError:
    """A key of ours for the upstream that cannot be sent: the next key or channel may do."""
    return APIError(ErrorKind.AUTHENTICATION, words, 401, code="unusable_key", upstream=True)


_SCARCE = (errno.EMFILE, errno.ENFILE)
_SCARCE_FILES = APIError(
    ErrorKind.OVERLOADED,
    "axonhub may open no more connections (too many open files).",
    503,
    code="server_is_overloaded",
    retry_after=1.0,
)


def _can_open() -> bool:
    """Whether there is a descriptor left: where there is none, names cannot be resolved, and nobody says why."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno not in _SCARCE
    return True


def before_answer(error: Exception, reused: bool) -> APIError:
    """What an exception means that came before the answer's headers. Words name no address: they reach clients."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.CertificateError():
            return tls_failed("The upstream's TLS certificate is not valid for it.")
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch() | ssl.SSLError():
            return tls_failed("No TLS connection to the upstream could be made.")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return _proxy_failed()
        case aiohttp.ClientConnectorError() if error.errno in _SCARCE or not _can_open():
            return _SCARCE_FILES
        case aiohttp.ClientConnectorDNSError():
            return connect_failed("The upstream's host name could not be resolved.")
        case aiohttp.ClientConnectorError():
            # asyncio's own words are `Connect call failed ('127.0.0.1', 8000)`
            why = os.strerror(error.errno) if error.errno else "no connection"
            return connect_failed(f"The upstream cannot be reached ({why}).")
        case aiohttp.ConnectionTimeoutError():
            return connect_failed("The upstream could not be reached in time.")
        case TimeoutError():
            return slow("The upstream did not begin its answer in time.")
        case aiohttp.ClientResponseError() | HttpProcessingError() | BadHTTP():
            return not_an_api("The upstream's answer is not valid HTTP.")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return not_an_api("The channel's base URL cannot be used.")
        case _:
            return reset(reused)
