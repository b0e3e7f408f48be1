"""Google's access tokens, lent to a service account or to whom this machine belongs, by google-auth.

A channel's key is the JSON of a service account's key, or the path of a file with it. Without a key google-auth looks
where it always does: GOOGLE_APPLICATION_CREDENTIALS, gcloud's login, the machine's own account.
https://google.aip.dev/auth/4110
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from axonhub_cli.errors import ConfigError
from axonhub_cli.files import read_limited
from axonhub_cli.llm.errors import Failure
from axonhub_cli.server import faults
from axonhub_cli.server.upstream import Outgoing

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_MAX_FILE = 64 * 1024
_WANTED = "a key for Vertex AI is the JSON of a service account's key, or the path of a file with it"


class GoogleTokens:
    """Credentials by the key they come from; google-auth keeps each one's token and says when it runs out."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def headers(self, call: Outgoing) -> tuple[dict[str, str], tuple[str, ...]]:
        """The headers that show who asks, and what in them is secret. Raises ConfigError, Failure, ImportError.

        Who comes while a token is being fetched waits for that one.
        """
        async with self._locks[call.key]:
            credentials = self._found.get(call.key)
            if credentials is None:
                credentials = self._found[call.key] = await asyncio.to_thread(_look_up, call.key)
            if not credentials.valid:
                await asyncio.to_thread(_renew, credentials)
            headers: dict[str, str] = {}
            credentials.apply(headers)
        return headers, (str(credentials.token),)


def _look_up(key: str) -> Any:
    from google.auth import default
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    if not key:
        try:
            return default(scopes=_SCOPES)[0]
        except GoogleAuthError as problem:
            raise ConfigError(
                f"Google's credentials cannot be had: {problem}",
                "run `gcloud auth application-default login`, or give the channel a service account: "
                "axonhub channel edit NAME --api-key-stdin < service-account.json",
            ) from None
    try:
        return Credentials.from_service_account_info(_account(key), scopes=_SCOPES)
    except (GoogleAuthError, ValueError):
        raise ConfigError(_WANTED) from None  # their words may repeat the key


def _account(key: str) -> dict[str, Any]:
    try:
        text = key.encode() if key.startswith("{") else read_limited(Path(key), _MAX_FILE)
    except OSError as problem:
        raise ConfigError(f"the file with the key cannot be read: {problem.strerror}", _WANTED) from None
    return msgspec.json.decode(text, type=dict[str, Any])


def _renew(credentials: Any) -> None:
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    try:
        credentials.refresh(Request())
    except TransportError:
        raise Failure(faults.connect_failed("Google's token service cannot be reached.")) from None
    except GoogleAuthError as problem:
        if problem.retryable:
            raise Failure(faults.connect_failed("Google's token service does not answer.")) from None
        raise ConfigError(f"Google lends no token: {problem.args[0] if problem.args else problem}") from None
