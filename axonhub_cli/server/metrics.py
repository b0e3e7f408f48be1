"""Counters of this process, in Prometheus' text form.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

_HELP = {
    "axonhub_requests_total": ("counter", "Requests answered, by HTTP status."),
    "axonhub_upstream_attempts_total": ("counter", "Upstream calls, by how they ended."),
    "axonhub_tokens_total": ("counter", "Tokens, as upstreams counted them."),
    "axonhub_dropped_total": ("counter", "Trace data that could not be kept."),
    "axonhub_sockets_total": ("counter", "WebSockets opened."),
    "axonhub_sockets_open": ("gauge", "WebSockets open now."),
    "axonhub_requests_in_flight": ("gauge", "Requests being served."),
    "axonhub_queue_rows": ("gauge", "Trace rows waiting to be written."),
    "axonhub_queue_bytes": ("gauge", "Bytes of prompts and replies waiting to be written."),
}


class Metrics:
    """Numbers only: no names of models, keys or channels, which clients could make up."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """`label` is one `name="value"` pair, or nothing."""
        self._counts[name, label] += by

    def text(self, gauges: Mapping[str, int]) -> str:
        """Every metric; `gauges` are what only the caller knows now."""
        values = {**self._counts, **{(name, ""): value for name, value in gauges.items()}}
        lines: list[str] = []
        for name, (kind, words) in _HELP.items():
            lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
            for (found, label), value in sorted(values.items()):
                if found == name:
                    lines.append(f"{name}{{{label}}} {value}" if label else f"{name} {value}")
        return "\n".join(lines) + "\n"
