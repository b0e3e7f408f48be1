"""What Codex sends back of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


def replayed(said: bytes) -> Iterator[dict[str, Any]]:
    """The items of a stream as Codex sends them back, each call with its output."""
    outputs = []
    for line in said.split(b"\n"):
        if line.startswith(b"data: ") and b'"response.output_item.done"' in line:
            item = msgspec.json.decode(line[6:])["item"]
            if item["type"] == "reasoning":
                item["content"] = None
            item.pop("id", None)
            yield item
            if "call_id" in item:
                outputs.append({"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "done"})
    yield from outputs
