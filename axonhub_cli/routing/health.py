"""What this process has learned lately of channels and keys: who rests, for how long, and why.

A key that rests is not used. A channel that rests is only tried after all others: where it is the
only one, a call that may fail is better than none.

Kept in memory only: cheap to learn again, and wrong to share (the same key may work from elsewhere).
A rest belongs to a channel as it was configured: editing or enabling the channel lifts it.
"""

from __future__ import annotations

from msgspec import Struct

from axonhub_cli.entities import Channel
from axonhub_cli.llm.errors import ErrorKind
from axonhub_cli.routing.failover import Decision

FAULT_REST_S = 5.0
FAULT_REST_MAX_S = 60.0
# One fault may be chance, and moving a trace loses its prompt cache (pitfall 169).
FAULTS_BEFORE_REST = 2
_MAX_ENTRIES = 10_000

_Scope = tuple[str, int, str | None, str | None]  # channel id, its updated_at, key id, model


class Rest(Struct, frozen=True):
    """`seconds` are left. `cause` tells a refusal that somebody must mend from a failure that passes."""

    seconds: float
    reason: str
    cause: ErrorKind | None = None


class _Resting(Struct, frozen=True):
    until: float
    reason: str
    cause: ErrorKind | None = None


class Health:
    """Cool-downs by channel, key and model. Every time is in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._rests: dict[_Scope, _Resting] = {}
        self._faults: dict[_Scope, int] = {}
        self._strikes: dict[_Scope, int] = {}

    def learn(
        self, decision: Decision, channel: Channel, key_id: str | None, model: str, *, now: float, reason: str
    ) -> None:
        """Does what `failover.decide` said of a failed attempt. `reason` is shown to people."""
        narrow = model if decision.rest_model_only else None
        if decision.rest_key_s:
            seconds, cause = decision.rest_key_s, decision.cause
            self.rest_key(channel, key_id, seconds, model=narrow, now=now, reason=reason, cause=cause)
        if decision.rest_channel_s:
            self.rest_channel(channel, decision.rest_channel_s, model=narrow, now=now, reason=reason)
        if decision.penalize:
            self.fault(channel, now, reason)

    def rest_key(
        self,
        channel: Channel,
        key_id: str | None,
        seconds: float,
        *,
        model: str | None = None,
        now: float,
        reason: str,
        cause: ErrorKind | None = None,
    ) -> None:
        """The key rests, for `model` or for any. Rests for one model in a row are counted as strikes."""
        scope = _scope(channel, key_id or "", model)
        self._rest(scope, seconds, now, reason, cause)
        if model is not None:
            self._strikes[scope] = self._strikes.get(scope, 0) + 1

    def rest_channel(
        self, channel: Channel, seconds: float, *, model: str | None = None, now: float, reason: str
    ) -> None:
        """The channel rests, for `model` or for any."""
        self._rest(_scope(channel, None, model), seconds, now, reason)

    def fault(self, channel: Channel, now: float, reason: str) -> None:
        """The channel failed in a way that counts against it; from the second in a row on it rests."""
        scope = _scope(channel, None, None)
        count = self._faults[scope] = self._faults.get(scope, 0) + 1
        if count >= FAULTS_BEFORE_REST:
            seconds = min(FAULT_REST_MAX_S, FAULT_REST_S * 2 ** min(count - FAULTS_BEFORE_REST, 10))
            self._rest(scope, seconds, now, reason)

    def success(self, channel: Channel, key_id: str | None, model: str) -> None:
        """An answer came: what stood against the channel, the key and the model is forgotten."""
        self._faults.pop(_scope(channel, None, None), None)
        self._strikes.pop(_scope(channel, key_id or "", model), None)
        for scope in (
            _scope(channel, None, None),
            _scope(channel, None, model),
            _scope(channel, key_id or "", None),
            _scope(channel, key_id or "", model),
        ):
            self._rests.pop(scope, None)

    def strikes(self, channel: Channel, key_id: str | None, model: str) -> int:
        """How often in a row this key was told to slow down for this model."""
        return self._strikes.get(_scope(channel, key_id or "", model), 0)

    def channel_rest(self, channel: Channel, model: str, now: float) -> Rest | None:
        """The longest rest the channel takes now, for this model or for all."""
        return self._longest((_scope(channel, None, None), _scope(channel, None, model)), now)

    def key_rest(self, channel: Channel, key_id: str | None, model: str, now: float) -> Rest | None:
        """The longest rest the key takes now, for this model or for all."""
        return self._longest((_scope(channel, key_id or "", None), _scope(channel, key_id or "", model)), now)

    def _rest(self, scope: _Scope, seconds: float, now: float, reason: str, cause: ErrorKind | None = None) -> None:
        if len(self._rests) >= _MAX_ENTRIES:
            self._forget(now)
        self._rests[scope] = _Resting(now + seconds, reason, cause)

    def _forget(self, now: float) -> None:
        # Model names come from clients: without a bound they could fill the memory.
        self._rests = {scope: rest for scope, rest in self._rests.items() if rest.until > now}
        if len(self._rests) >= _MAX_ENTRIES:
            self._rests.clear()
        self._strikes = {scope: count for scope, count in self._strikes.items() if scope in self._rests}

    def _longest(self, scopes: tuple[_Scope, ...], now: float) -> Rest | None:
        current = (self._rests.get(scope) for scope in scopes)
        resting = [rest for rest in current if rest is not None and rest.until > now]
        if not resting:
            return None
        longest = max(resting, key=lambda rest: rest.until)
        return Rest(longest.until - now, longest.reason, longest.cause)


def _scope(channel: Channel, key_id: str | None, model: str | None) -> _Scope:
    return channel.id, channel.updated_at, key_id, model
