"""A fake of Vertex AI and of Google's token service, a script for `tests.server.upstreams.Upstream`."""

from __future__ import annotations

import base64
import json
import re
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

JSON = dict[str, Any]
PROJECT, LOCATION, ACCOUNT = "my-project-1", "us-east5", "agent@my-project-1.iam.gserviceaccount.com"
BASE = f"/v1/projects/{PROJECT}/locations/{LOCATION}"
_PATH = re.compile(re.escape(BASE) + r"/publishers/(google|anthropic)/models/([^/:?]+):(\w+)(\?alt=sse)?")
_METHODS = {
    "google": {("generateContent", ""), ("streamGenerateContent", "?alt=sse"), ("countTokens", "")},
    "anthropic": {("rawPredict", ""), ("streamRawPredict", "")},
}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def service_account(url: str) -> JSON:
    """The key of a service account whose tokens come from this fake."""
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "k1",
        "private_key": pem.decode(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": f"{url}/token",
    }


class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """An error as Google words it."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(message)
        self.status, self.word = status, word


class Vertex:
    """`speak` answers what passed: a script of `tests.server.speakers`. `lends`: seconds a token is good for."""

    def __init__(self, speak: Any, *, lends: int = 3600) -> None:
        self.speak, self.lends = speak, lends
        self.tokens: dict[str, float] = {}
        self.exchanges = 0
        self.refuse_token: tuple[int, JSON] | None = None
        self.refuse: tuple[int, str, str] | None = None
        self.complaints: list[str] = []

    async def __call__(self, wire: Any) -> None:
        try:
            if wire.call.path == "/token":
                await wire.answer(*self._exchange(wire.call))
                return
            self._judge(wire.call)
        except Refusal as refusal:
            self.complaints.append(str(refusal))
            error = {"code": refusal.status, "message": str(refusal), "status": refusal.word}
            await wire.answer(refusal.status, [{"error": error}])
            return
        await self.speak(wire)

    def revoke(self) -> None:
        """Every token lent so far is worth nothing any more."""
        self.tokens.clear()

    def _exchange(self, call: Any) -> tuple[int, JSON]:
        """https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests"""
        self.exchanges += 1
        if self.refuse_token is not None:
            return self.refuse_token
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        problem = self._wrong(form)
        if problem is not None:
            self.complaints.append(problem)
            return 400, {"error": "invalid_grant", "error_description": problem}
        token = f"ya29.fake-{self.exchanges}"
        self.tokens[token] = time.time() + self.lends
        return 200, {"access_token": token, "expires_in": self.lends, "token_type": "Bearer"}

    def _wrong(self, form: dict[str, str]) -> str | None:
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return "the grant type is not jwt-bearer"
        signed, _, signature = form.get("assertion", "").rpartition(".")
        try:
            head, claims = (json.loads(_decoded(piece)) for piece in signed.split("."))
            public = private_key().public_key()
            public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception as error:
            return f"Invalid JWT Signature: {error!r}"
        now = time.time()
        rules = {
            "alg": head.get("alg") == "RS256",
            "kid": head.get("kid") == "k1",
            "iss": claims.get("iss") == ACCOUNT,
            "aud": claims.get("aud") == "https://oauth2.googleapis.com/token",
            "scope": claims.get("scope") == "https://www.googleapis.com/auth/cloud-platform",
            "iat": now - 300 < claims.get("iat", 0) < now + 300,
            "exp": claims.get("iat", 0) < claims.get("exp", 0) <= claims.get("iat", 0) + 3600,
        }
        return next((f"Invalid JWT: {name}" for name, right in rules.items() if not right), None)

    def _judge(self, call: Any) -> None:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) < time.time():
            raise Refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if {"x-api-key", "x-goog-api-key"} & call.headers.keys():
            raise Refusal(400, "INVALID_ARGUMENT", "a key beside a token")
        if self.refuse is not None:
            raise Refusal(*self.refuse)
        found = _PATH.fullmatch(call.path)
        if found is None or (found[3], found[4] or "") not in _METHODS[found[1]]:
            raise Refusal(404, "NOT_FOUND", f"no method at {call.path}")
        body = json.loads(call.body)
        if "model" in body:
            raise Refusal(400, "INVALID_ARGUMENT", "model: Extra inputs are not permitted")
        if found[1] == "anthropic":
            self._judge_claude(body, found[3] == "streamRawPredict")
        elif any(content.get("role") not in ("user", "model") for content in body["contents"]):
            raise Refusal(400, "INVALID_ARGUMENT", "Please use a valid role: user, model.")

    def _judge_claude(self, body: JSON, streams: bool) -> None:
        if body.get("anthropic_version") != "vertex-2023-10-16":
            raise Refusal(400, "INVALID_ARGUMENT", "anthropic_version: Field required")
        if body.get("stream", False) is not streams or "max_tokens" not in body:
            raise Refusal(400, "INVALID_ARGUMENT", "stream or max_tokens is not what it should be")


def _decoded(piece: str) -> bytes:
    return base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))
