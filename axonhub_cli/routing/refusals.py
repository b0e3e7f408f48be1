"""What channels refused lately and did without: left out of the next requests at once, instead of after a refusal.

Kept in memory only, as `Health` is and for the same reasons. A refusal belongs to a channel as it was configured and
to one model: editing the channel makes it forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from axonhub_cli.entities import Channel
from axonhub_cli.protocols.remedies import Remedy

# Vendors learn new fields within days. Asking again costs one refused call, which nobody bills; asking too seldom keeps
# from a client what its vendor has come to offer.
REMEMBERED_S = 6 * 3600.0
# Names of models and of fields come from clients: without bounds they could fill the memory.
_MOST_SCOPES = 1000
_MOST_REMEDIES = 16

_Scope = tuple[str, int, str]  # channel id, its updated_at, model


class Refusals:
    """Remedies by channel and model. Every time is in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Scope, dict[str, tuple[Remedy, float]]] = OrderedDict()

    def known(self, channel: Channel, model: str, now: float) -> tuple[Remedy, ...]:
        """What the channel is to be asked without."""
        if not self._known:
            return ()
        found = self._known.get(_scope(channel, model), {})
        return tuple(remedy for remedy, until in found.values() if until > now)

    def learn(self, channel: Channel, model: str, remedies: Iterable[Remedy], now: float) -> tuple[Remedy, ...]:
        """The channel served a request once `remedies` were applied; the ones that are remembered from now on, which
        are those that would help any request."""
        lasting = tuple(remedy for remedy in remedies if remedy.lasting)
        if not lasting:
            return ()
        scope = _scope(channel, model)
        found = self._known.setdefault(scope, {})
        self._known.move_to_end(scope)
        if len(self._known) > _MOST_SCOPES:
            self._known.popitem(last=False)
        for remedy in lasting:
            found.pop(remedy.name, None)
            found[remedy.name] = remedy, now + REMEMBERED_S
            if len(found) > _MOST_REMEDIES:
                del found[next(iter(found))]
        return lasting


def _scope(channel: Channel, model: str) -> _Scope:
    return channel.id, channel.updated_at, model
