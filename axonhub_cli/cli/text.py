"""How values look to people: control characters made visible, times, durations, counts, money."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import typer

# What could steer a terminal or disguise text: C0, DEL, C1, direction marks, line and paragraph separators, lone
# surrogates, byte order mark, invisible tag characters. Zero-width joiners stay: names and emoji need them.
STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_KEPT_IN_BLOCKS = "\n\t"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 36_500 * _UNIT_MS["d"]
_LATEST_MS = 253_402_300_799_999  # the last moment of the year 9999: what Python's calendar ends with


def visible(text: object) -> str:
    """One line that is safe to print, whatever the text: every control character is spelled out."""
    return STEERING.sub(lambda found: _spell(found.group()), str(text))


def visible_block(text: str) -> str:
    """Like `visible`, but line breaks and tabs stay."""
    unix = text.replace("\r\n", "\n")
    return STEERING.sub(lambda found: _keep(found.group()), unix).expandtabs(4)


def width_of(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters and emoji two, combining marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, limit: int) -> str:
    """At most `limit` columns, with an ellipsis where something was cut off."""
    if width_of(text) <= limit:
        return text
    kept = text[: max(0, limit - 1)]
    while width_of(kept) > max(0, limit - 1):
        kept = kept[:-1]
    return kept + "…"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with spaces up to `width` columns; `right`: in front of it."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces


def parse_duration(text: str) -> int:
    """`90s`, `15m`, `2h`, `30d` in milliseconds. Raises BadParameter."""
    found = _DURATION.fullmatch(text.strip())
    ms = int(found.group(1)) * _UNIT_MS[found.group(2)] if found else 0
    if not 0 < ms <= _LONGEST_MS:
        why = " of at most a hundred years" if ms else ""
        raise typer.BadParameter(
            f"{cut(visible(text), 40)!r} is no duration{why}; write for example 90s, 15m, 2h or 30d"
        )
    return ms


def rfc3339(ms: int | None) -> str | None:
    """Milliseconds since 1970 as `2026-11-23T01:02:03.004Z`."""
    if ms is None:
        return None
    ms = min(ms, _LATEST_MS)
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def local_time(ms: int, *, now_ms: int) -> str:
    """The wall clock of the person reading; with the date where it is not today."""
    moment = datetime.fromtimestamp(ms / 1000).astimezone()
    today = datetime.fromtimestamp(now_ms / 1000).astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S}"


def date_time(ms: int | None, *, seconds: bool = False) -> str:
    """Date and minute (and second) where the reader lives; `-` for none."""
    if ms is None:
        return "-"
    # A day before the end of the calendar: no time zone leads beyond it.
    moment = datetime.fromtimestamp(min(ms, _LATEST_MS - _UNIT_MS["d"]) / 1000).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}" if seconds else f"{moment:%Y-%m-%d %H:%M}"


def span(ms: int | None) -> str:
    """A duration in at most six characters; `-` for unknown."""
    if ms is None:
        return "-"
    if ms < 1_000:
        return f"{ms}ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f}s"
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes}m{seconds:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def count(number: int | None) -> str:
    """A number of tokens in at most five characters; `-` for unknown."""
    if number is None:
        return "-"
    if number < 1_000:
        return str(number)
    if number < 999_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1_000_000:.1f}M"


def money(usd: float | None) -> str:
    """Dollars with as many digits as small sums need; `-` for unknown."""
    if usd is None:
        return "-"
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def _keep(character: str) -> str:
    return character if character in _KEPT_IN_BLOCKS else _spell(character)


def _spell(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
