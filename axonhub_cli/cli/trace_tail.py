"""`traces tail`: finished requests as lines, running ones below them, for as long as the person looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from axonhub_cli.cli.output import Output, is_terminal
from axonhub_cli.cli.text import count, cut, local_time, money, padded, span, visible
from axonhub_cli.cli.trace_rows import STYLES, models, models_within, outcome, output_text, request_row, short
from axonhub_cli.entities import RequestRecord, RequestStatus

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

POLL_S = 0.1
SPIN_S = 0.2  # how often the running ones are drawn again
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Cell(NamedTuple):
    """One field of a line. Where the terminal is narrow, higher ranks go first; `least` is the narrowest width."""

    width: int
    text: Callable[[RequestRecord, int], str]
    rank: int
    right: bool = False
    title: str = ""


_CELLS = (
    Cell(8, lambda record, now: local_time(record.started_at, now_ms=now)[-8:], 1, title="TIME"),
    Cell(10, lambda record, _: outcome(record), 0, title="STATUS"),
    Cell(34, lambda record, _: models(record), 0, title="MODEL"),
    Cell(14, lambda record, _: record.channel or "-", 2, title="CHANNEL"),
    Cell(12, lambda record, _: record.key or "-", 6, title="KEY"),
    Cell(6, lambda record, _: count(record.input_tokens), 3, right=True, title="IN"),
    Cell(6, lambda record, _: count(record.cached_tokens), 5, right=True, title="CACHED"),
    Cell(6, lambda record, _: output_text(record), 3, right=True, title="OUT"),
    Cell(6, lambda record, _: span(record.ttft_ms), 4, right=True, title="FIRST"),
    Cell(6, lambda record, _: span(record.duration_ms), 1, right=True, title="TOTAL"),
    Cell(8, lambda record, _: money(record.cost_usd), 6, right=True, title="COST"),
    Cell(13, lambda record, _: short(record.trace_id), 7, title="TRACE"),
    Cell(33, lambda record, _: record.id, 8, title="REQUEST"),
)
_MODEL = 2
_MODEL_LEAST = 12
_WANTED = 4  # the highest rank for which models' names are cut


def fitting(width: int) -> tuple[Cell, ...]:
    """The cells that fit into `width`. The models' cell gives way before those that most people want, and gets what is
    left over."""
    kept = list(_CELLS)
    while len(kept) > 2:
        last = max(kept, key=lambda cell: cell.rank)
        gives = _CELLS[_MODEL].width - _MODEL_LEAST if last.rank <= _WANTED else 0
        if _total(kept) - gives <= width:
            break
        kept.remove(last)
    spare = width - _total(kept)
    return tuple(
        cell._replace(width=max(_MODEL_LEAST, cell.width + min(spare, 30))) if cell is _CELLS[_MODEL] else cell
        for cell in kept
    )


def header(cells: Sequence[Cell]) -> str:
    """The titles over the lines."""
    return _joined((cell.title, cell) for cell in cells)


def line(record: RequestRecord, cells: Sequence[Cell], now_ms: int) -> str:
    """One request, each field cut to its width."""
    return _joined((visible(_text(record, cell, now_ms)), cell) for cell in cells)


def _text(record: RequestRecord, cell: Cell, now_ms: int) -> str:
    return models_within(record, cell.width) if cell.title == "MODEL" else cell.text(record, now_ms)


def _joined(fields: Iterable[tuple[str, Cell]]) -> str:
    return " ".join(_padded((cut(text, cell.width), cell)) for text, cell in fields).rstrip()


def _padded(field: tuple[str, Cell]) -> str:
    text, cell = field
    return padded(text, cell.width, right=cell.right)


def _total(cells: Sequence[Cell]) -> int:
    return sum(cell.width for cell in cells) + len(cells) - 1


class JsonScreen:
    """Finished requests as one JSON object a line."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def show(self, finished: Sequence[RequestRecord], _running: Sequence[RequestRecord], _now_ms: int) -> None:
        """Writes and sends off each."""
        for record in finished:
            self._out.object_line(request_row(record))


class PlainScreen:
    """Finished requests as lines, for pipes and files: every field, nothing cut away for width."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def show(self, finished: Sequence[RequestRecord], _running: Sequence[RequestRecord], now_ms: int) -> None:
        """Writes and sends off each."""
        for record in finished:
            fields = ((visible(cell.text(record, now_ms)), cell) for cell in _CELLS)
            self._out.write(" ".join(map(_padded, fields)).rstrip() + "\n")


class LiveScreen:
    """A terminal: lines that stay, and below them the running requests with a spinner and their age."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._drawn = 0.0
        self._had_running = False
        self._titled = 0

    def show(self, finished: Sequence[RequestRecord], running: Sequence[RequestRecord], now_ms: int) -> None:
        """Prints the finished ones above; draws the running ones anew every `SPIN_S`, or when one has finished."""
        from rich.text import Text

        console = self._live.console
        cells = fitting(console.width)
        if self._titled != console.width:
            self._titled = console.width
            console.print(Text(header(cells), style="bold"), no_wrap=True, crop=True)
        for record in finished:
            console.print(Text(line(record, cells, now_ms), style=_style(record)), no_wrap=True, crop=True)
        tick = time.monotonic()
        if finished or (tick - self._drawn >= SPIN_S and (running or self._had_running)):
            self._drawn, self._had_running = tick, bool(running)
            self._live.update(_below(running, now_ms, console.size), refresh=True)


def _style(record: RequestRecord) -> str:
    return "" if record.status is RequestStatus.COMPLETED else STYLES[str(record.status)]


def _below(running: Sequence[RequestRecord], now_ms: int, size: tuple[int, int]) -> RenderableType:
    from rich.text import Text

    width, height = size
    room = max(1, height // 3)
    texts = [_running_line(record, now_ms, width) for record in running[-room:]]
    if len(running) > room:
        texts.insert(0, Text(cut(f"  and {len(running) - room} more running", width), style="dim"))
    return Text("\n").join(texts)


def _running_line(record: RequestRecord, now_ms: int, width: int) -> Text:
    from rich.text import Text

    age = max(0, now_ms - record.started_at)
    mark = _SPINNER[(now_ms // int(SPIN_S * 1000)) % len(_SPINNER)]
    where = f" on {record.channel}" if record.channel else ""
    attempt = f", attempt {record.attempts}" if record.attempts > 1 else ""
    words = f"{mark} {span(age):>6} {models(record)}{where}{attempt}{f', key {record.key}' if record.key else ''}"
    return Text(cut(visible(words), width), style=STYLES["running"])


Screen = JsonScreen | PlainScreen | LiveScreen


@contextmanager
def open_screen(out: Output) -> Iterator[Screen]:
    """The screen that suits stdout."""
    if out.json:
        yield JsonScreen(out)
    elif not is_terminal(sys.stdout):
        yield PlainScreen(out)
    else:
        from rich.live import Live

        with Live(console=out.console(), auto_refresh=False, transient=True) as live:
            # Hidden by rich, it would stay so for the shell after Ctrl-Z or a kill.
            live.console.show_cursor(True)
            yield LiveScreen(live)
