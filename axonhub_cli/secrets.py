"""The installation's secret, keys derived from it, and upstream keys at rest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from axonhub_cli.errors import ConfigError
from axonhub_cli.files import create_private, read_limited
from axonhub_cli.paths import Home

__all__ = ["decrypt", "derive", "encrypt", "key_value", "load_secret", "origin_of"]

VARIABLE = "AXONHUB_SECRET_KEY"
_SIZE = 32
_SHORTEST = 16
_PREFIX = "enc:v1:"
_NONCE = 12
_DEFAULT_PORTS = {"http": 80, "https": 443}


class StoredKey(Protocol):
    """What this module needs to know of `entities.UpstreamKey`."""

    @property
    def origin(self) -> str: ...
    @property
    def env(self) -> str | None: ...
    @property
    def encrypted(self) -> str | None: ...


class KeyOwner(Protocol):
    """What this module needs to know of `entities.Channel`."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...


def load_secret(home: Home, environ: Mapping[str, str], create: bool = True) -> bytes:
    """The 32 secret bytes of this installation: AXONHUB_SECRET_KEY, else secret.key, made where `create`.

    Raises ConfigError when there is none, or it cannot be read or used.
    """
    text = environ.get(VARIABLE, "")
    if text:
        return _from_variable(text)
    path = home.secret_file
    if create and not os.path.lexists(path):
        home.create()
        # Of two processes that get here at once one writes; both read what it wrote.
        create_private(path, base64.b64encode(os.urandom(_SIZE)) + b"\n")
    return _from_file(path)


def derive(secret: bytes, label: str) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 (RFC 5869) with `label` as info. Knowing one tells nothing of another."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=_SIZE, salt=b"axonhub", info=label.encode()).derive(secret)


def encrypt(secret: bytes, text: str, channel_id: str, origin: str) -> str:
    """`text` sealed with AES-256-GCM for one channel and origin, as `enc:v1:…`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    sealed = AESGCM(derive(secret, "upstream keys")).encrypt(nonce, text.encode(), _bound_to(channel_id, origin))
    return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(secret: bytes, sealed: str, channel_id: str, origin: str) -> str:
    """The text `encrypt` was given. Raises ConfigError for another secret, channel or origin, or a damaged value."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        if not sealed.startswith(_PREFIX):
            raise ValueError("no prefix")
        data = base64.b64decode(sealed.removeprefix(_PREFIX).encode(), altchars=b"-_", validate=True)
        if len(data) < _NONCE + 16:
            raise ValueError("too short")
        cipher = AESGCM(derive(secret, "upstream keys"))
        return cipher.decrypt(data[:_NONCE], data[_NONCE:], _bound_to(channel_id, origin)).decode()
    except (InvalidTag, ValueError) as error:
        raise ConfigError(
            "a stored upstream key cannot be decrypted: it was stored with another secret.key or for another channel",
            f"Bring back the secret.key or {VARIABLE} it was stored with, or enter the key again.",
        ) from error


def key_value(key: StoredKey, secret: bytes, environ: Mapping[str, str], channel: KeyOwner) -> str:
    """The upstream key itself, to be sent to `channel` and nowhere else.

    Raises ConfigError when the channel's base URL is not where the key was entered for, when its variable is
    unset, or when it cannot be decrypted.
    """
    again = f"axonhub channel edit {channel.name} --api-key-env VARIABLE (or --api-key-stdin)"
    if key.origin != origin_of(channel.base_url):
        raise ConfigError(
            f"channel {channel.name}: its key was entered for {key.origin}, not for {origin_of(channel.base_url)}",
            f"Enter the key again for the new address: {again}",
        )
    if key.env:
        return _from_environment(key.env, environ, channel.name)
    if key.encrypted:
        try:
            return decrypt(secret, key.encrypted, channel.id, key.origin)
        except ConfigError as error:
            raise ConfigError(f"channel {channel.name}: {error.message}", f"{error.hint} {again}") from error
    raise ConfigError(f"channel {channel.name}: a key without a value", again)


def origin_of(url: str) -> str:
    """Scheme, host and port of `url` in one spelling (`https://api.example.com`); the default port is left out.

    Raises ConfigError for anything but an absolute http or https URL.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError as error:
        raise ConfigError(f"not a URL: {error}", "Example: https://api.example.com/v1") from error
    if scheme not in _DEFAULT_PORTS or not host:
        raise ConfigError("the base URL must start with http:// or https://", "Example: https://api.example.com/v1")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _bound_to(channel_id: str, origin: str) -> bytes:
    return f"{channel_id}\n{origin}".encode()


def _from_variable(text: str) -> bytes:
    text = text.strip()
    decoded = _base64(text)
    if decoded is not None:
        return decoded
    if len(text) < _SHORTEST:
        raise ConfigError(
            f"{VARIABLE} is too short: {_SHORTEST} characters at least", "Make one with: openssl rand -base64 32"
        )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _from_file(path: Path) -> bytes:
    try:
        decoded = _base64(read_limited(path, 1024).decode("ascii").strip())
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {path}", f"Bring it back, or set {VARIABLE}.") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", f"Check its owner, or set {VARIABLE}.") from error
    except ValueError:
        decoded = None
    if decoded is None:
        raise ConfigError(f"{path} does not hold 32 bytes in base64", f"Bring back the right file, or set {VARIABLE}.")
    return decoded


def _base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == _SIZE else None


def _from_environment(variable: str, environ: Mapping[str, str], channel: str) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"channel {channel}: the variable {variable} is not set",
            f"export {variable}=… where axonhub runs, then start it again.",
        )
    if value.startswith("{"):  # a service account's, as JSON: it never becomes a header
        return value
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"channel {channel}: the value of {variable} cannot be a key (spaces or unprintable characters)",
            f"Set {variable} again.",
        )
    return value
