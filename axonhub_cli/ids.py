"""Ids that sort by the time they were made, and the clock behind them."""

from __future__ import annotations

import secrets
import threading
import time

__all__ = ["new_id", "now_ms"]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, so that text order is time order
_TIME_DIGITS = 10
_RANDOM_DIGITS = 14
_RANDOM_LIMIT = 32**_RANDOM_DIGITS


def now_ms() -> int:
    """Milliseconds since 1970, by the wall clock."""
    return time.time_ns() // 1_000_000


def new_id(prefix: str) -> str:
    """`prefix`, an underscore and 24 characters of [0-9a-z].

    Within one process each is greater than the one before, also when the clock is set back.
    """
    return f"{prefix}_{_SEQUENCE.next(now_ms())}"


class _Sequence:
    """The last number given out. A second one in the same millisecond is the last plus a random step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, now: int) -> str:
        fresh = now * _RANDOM_LIMIT + secrets.randbelow(_RANDOM_LIMIT // 2)
        with self._lock:
            if fresh <= self._last:
                fresh = self._last + 1 + secrets.randbelow(2**24)
            self._last = fresh
        return _text(fresh, _TIME_DIGITS + _RANDOM_DIGITS)


def _text(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


_SEQUENCE = _Sequence()
