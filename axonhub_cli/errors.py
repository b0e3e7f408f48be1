"""Failures a person at a terminal can cause and mend."""

from __future__ import annotations


class AxonHubError(Exception):
    """Shown as one line `error: …` and one line `hint: …`; the process ends with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AxonHubError):
    """The command line itself is wrong."""

    exit_code = 2


class ConfigError(AxonHubError):
    """config.yml, an environment variable or a client's own file is wrong."""


class StoreError(AxonHubError):
    """The database cannot be used."""


class NotFoundError(AxonHubError):
    """A name or id that nothing has."""


class ConflictError(AxonHubError):
    """A name that is taken, or a thing still in use."""
