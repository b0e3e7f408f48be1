"""A home and a store that each test has to itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from axonhub_cli.config import Config
from axonhub_cli.paths import Home
from axonhub_cli.store.database import Store, open_store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "home")


class Clock:
    """Milliseconds that move only when told to."""

    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    with open_store(home, Config(), clock=clock) as opened:
        yield opened
