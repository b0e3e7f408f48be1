"""AWS credentials, and the signature over one request by botocore's own signer.

A channel's key is `ACCESS_KEY_ID:SECRET` or `ACCESS_KEY_ID:SECRET:SESSION_TOKEN`, or a Bedrock API key, which has no
colon and needs no signature. Without a key botocore looks where it always does: variables, ~/.aws, the machine's role.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import asyncio
import sys
import time
from importlib import import_module
from typing import Any

from axonhub_cli.errors import ConfigError
from axonhub_cli.server.upstream import Outgoing

_SERVICE = "bedrock"
_SIGNED = ("content-type", "accept")  # beside host and date
_KEPT_S = 300.0  # how long credentials of the chain are used before it is asked again: files change


class AWSKeys:
    """Credentials by the name of their AWS profile."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Any, float]] = {}
        self._lock = asyncio.Lock()

    async def headers(self, call: Outgoing) -> tuple[dict[str, str], tuple[str, ...]]:
        """The headers that show who asks, and what in them is secret. Raises ConfigError, ImportError."""
        if call.key and ":" not in call.key:
            return {"authorization": f"Bearer {call.key}"}, (call.key,)
        if "botocore.session" not in sys.modules:
            await asyncio.to_thread(import_module, "botocore.session")  # a tenth of a second
        if call.key:
            credentials = _given(call.key)
        else:
            credentials = await self._from_the_chain(call.channel.options.get("aws_profile", "").strip())
        return _signed(call, credentials)

    async def _from_the_chain(self, profile: str) -> Any:
        """Temporary ones are renewed by botocore itself, which may ask the network."""
        async with self._lock:
            found, since = self._found.get(profile, (None, 0.0))
            if found is None or time.monotonic() - since > _KEPT_S:
                found = await asyncio.to_thread(_look_up, profile)
                self._found[profile] = found, time.monotonic()
            return await asyncio.to_thread(_frozen, found)


def _given(key: str) -> Any:
    from botocore.credentials import Credentials

    pieces = key.split(":", 2)
    if not all(pieces):
        raise ConfigError("an AWS key is ACCESS_KEY_ID:SECRET or ACCESS_KEY_ID:SECRET:SESSION_TOKEN")
    return Credentials(*pieces).get_frozen_credentials()


def _look_up(profile: str) -> Any:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found = Session(profile=profile or None).get_credentials()
    except BotoCoreError as problem:
        raise ConfigError(f"AWS credentials cannot be had: {problem}") from None
    if found is None:
        raise ConfigError(
            "there are no AWS credentials: neither in variables, nor in ~/.aws, nor from a role",
            "run `aws configure`, or give the channel a key: axonhub channel edit NAME --api-key-stdin",
        )
    return found


def _frozen(credentials: Any) -> Any:
    from botocore.exceptions import BotoCoreError

    try:
        return credentials.get_frozen_credentials()
    except BotoCoreError as problem:
        raise ConfigError(f"AWS credentials cannot be renewed: {problem}") from None


def _signed(call: Outgoing, credentials: Any) -> tuple[dict[str, str], tuple[str, ...]]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    headers = {name: call.headers[name] for name in _SIGNED if name in call.headers}
    request = AWSRequest("POST", str(call.url), headers, call.body)
    SigV4Auth(credentials, _SERVICE, call.channel.options["region"].strip()).add_auth(request)
    signed = {name.lower(): str(value) for name, value in request.headers.items()}
    signature = signed["authorization"].rpartition("Signature=")[2]
    secrets = (credentials.secret_key, credentials.token, credentials.access_key, signature)
    return signed, tuple(secret for secret in secrets if secret)
