"""Shows clouds who asks, where a key in a header will not do: AWS signs each request, Google lends tokens.

`botocore` and `google-auth` come with the extras `bedrock` and `vertex` and are imported when such a channel is first
called. What waits for the network or the disk runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace
from yarl import URL

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.server import faults
from axonhub_cli.server.aws import AWSKeys
from axonhub_cli.server.google import GoogleTokens
from axonhub_cli.server.upstream import Outgoing
from axonhub_cli.vendors import EXTRAS, SIGNED

_PATIENCE_S = 20.0
_Shown = tuple[dict[str, str], tuple[str, ...]]  # headers, and what in them must stay secret


class Signer:
    """Keeps credentials and tokens as long as they hold. Made inside a running loop."""

    def __init__(self) -> None:
        self._kinds: dict[str, Callable[[Outgoing], Awaitable[_Shown]]] = {
            "aws": AWSKeys().headers,
            "google": GoogleTokens().headers,
        }

    async def sign(self, call: Outgoing) -> Outgoing:
        """The call with what its upstream wants to see; the same where that is there already.

        Raises Failure where it cannot be had now or at all, and ConfigError for what is wrong with the credentials:
        its words may name files of this machine, so clients are not told.
        """
        if call.auth not in SIGNED:
            return call
        try:
            async with asyncio.timeout(_PATIENCE_S):
                headers, secrets = await self._kinds[call.auth](call)
        except ImportError as problem:
            raise Failure(_lacking(call, problem)) from problem
        except TimeoutError:
            raise Failure(faults.slow("Credentials for the upstream could not be had in time.")) from None
        # The signature is over these letters of the path: nobody may spell them otherwise on the way.
        url = URL(str(call.url), encoded=True)
        return replace(call, url=url, headers={**call.headers, **headers}, secrets=(*call.secrets, *secrets))


def _lacking(call: Outgoing, problem: ImportError) -> APIError:
    missing = EXTRAS[call.auth].missing()
    words = f"{missing.message}: {missing.hint}" if missing else f"{problem.name} cannot be loaded"
    words = f"The channel cannot be used: {words}"
    return APIError(ErrorKind.AUTHENTICATION, words, 401, code="missing_extra", upstream=True)
