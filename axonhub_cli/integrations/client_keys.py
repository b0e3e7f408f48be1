"""Keys of ours that a client fetches by a command: kept in the home, encrypted with its secret.

The store keeps only digests, so a key that must be printed again has to be somewhere. Whoever can read both
this file and the home's secret can use the keys: the same who could read the client's own configuration.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from axonhub_cli.errors import AxonHubError, ConfigError
from axonhub_cli.files import folder_lock, read_limited, replace_file
from axonhub_cli.paths import Home
from axonhub_cli.secrets import decrypt, encrypt

FILE = "client-keys.json"
_PURPOSE = "client key"
_MAX_BYTES = 1 << 20


class ClientKeys:
    """The file of one home; `secret` is the home's."""

    def __init__(self, home: Home, secret: bytes) -> None:
        self._home = home
        self._secret = secret

    @property
    def path(self) -> Path:
        return self._home.data / FILE

    def locked(self) -> AbstractContextManager[None]:
        """For as long as a key is made and stored: of two that do so at once each would find the other's half."""
        self._home.create()
        return folder_lock(self._home.data)

    def get(self, name: str) -> str | None:
        """The key stored under `name`. Raises ConfigError where it cannot be decrypted."""
        sealed = self._load().get(name)
        try:
            return decrypt(self._secret, sealed, name, _PURPOSE) if sealed else None
        except ConfigError as error:
            raise ConfigError(
                f"the stored key {name} cannot be decrypted: it was stored with another secret.key",
                f"axonhub codex setup --auth command --key {name} --yes",
            ) from error

    def matches(self, name: str, digest: str) -> bool:
        """Whether a key is stored under `name` and is the one with this SHA-256."""
        try:
            key = self.get(name)
        except ConfigError:
            return False
        return key is not None and hashlib.sha256(key.encode()).hexdigest() == digest

    def put(self, name: str, key: str) -> None:
        """Stores `key`, mode 0600."""
        self._home.create()
        content = {**self._load(), name: encrypt(self._secret, key, name, _PURPOSE)}
        replace_file(self.path, msgspec.json.encode(content), 0o600)

    def _load(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(read_limited(self.path, _MAX_BYTES), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, AxonHubError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"cannot read {self.path}: {error}", f"Delete {self.path} and run setup again."
            ) from error
