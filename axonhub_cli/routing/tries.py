"""Where one request stands among the channels and keys it may try, and what it has learned to leave out."""

from __future__ import annotations

from collections.abc import Callable

from axonhub_cli.entities import UpstreamKey
from axonhub_cli.llm.errors import APIError
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.remedies import Remedy, find
from axonhub_cli.routing.candidates import Candidate
from axonhub_cli.routing.failover import MAX_ATTEMPTS, Action, AttemptState


class Tries:
    """A cursor over candidates and their keys, with the counts `failover.decide` asks for."""

    def __init__(self, chosen: tuple[Candidate, ...]) -> None:
        self._chosen = chosen
        self._channel = self._key = 0
        self._attempts = self._here = 0
        self.remedies: tuple[Remedy, ...] = ()  # what the channel is asked without

    @property
    def candidate(self) -> Candidate:
        """The channel to call now."""
        return self._chosen[self._channel]

    @property
    def key(self) -> UpstreamKey | None:
        """The key to call it with; None where it needs none."""
        keys = self.candidate.keys
        return keys[self._key] if keys else None

    @property
    def number(self) -> int:
        """How many calls were made."""
        return self._attempts

    @property
    def reason(self) -> str:
        """Why this call, in words."""
        if not self.remedies:
            return self.candidate.reason
        return f"again without {' and '.join(remedy.name for remedy in self.remedies)}, which it refused"

    def mend(self, error: APIError, sent: Callable[[], JSON]) -> bool:
        """Whether the same channel may serve what it refused once something is left out; then the next call is that.
        Each thing is left out once, so this ends."""
        tried = [remedy.name for remedy in self.remedies]
        remedy = find(error, sent, tried) if self._attempts < MAX_ATTEMPTS else None
        if remedy is not None:
            self.remedies, self._here = (*self.remedies, remedy), 0
        return remedy is not None

    def begin(self) -> None:
        """A call is being made."""
        self._attempts += 1
        self._here += 1

    def state(self, *, elapsed: float, committed: bool, strikes: int, chance: float) -> AttemptState:
        """After a failed call."""
        return AttemptState(
            attempts=self._attempts,
            here=self._here,
            channels=self._channel + 1,
            elapsed=elapsed,
            other_keys=self._key + 1 < len(self.candidate.keys),
            other_channels=self._channel + 1 < len(self._chosen),
            committed=committed,
            strikes=strikes,
            chance=chance,
        )

    def move(self, action: Action) -> None:
        """Follows a decision that is not STOP."""
        if action is Action.NEXT_KEY:
            self._key, self._here = self._key + 1, 0
        elif action is Action.NEXT_CHANNEL:
            self._channel, self._key, self._here = self._channel + 1, 0, 0
            self.remedies = ()
