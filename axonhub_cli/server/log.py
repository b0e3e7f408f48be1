"""The server's own log: one line per request, to stderr and to a file; never a query string, a header or a key."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import msgspec

from axonhub_cli.catalog import another_model
from axonhub_cli.entities import AttemptRecord, RequestRecord, RequestStatus
from axonhub_cli.routing.refusals import REMEMBERED_S
from axonhub_cli.server.outlets import LogFile, Terminal

LOGGER = logging.getLogger("axonhub")
_MAX_FILE = 10 * 1024 * 1024
_MAX_WORDS = 300
# C0, DEL, C1, direction marks, line and paragraph separators, byte order mark, invisible tag characters: a line stays
# one line, and steers no terminal (reliability B18, B19).
_STEERING = (*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_STEERING += (0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080))
_CONTROLS = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _STEERING}
_JSON_CONTROLS = {code: json.dumps(chr(code))[1:-1] for code in _STEERING if code > 127} | {127: "\\u007f"}


def setup(level: str, style: str, folder: Path | None, stream: TextIO | None = None) -> None:
    """`style` is text or json; `folder` None keeps no file. Replaces what an earlier call set up."""
    line = _json_line if style == "json" else _text_line
    file = LogFile(folder / "axonhub.log", _MAX_FILE) if folder is not None else None
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.addHandler(_Lines(line, Terminal(stream or sys.stderr), file))
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
    # Our lines name no thread, process or place in the source, and finding them out costs more than the line.
    # https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    # The HTTP library's own messages may quote headers (reliability 0.9): ours say what happened.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


def visible(text: str) -> str:
    """Text of others with control characters shown, cut to a line's length."""
    if not text.isprintable():  # which the controls are not; asking is faster than looking each letter up
        text = text.translate(_CONTROLS)
    return text if len(text) <= _MAX_WORDS else text[:_MAX_WORDS] + "…"


def request_done(record: RequestRecord, last: AttemptRecord | None) -> None:
    """One line that names both sides: what was asked, who answered with which model, and what it took."""
    bad = record.status is RequestStatus.FAILED
    level = logging.WARNING if bad else logging.INFO
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", _Exchange(record, last))


def learned(channel: str, model: str, name: str) -> None:
    """A channel did without what it refused, and is asked without it from now on."""
    words = f"{channel} refuses {name} for {model}: left out from now on, for {REMEMBERED_S / 3600:g} h"
    LOGGER.info("%s", visible(f"{words} or until the channel is edited"))


def request_line(record: RequestRecord, last: AttemptRecord | None) -> str:
    """`POST /v1/responses gpt-5 → deepseek POST /v1/chat/completions deepseek-reasoner 200 ttft 412 ms 3.1 s …`"""
    words = ["POST", record.path, record.client_model or "-"]
    if last is not None:
        words += ["→", last.channel, "POST", last.url_path or "-", last.upstream_model]
    if another := served_instead(record):
        words.append(f"(answered by {another})")
    words.append(str(record.http_status) if record.http_status is not None else "-")
    if record.status is not RequestStatus.COMPLETED:
        words.append(record.status.value)
    if record.ttft_ms is not None:
        words.append(f"ttft {record.ttft_ms} ms")
    if record.duration_ms is not None:
        words.append(f"{record.duration_ms / 1000:.1f} s")
    if record.input_tokens is not None:
        cached = f" (cached {record.cached_tokens})" if record.cached_tokens is not None else ""
        words.append(f"in {record.input_tokens}{cached}")
    if record.output_tokens is not None:
        words.append(f"out {record.output_tokens}")
    if record.attempts > 1:
        words.append(f"{record.attempts} attempts")
    if record.error:
        words.append(f"error: {record.error}")
    return visible(" ".join(words))


def served_instead(record: RequestRecord) -> str | None:
    """The model that answered where that is another than the one the upstream was asked for (pitfall 143)."""
    return record.served_model if another_model(record.upstream_model or "", record.served_model) else None


class _Exchange:
    """The argument of a log record, in words or in fields as the style wants it."""

    def __init__(self, record: RequestRecord, last: AttemptRecord | None) -> None:
        self._record, self._last = record, last

    def __str__(self) -> str:
        return request_line(self._record, self._last)

    def fields(self) -> dict[str, Any]:
        """Those that are known."""
        return {name: value for name, value in _fields(self._record, self._last).items() if value is not None}


class Rarely:
    """Lets one message through per `seconds`, and says how many it held back."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._next = float("-inf")
        self._held = 0

    def warn(self, message: str) -> None:
        """Logs `message`, or counts it."""
        now = self._clock()
        if now < self._next:
            self._held += 1
            return
        more = f" ({self._held} more like it)" if self._held else ""
        self._next, self._held = now + self._seconds, 0
        LOGGER.warning("%s", visible(message) + more)


def _fields(record: RequestRecord, last: AttemptRecord | None) -> Mapping[str, Any]:
    return {
        "request_id": record.id,
        "trace_id": record.trace_id,
        "path": record.path,
        "client_model": record.client_model,
        "channel": last.channel if last else None,
        "upstream_path": last.url_path if last else None,
        "upstream_model": last.upstream_model if last else None,
        "served_instead": served_instead(record),
        "http_status": record.http_status,
        "status": record.status.value,
        "attempts": record.attempts,
        "ttft_ms": record.ttft_ms,
        "duration_ms": record.duration_ms,
        "input_tokens": record.input_tokens,
        "cached_tokens": record.cached_tokens,
        "output_tokens": record.output_tokens,
        "error": visible(record.error) if record.error else None,
    }


def _time(created: float) -> str:
    return f"{_second(int(created))}.{int(created % 1 * 1000):03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _text_line(record: logging.LogRecord) -> str:
    return f"{_time(record.created)} {record.levelname.lower():<7} {record.getMessage()}"


def _json_line(record: logging.LogRecord) -> str:
    line = {"time": _time(record.created), "level": record.levelname.lower(), "message": record.getMessage()}
    if isinstance(record.args, tuple) and record.args and isinstance(exchange := record.args[0], _Exchange):
        line |= exchange.fields()
    text = msgspec.json.encode(line).decode()
    return text if text.isprintable() else text.translate(_JSON_CONTROLS)


class _Lines(logging.Handler):
    """Writes a record once, to the terminal and to the file. Where either takes nothing the server goes on without."""

    def __init__(self, line: Callable[[logging.LogRecord], str], terminal: Terminal, file: LogFile | None) -> None:
        super().__init__()
        self._line, self._terminal, self._file = line, terminal, file
        self._failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        line = self._line(record)
        self._terminal.write(line)
        if self._file is None:
            return
        try:
            self._file.write(f"{line}\n".encode("utf-8", "replace"))
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._failing = True
                words = f"the log's file cannot be written, this is the only place for now: {error.strerror}"
                self._terminal.write(self._line(logging.LogRecord("", logging.WARNING, "", 0, words, None, None)))

    def close(self) -> None:
        """See logging.Handler."""
        super().close()
        self._terminal.close()
        if self._file is not None:
            self._file.close()
