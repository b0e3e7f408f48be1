"""Where one request stands among the channels and keys it may try, and what it has learned to leave out."""

from __future__ import annotations

from collections.abc import Callable

from axonhub_cli.entities import Channel, UpstreamKey
from axonhub_cli.llm.errors import APIError
from axonhub_cli.protocols.base import JSON, UpstreamCodec
from axonhub_cli.protocols.remedies import Remedy, find
from axonhub_cli.routing.candidates import Candidate
from axonhub_cli.routing.failover import MAX_ATTEMPTS, Action, AttemptState

Known = Callable[[Channel], tuple[Remedy, ...]]


class Tries:
    """A cursor over candidates and their keys, with the counts `failover.decide` asks for. `known`: what a channel
    refused at earlier requests."""

    def __init__(self, chosen: tuple[Candidate, ...], known: Known = lambda _: ()) -> None:
        self._chosen, self._known = chosen, known
        self._channel = self._key = 0
        self._attempts = self._here = 0
        self._before = known(chosen[0].channel)
        self.mended: tuple[Remedy, ...] = ()  # what the channel refused at this request

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
    def remedies(self) -> tuple[Remedy, ...]:
        """What the channel is asked without."""
        return (*self._before, *self.mended)

    @property
    def reason(self) -> str:
        """Why this call, in words."""
        if self.mended:
            return f"again without {_listed(self.mended)}, which it refused"
        before = f"; without {_listed(self._before)}, which it refused before" if self._before else ""
        return f"{self.candidate.reason}{before}"

    def mend(
        self, error: APIError, upstream: UpstreamCodec, sent: Callable[[], JSON], *, summing: bool = False
    ) -> bool:
        """Whether the same channel may serve what it refused once something is left out; then the next call is that.
        Each thing is left out once, so this ends. Arguments as for `remedies.find`."""
        tried = [remedy.name for remedy in self.remedies]
        remedy = find(error, upstream, sent, tried, summing=summing) if self._attempts < MAX_ATTEMPTS else None
        if remedy is not None:
            self.mended, self._here = (*self.mended, remedy), 0
        return remedy is not None

    def begin(self) -> None:
        """A call is being made."""
        self._attempts += 1
        self._here += 1

    def state(
        self, *, elapsed: float, committed: bool, strikes: int, chance: float, extra: bool = False
    ) -> AttemptState:
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
            extra=extra,
        )

    def move(self, action: Action) -> None:
        """Follows a decision that is not STOP."""
        if action is Action.NEXT_KEY:
            self._key, self._here = self._key + 1, 0
        elif action is Action.NEXT_CHANNEL:
            self._channel, self._key, self._here = self._channel + 1, 0, 0
            self._before, self.mended = self._known(self.candidate.channel), ()


def _listed(remedies: tuple[Remedy, ...]) -> str:
    return " and ".join(remedy.name for remedy in remedies)
