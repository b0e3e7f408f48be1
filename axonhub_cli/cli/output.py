"""What commands print: data on stdout (tables, details, trees or JSON), everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from axonhub_cli.cli.text import STEERING, padded, visible, visible_block, width_of

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
_NOT_ASCII = re.compile("[^\n\t\x20-\x7e]")
_GAP = 2
_FLOOR = 12  # a column is not squeezed below this before another one goes


class PipeClosedError(Exception):
    """Whoever read our stdout has had enough; not a failure of ours."""


class Column(NamedTuple):
    """One column of a table. `cell` makes its text from a row; a column with a higher `rank` is the first to go
    where the terminal is too narrow, rank 0 always stays."""

    header: str
    cell: Callable[[Any], str]
    right: bool = False
    rank: int = 0


class Node(NamedTuple):
    """A line or block of a tree with what hangs below it; `style` is rich's word for its colour."""

    text: str
    style: str = ""
    children: tuple[Node, ...] = ()


class Output:
    """Where a command's results go. With `json`, stdout is JSON and nothing else."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json

    def table(self, rows: Sequence[Any], columns: Sequence[Column], *, empty: str = "") -> None:
        """A list: a JSON array of `rows`, or one line a row. `empty` is a note for people where there is none."""
        if self.json:
            self.write(dump(list(rows)) + "\n")
        elif rows:
            self._print_table(rows, columns)
        elif empty:
            self.note(empty)

    def detail(self, data: Row, fields: Iterable[tuple[str, object]]) -> None:
        """One thing: the JSON object `data`, or `fields` as aligned label and text."""
        if self.json:
            self.write(dump(data) + "\n")
            return
        pairs = [(label, visible_block(str(text))) for label, text in fields]
        width = max((len(label) for label, _ in pairs), default=0) + _GAP
        for label, text in pairs:
            first, *rest = text.split("\n")
            self.write("".join(f"{line}\n" for line in (f"{label:<{width}}{first}", *(" " * width + r for r in rest))))

    def tree(self, node: Node) -> None:
        """A tree for people; never called in JSON mode."""
        from rich.text import Text
        from rich.tree import Tree

        def grow(source: Node, parent: Tree | None) -> Tree:
            label = Text(visible_block(source.text), style=source.style if terminal else "")
            branch = parent.add(label) if parent else Tree(label, guide_style="dim" if terminal else "")
            for child in source.children:
                grow(child, branch)
            return branch

        terminal = is_terminal(sys.stdout)
        with _pipe_guard():
            self.console(wide=not terminal).print(grow(node, None), soft_wrap=False)

    def value(self, text: str) -> None:
        """One bare value on a line of its own: a key, a path."""
        self.write(visible(text) + "\n")

    def raw(self, text: str) -> None:
        """JSON, or events with JSON in them, that means the same when it is read again."""
        shown = _inert(text.replace("\r\n", "\n"))
        self.write(shown if shown.endswith("\n") or not shown else shown + "\n")

    def object_line(self, data: Row) -> None:
        """One JSON object on one line, sent off at once."""
        self.write(dump(data, indent=False) + "\n")

    def write(self, text: str) -> None:
        """Text that is safe already. Raises PipeClosedError."""
        with _pipe_guard():
            sys.stdout.write(text)
            sys.stdout.flush()

    def result(self, message: str) -> None:
        """What has been done."""
        say(message)

    def note(self, message: str) -> None:
        """Something worth knowing."""
        say(message)

    def warning(self, message: str) -> None:
        """Something that will hurt later."""
        say(f"warning: {message}")

    def hint(self, message: str) -> None:
        """The next command to type."""
        say(f"hint: {message}")

    def console(self, *, wide: bool = False) -> Console:
        """Rich on stdout, with its own detection of colour and width; `wide` wraps nothing."""
        from rich.console import Console

        return Console(highlight=False, markup=False, emoji=False, width=100_000 if wide else None)

    def _print_table(self, rows: Sequence[Any], columns: Sequence[Column]) -> None:
        cells = [[visible(column.cell(row)) for column in columns] for row in rows]
        if not is_terminal(sys.stdout):
            self.write(aligned([[column.header for column in columns], *cells], [column.right for column in columns]))
            return
        from rich.table import Table
        from rich.text import Text

        console = self.console()
        kept = _fitting(columns, cells, console.width)
        shown = [[columns[i].header for i in kept], *([line[i] for i in kept] for line in cells)]
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, width in zip(kept, _widths(shown, console.width), strict=True):
            justify = "right" if columns[index].right else "left"
            table.add_column(Text(columns[index].header), justify=justify, overflow="fold", width=width)  # type: ignore[arg-type]
        for line in cells:
            table.add_row(*(Text(line[index]) for index in kept))
        with _pipe_guard():
            console.print(table)


def say(message: str) -> None:
    """One line on stderr, for people; silent where nobody can read it any more."""
    try:
        sys.stderr.write(visible_block(message) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def dump(value: Any, *, indent: bool = True) -> str:
    """JSON that is inert in a terminal: what could steer one is escaped. Whatever strings hold, it can be said."""
    # The standard library's, since msgspec refuses the lone surrogates that file names and arguments may hold.
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=2 if indent else None, separators=separators)
    return _inert(text)


def _inert(text: str) -> str:
    """JSON with what could steer a terminal escaped, and everything but ASCII where stdout has no room for it."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    return (STEERING if unicode else _NOT_ASCII).sub(lambda found: _json_escape(found.group()), text)


def is_terminal(stream: IO[str]) -> bool:
    """Whether a person sees it. A closed stream is none."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def aligned(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Plain text in columns, for pipes and files."""
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]

    def one(line: Sequence[str]) -> str:
        fields = (padded(text, width, right=flush) for text, width, flush in zip(line, widths, right, strict=True))
        return (" " * _GAP).join(fields).rstrip()

    return "".join(f"{one(line)}\n" for line in lines)


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns that fit when each shrinks to `_FLOOR` at most: those of the highest rank go first."""
    natural = [max(len(column.header), *(width_of(line[i]) for line in cells)) for i, column in enumerate(columns)]
    kept = list(range(len(columns)))
    while sum(min(natural[i], _FLOOR) + _GAP for i in kept) > width:
        droppable = [i for i in kept if columns[i].rank]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda i: (columns[i].rank, i)))
    return kept


def _widths(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """Of the columns, so that all of them together fit: the widest give way first, and where there is room for it
    not the first one, so that what a line is about stays in one piece."""
    widths = [max(1, *map(width_of, column)) for column in zip(*lines, strict=True)]
    # Rich counts a gap behind the last column too, though it draws none, and would cut off what it thinks too wide.
    room = width - _GAP * len(widths)
    first = 1 if widths[0] <= width // 3 and len(widths) > 1 else 0
    while sum(widths) > room and max(widths[first:]) > 1:
        widths[widths.index(max(widths[first:]), first)] -= 1
    return widths


def _json_escape(character: str) -> str:
    if character in "\n\t":  # of the layout; inside strings they are escaped already
        return character
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


class _pipe_guard:  # noqa: N801 - used like a function
    """Turns a broken pipe on stdout into PipeClosedError, and sends what is still buffered nowhere."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BrokenPipeError):
            silence_stdout()
            raise PipeClosedError from error


def silence_stdout() -> None:
    """After the reader has gone: what Python flushes at exit must not fail again."""
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, sys.stdout.fileno())
    except (OSError, ValueError):
        return
    finally:
        os.close(sink)
