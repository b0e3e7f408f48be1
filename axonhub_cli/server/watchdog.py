"""One timer for one exchange: who has been silent for too long, the upstream or the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_NEVER = float("inf")


class Watchdog:
    """Three deadlines on one timer handle.

    Pushing a deadline back costs one assignment: the timer fires at the old time, sees that it is
    early and sleeps on. So a chunk costs no task, no timer and no cancellation.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_silence: Callable[[], None],
        on_stall: Callable[[], None],
        on_beat: Callable[[], None] | None = None,
        beat_s: float = _NEVER,
    ) -> None:
        """`on_silence`: the upstream; `on_stall`: the client does not read; `on_beat`: `beat_s` seconds
        went by without a byte to the client."""
        self._loop = loop
        self._on_silence, self._on_stall, self._on_beat = on_silence, on_stall, on_beat
        self._beat_s = beat_s if on_beat else _NEVER
        self._silence_at = self._stall_at = _NEVER
        self._beat_at = loop.time() + self._beat_s
        self._fires_at = _NEVER
        self._handle: asyncio.TimerHandle | None = None
        self._closed = False
        self._wake(self._beat_at)

    def expect(self, seconds: float) -> None:
        """The upstream has this long for its next byte."""
        self._silence_at = at = self._loop.time() + seconds
        if at < self._fires_at:
            self._wake(at)

    def relax(self) -> None:
        """Nothing is expected of the upstream now."""
        self._silence_at = _NEVER

    def writing(self, seconds: float) -> None:
        """A write to the client begins, and may take this long."""
        self._stall_at = at = self._loop.time() + seconds
        if at < self._fires_at:
            self._wake(at)

    def written(self) -> None:
        """The write is over: the client has heard from us."""
        self._stall_at = _NEVER
        self._beat_at = self._loop.time() + self._beat_s

    def close(self) -> None:
        """No deadline fires any more, and whom it told is let go: what an exchange holds is freed without the
        garbage collector."""
        self._closed = True
        self._on_silence = self._on_stall = _nobody
        self._on_beat = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wake(self, at: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._fires_at = at
        if at < _NEVER and not self._closed:
            self._handle = self._loop.call_at(at, self._check)

    def _check(self) -> None:
        self._handle, self._fires_at = None, _NEVER
        now = self._loop.time()
        if self._stall_at < _NEVER:
            # Blocked on the client: we are not reading, so the upstream's silence is ours.
            if now >= self._stall_at:
                self._stall_at = _NEVER
                self._on_stall()
        elif now >= self._silence_at:
            self._silence_at = _NEVER
            self._on_silence()
        elif now >= self._beat_at and self._on_beat is not None:
            self._beat_at = now + self._beat_s
            self._on_beat()
        self._wake(self._next(now))

    def _next(self, now: float) -> float:
        at = min(self._silence_at, self._beat_at, self._stall_at)
        # A deadline that is past but shadowed by a stall is looked at again soon.
        return max(at, now + 0.01) if at < _NEVER else _NEVER


def _nobody() -> None:
    """Whom a closed watchdog tells."""
