"""Goldens: what comes of each input, kept to be read. `GOLDEN=write pytest …` writes them anew; then read the diff."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
WRITE = os.environ.get("GOLDEN") == "write"


def check(name: str, found: Any) -> None:
    """Compares with the file of this name below this folder: text as it is, anything else as JSON."""
    path = ROOT / name
    text = found if isinstance(found, str) else json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert path.read_bytes().decode() == text, f"{path} differs; GOLDEN=write writes it"


def check_all_used(folder: str, names: set[str]) -> None:
    """No golden that nothing is compared with."""
    stale = {path.name for path in (ROOT / folder).iterdir()} - names
    if WRITE:
        for name in stale:
            (ROOT / folder / name).unlink()
    else:
        assert not stale
