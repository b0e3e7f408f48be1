"""Who may ask: Host and Origin of every request, and the key a client shows."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping

from msgspec import Struct

from axonhub_cli.entities import ApiKey, Snapshot
from axonhub_cli.llm.errors import APIError, ErrorKind

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE = frozenset({"0.0.0.0", "[::]"})  # noqa: S104
_HOST_ADDRESS = re.compile(r"(?:([0-9.]+)|\[([0-9a-f:.]+)\]):(\d{1,5})")
_KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
_OWN_SITE = ("same-origin", "none")
_MAX_KEY = 512

# One answer for every way a key can be wrong, so that it tells an attacker nothing (reliability S4).
REFUSED = APIError(
    ErrorKind.AUTHENTICATION,
    "The axonhub key is missing or not valid. Create one with `axonhub key create NAME` "
    "and send it as `Authorization: Bearer`.",
    401,
    code="invalid_api_key",
)
NOT_THIS_HOST = APIError(ErrorKind.PERMISSION, "This server does not answer to that host name.", 421, code="wrong_host")
NOT_FOR_BROWSERS = APIError(ErrorKind.PERMISSION, "Web pages may not use this server.", 403, code="origin_refused")


class Hosts(Struct, frozen=True):
    """The `Host` values we answer to: names, and where a server listens everywhere any address. Whoever rebinds a name
    shows that name; an address he cannot show unless his page came from it, and there we are."""

    names: frozenset[str] = frozenset()
    port: int = 0
    everywhere: bool = False

    def __contains__(self, host: str) -> bool:
        return host in self.names or (self.everywhere and self._is_address(host))

    def _is_address(self, host: str) -> bool:
        found = _HOST_ADDRESS.fullmatch(host)
        address = _address(found[1] or found[2]) if found else None
        return found is not None and address is not None and found[3] == str(self.port) and not address.is_unspecified


def allowed_hosts(host: str, port: int) -> Hosts:
    """The loopback names and the configured one, each with our port."""
    own = _bracketed(host.lower())
    names = {*_LOOPBACK, own} - _EVERYWHERE  # those are names no client may use
    hosts = {f"{name}:{port}" for name in names}
    return Hosts(frozenset(hosts | names if port == 80 else hosts), port, own in _EVERYWHERE)


def refused_origin(headers: Mapping[str, str], target: str, hosts: Hosts) -> APIError | None:
    """Why the request may come from a web page or a rebound name (reliability S1, S2); None if it does not."""
    if headers.get("Host", "").lower() not in hosts or not target.startswith("/"):
        return NOT_THIS_HOST
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") not in _OWN_SITE:
        return NOT_FOR_BROWSERS
    return None


def presented_key(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The key as a client shows it, wherever its protocol puts it."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in _KEY_HEADERS:
        if value := headers.get(name, "").strip():
            return value
    return query.get("key") or None


def authenticate(snapshot: Snapshot, shown: str | None, peer: str | None, now_ms: int) -> ApiKey | None:
    """The key behind what was shown. Hashed before anything else looks at it; found by its whole digest
    (reliability S11, S12). None, for every reason there is."""
    if not shown or len(shown) > _MAX_KEY:
        return None
    digest = hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()
    key = snapshot.keys.get(digest)
    if key is None or not hmac.compare_digest(key.digest, digest):
        return None
    live = key.enabled and key.revoked_at is None and (key.expires_at is None or now_ms < key.expires_at)
    return key if live and _may_come_from(key, peer) else None


def is_loopback(peer: str | None) -> bool:
    """Whether the peer is this machine."""
    address = _address(peer)
    return address is not None and address.is_loopback


def _may_come_from(key: ApiKey, peer: str | None) -> bool:
    if not key.allowed_ips:
        return True
    address = _address(peer)
    return address is not None and any(address in ipaddress.ip_network(net, strict=False) for net in key.allowed_ips)


def _address(peer: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((peer or "").split("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
