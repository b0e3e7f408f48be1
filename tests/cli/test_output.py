import json
import os
import pty
import re
import subprocess
import sys

import pytest

from axonhub_cli.cli import text
from axonhub_cli.cli.output import Column, Node, Output
from tests.cli.conftest import AXONHUB

# reliability B18: every byte, terminal commands, disguises, and what rich would take for markup
NASTY = (
    "".join(map(chr, range(256)))
    + "\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil\x1b\\"
    + "[/foo][bold]x[/bold] :smile: "
    + "\u202egnp.exe\u2066\u061c\u200f\u2028\u2029\ufeff\U000e0041\udc80"
    + "日本語 e\u0301 👩\u200d💻"
)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_PRINT = """
import sys
sys.path.insert(0, {root!r})
from tests.cli.test_output import print_everything
print_everything(sys.argv[1] == "json")
"""


def print_everything(as_json):
    """Each way of printing, with the nastiest text in every place."""
    sys.stdout.reconfigure(errors="backslashreplace")
    out = Output(json=as_json)
    row = {"name": NASTY, "list": [NASTY]}
    out.table([row, row], [Column("NAME", lambda each: each["name"]), Column("N", lambda _: "1", rank=1)])
    out.detail(row, [("name", NASTY)])
    out.object_line(row)
    if not as_json:
        out.tree(Node(NASTY, "red", (Node(NASTY), Node("plain", "dim", (Node(NASTY),)))))
        out.value(NASTY)
        out.raw(NASTY)


def in_terminal(command, **environment):
    """What a program writes into a terminal of 80 columns."""
    main, side = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", **environment}
    process = subprocess.Popen(command, stdout=side, stderr=subprocess.PIPE, env=env)
    os.close(side)
    seen = b""
    try:
        while data := os.read(main, 65536):
            seen += data
    except OSError:
        pass  # Linux tells the end of a pty so
    os.close(main)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("mode", ["json", "human"])
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_from_outside_steers_a_terminal(mode, terminal, pytestconfig):
    command = [sys.executable, "-c", _PRINT.format(root=str(pytestconfig.rootpath)), mode]
    if terminal:
        shown = in_terminal(command)
    else:
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        shown = done.stdout.decode()
    assert _FORBIDDEN.search(shown) is None
    assert "[/foo][bold]x[/bold] :smile:" in shown.replace("\n", "")
    assert "日本語" in shown


def test_json_says_exactly_what_was_there(capsys):
    Output(json=True).object_line({"text": NASTY})
    assert json.loads(capsys.readouterr().out) == {"text": NASTY}


def test_visible():
    assert text.visible("a\x1b[31m\r\n\x9b\u202e\U000e0041") == "a\\e[31m\\r\\n\\x9b\\u202e\\U000e0041"
    assert text.visible_block("a\r\nb\tc\rd") == "a\nb   c\\rd"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "-"),
        (0, "0ms"),
        (999, "999ms"),
        (1000, "1.0s"),
        (59_900, "59.9s"),
        (60_000, "1m00s"),
        (7_384_000, "2h03m"),
    ],
)
def test_span(ms, words):
    assert text.span(ms) == words


@pytest.mark.parametrize(
    ("number", "words"), [(None, "-"), (0, "0"), (999, "999"), (1000, "1.0k"), (999_949, "999.9k"), (1_250_000, "1.2M")]
)
def test_count(number, words):
    assert text.count(number) == words


@pytest.mark.parametrize(("usd", "words"), [(None, "-"), (0, "$0.00"), (0.00123, "$0.0012"), (12.345, "$12.35")])
def test_money(usd, words):
    assert text.money(usd) == words


@pytest.mark.parametrize(
    ("words", "limit", "shown"),
    [
        ("gpt-5", 5, "gpt-5"),
        ("gpt-5", 4, "gpt…"),
        ("通义千问", 8, "通义千问"),
        ("通义千问", 7, "通义千…"),
        ("通义千问", 6, "通义…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("🚀", 1, "…"),
    ],
)
def test_cut_counts_columns(words, limit, shown):
    assert text.cut(words, limit) == shown


def test_tables_in_pipes_align_wide_names(capsys):
    rows = ["通义千问", "gpt", "e\u0301"]
    Output().table(rows, [Column("MODEL", str), Column("N", lambda _: "1")])
    assert capsys.readouterr().out == "MODEL     N\n通义千问  1\ngpt       1\ne\u0301         1\n"


def test_times():
    assert text.rfc3339(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
    assert text.rfc3339(None) is None
    assert [text.parse_duration(each) for each in ("90s", "15m", "2h", "30d")] == [
        90_000,
        900_000,
        7_200_000,
        2_592_000_000,
    ]


_WIDTHS = """
from axonhub_cli.cli.output import Column, Output
row = {"name": "a-rather-long-name", "b": "x" * 30, "c": "y" * 30, "d": "z" * 30}
columns = [Column(name.upper(), lambda each, name=name: each[name], rank=rank) for rank, name in enumerate(row)]
Output().table([row], columns)
"""


def test_names_are_not_broken_where_there_is_room():
    shown = in_terminal([AXONHUB, "channel", "types"], COLUMNS="80", TERM="xterm")
    assert "openai-compatible" in shown
    assert "anthropic-compatible" in shown
    assert max(map(len, re.sub(r"\x1b\[\d*m", "", shown).splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 81, 100])
def test_nothing_of_a_cell_is_lost_where_it_is_folded(width):
    shown = in_terminal([AXONHUB, "channel", "types"], COLUMNS=str(width), TERM="xterm")
    lines = re.sub(r"\x1b\[\d*m", "", shown).splitlines()
    last = "".join(line[lines[0].index("BASE URL") :].strip() for line in lines[1:])
    assert last.startswith("https://api.openai.com/v1yours: --base-urlhttps://api.deepseek.com/v1")


@pytest.mark.parametrize(("width", "headers"), [(200, "NAME B C D"), (80, "NAME B C D"), (40, "NAME B"), (10, "NAME")])
def test_narrow_terminals_lose_the_last_columns(width, headers):
    shown = in_terminal([sys.executable, "-c", _WIDTHS], COLUMNS=str(width), TERM="xterm")
    lines = re.sub(r"\x1b\[\d*m", "", shown).splitlines()
    assert lines[0].split() == headers.split()
    assert max(map(len, lines)) <= width
    assert "".join(line[:18].split(" ")[0] for line in lines[1:]).startswith("a-rather-l")
