"""A fake of Azure OpenAI, a script for `tests.server.upstreams.Upstream`."""

from __future__ import annotations

import json
import re
from typing import Any

KEY, DEPLOYMENT, VERSION = "azure-key-0f0f0f", "my-deployment", "2024-10-21"
_V1 = re.compile(r"/openai/v1/(responses|chat/completions|models)")
_DATED = re.compile(
    r"/openai/(?:deployments/([^/?]+)/(chat/completions)|(responses|models))\?api-version=([\w-]+)"
)  # fmt: skip


class Azure:
    """`speak` answers what passed: a script of `tests.server.speakers`."""

    def __init__(self, speak: Any) -> None:
        self.speak = speak
        self.complaints: list[str] = []

    async def __call__(self, wire: Any) -> None:
        refusal = self._wrong(wire.call)
        if refusal is None:
            await self.speak(wire)
            return
        status, code, message = refusal
        self.complaints.append(message)
        await wire.answer(status, {"error": {"code": code, "message": message}})

    def _wrong(self, call: Any) -> tuple[int, str, str] | None:
        if call.headers.get("api-key") != KEY or "authorization" in call.headers:
            words = "Access denied due to invalid subscription key or wrong API endpoint."
            return 401, "401", words
        dated = _DATED.fullmatch(call.path)
        if dated is None and _V1.fullmatch(call.path) is None:
            return 404, "404", f"Resource not found: {call.path}"
        if dated is not None and dated[4] != VERSION:
            return 400, "BadRequest", "API version not supported"
        if call.method == "GET":
            return None
        asked = json.loads(call.body).get("model")
        if DEPLOYMENT not in (asked, dated and dated[1]) or asked != DEPLOYMENT:
            return 404, "DeploymentNotFound", f"The API deployment {asked!r} for this resource does not exist."
        return None
