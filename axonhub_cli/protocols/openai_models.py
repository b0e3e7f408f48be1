"""What OpenAI's protocols share beside their payloads: the list of models."""

from __future__ import annotations

from typing import Any


def listed_ids(payload: Any) -> list[str]:
    """The ids of `{"data": [{"id": ...}]}`, or of a bare list, as some servers send it."""
    rows = payload.get("data") if isinstance(payload, dict) else payload
    names = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name for name in names if isinstance(name, str)]
