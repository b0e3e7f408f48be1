"""The recorder's way into the store, on the recorder's own thread and connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from axonhub_cli.entities import AttemptRecord, Binding, Body, RequestRecord, RequestStatus, Snapshot
from axonhub_cli.ids import now_ms
from axonhub_cli.llm.response import Usage
from axonhub_cli.store.database import Store


class StoreSink:
    """See `recorder.Sink`. Costs are computed here, where nobody waits for a table of prices."""

    def __init__(self, store: Store, snapshot: Callable[[], Snapshot]) -> None:
        self._store, self._snapshot = store, snapshot

    def save(
        self,
        requests: Sequence[RequestRecord],
        attempts: Sequence[AttemptRecord],
        bodies: Sequence[tuple[str, Body]],
        bindings: Sequence[Binding],
    ) -> None:
        """One transaction for the records, one for the bindings; then a small step of pruning."""
        snapshot = self._snapshot()
        self._store.traces.save([_priced(record, snapshot) for record in requests], attempts, bodies)
        if bindings:
            self._store.traces.save_bindings(bindings)
        self._store.maintain(now_ms())

    def close(self) -> None:
        """Ends the connection."""
        self._store.close()


def _priced(record: RequestRecord, snapshot: Snapshot) -> RequestRecord:
    channel = snapshot.channels.get(record.channel or "")
    names = [name for name in (record.served_model, record.upstream_model) if name]
    if record.status is RequestStatus.RUNNING or record.input_tokens is None or channel is None or not names:
        return record
    from axonhub_cli.pricing import cost_usd

    if channel.type == "bedrock":
        names.reverse()  # Claude tells his name without the place, which has a price there
    usage = Usage(
        record.input_tokens,
        record.cached_tokens,
        record.cache_written_tokens,
        record.output_tokens,
        record.reasoning_tokens,
        cache_written_1h=record.cache_written_1h_tokens or UNSET,
    )
    costs = (cost_usd(name, channel.type, usage, channel.options) for name in dict.fromkeys(names))
    return replace(record, cost_usd=next((cost for cost in costs if cost is not None), None))
