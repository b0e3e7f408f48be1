"""Ids that sort by the time they were made, and the clock behind them."""

from __future__ import annotations

import random
import threading
import time

__all__ = ["new_id", "now_ms"]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, so that text order is time order
_TIME_DIGITS = 10
_RANDOM_DIGITS = 14
_RANDOM_LIMIT = 32**_RANDOM_DIGITS
_RANDOM_BITS = 5 * _RANDOM_DIGITS - 1  # the upper half is left for steps
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def now_ms() -> int:
    """Milliseconds since 1970, by the wall clock."""
    return time.time_ns() // 1_000_000


def new_id(prefix: str) -> str:
    """`prefix`, an underscore and 24 characters of [0-9a-z].

    Within one process each is greater than the one before, also when the clock is set back.
    """
    return f"{prefix}_{_SEQUENCE.next(now_ms())}"


class _Sequence:
    """The last number given out. A second one in the same millisecond is the last plus a random step.

    Ids are names and guard nothing, so that the quick generator does, which Python seeds anew in a forked process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, now: int) -> str:
        fresh = now * _RANDOM_LIMIT + random.getrandbits(_RANDOM_BITS)
        with self._lock:
            if fresh <= self._last:
                fresh = self._last + 1 + random.getrandbits(24)
            self._last = fresh
        return _text(fresh, _TIME_DIGITS + _RANDOM_DIGITS)


def _text(number: int, length: int) -> str:
    """An even number of digits, two at a time."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * (length - 2), -1, -10)])


_SEQUENCE = _Sequence()
