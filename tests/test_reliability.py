"""docs/reliability.md says what the code does: limits, the table of repeats, and the names that tests use."""

import re
from pathlib import Path

import pytest

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.failures import STATUS_OF_KIND, read_error
from axonhub_cli.routing import failover, health, refusals
from axonhub_cli.routing.failover import Action, AttemptState, client_error, decide
from axonhub_cli.server.limits import Limits

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "reliability.md").read_text()
UNITS = {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}
PROMISES = {
    name for row in re.findall(r"^\| ([A-Z]\d+(?:, [A-Z]\d+)*) \|", DOC, re.MULTILINE) for name in row.split(", ")
}
SECTIONS = set(re.findall(r"^(?:#+|\|) (\d+(?:\.\d+)?)\.? ", DOC, re.MULTILINE))
REPEATS = re.findall(r"^\| `?(\w+)`? \| (yes|no) \| (yes|no|next key) \| (yes|no) \| (\d+) \|$", DOC, re.MULTILINE)


def test_limits():
    told = {}
    for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", DOC, re.MULTILINE):
        for name, value in zip(names.split(", "), values.split(", "), strict=False):
            if number := re.fullmatch(r"([\d.]+) ?(s|KiB|MiB|)", value.strip()):
                told[name.strip("`")] = float(number[1]) * UNITS[number[2]]
    assert told == {name: getattr(Limits(), name) for name in Limits.__struct_fields__}


def error_named(name):
    if name.isdigit():
        return read_error(int(name), {}, b"")
    if name in set(failover.Fault):
        return APIError(ErrorKind.BAD_GATEWAY, "x", 502, code=name, upstream=True)
    return APIError(ErrorKind(name), "no such model", STATUS_OF_KIND[ErrorKind(name)], upstream=True)


@pytest.mark.parametrize("row", REPEATS, ids=lambda row: row[0])
def test_repeats(row):
    name, again, elsewhere, counts, status = row
    error = error_named(name)
    first = decide(error, AttemptState(here=1, other_keys=True, other_channels=True))
    later = decide(error, AttemptState(here=2, other_keys=True, other_channels=True))
    words = {Action.NEXT_KEY: "next key", Action.NEXT_CHANNEL: "yes", Action.STOP: "no"}
    assert (first.action is Action.RETRY) is (again == "yes")
    assert words[later.action] == elsewhere
    assert later.penalize is (counts == "yes")
    assert client_error(error).status == int(status)


def test_every_failure_is_in_the_table():
    known = {str(fault) for fault in failover.Fault} | {str(kind) for kind in ErrorKind} - {"canceled"}
    assert known <= {row[0] for row in REPEATS}


def test_numbers_in_the_text():
    text = " ".join(DOC.split())
    assert (
        f"at most {failover.MAX_ATTEMPTS} calls to {failover.MAX_CHANNELS} channels within {failover.BUDGET_S:.0f} s"
        in text
    )
    assert f"for {health.FAULT_REST_S:.0f} s, doubling to {health.FAULT_REST_MAX_S:.0f} s" in text
    assert health.FAULTS_BEFORE_REST == 2
    assert f"A refused key rests for {failover.KEY_REST_S:.0f} s" in text
    assert f"or {failover.QUOTA_REST_S:.0f} s; a rate limit" in text
    assert f"or {failover.RATE_REST_S:.0f} s, doubling to {failover.RATE_REST_MAX_S:.0f} s" in text
    assert f"on that channel for {failover.MODEL_REST_S:.0f} s" in text
    assert f"at most {failover.SHORT_WAIT_S:.0f} s, it is waited here" in text
    assert f"once leaving it out has helped: for {refusals.REMEMBERED_S / 3600:.0f} h" in text


def named(texts):
    """Promises and sections that comments and docstrings point at."""
    found = re.findall(r"reliability ((?:[A-Z]?\d+(?:\.\d+)?(?:-[A-Z]\d+)?(?:, (?:and )?| and )?)+)", "\n".join(texts))
    return {name for run in found for name in re.findall(r"[A-Z]\d+|\d+\.\d+", run)}


def test_every_name_is_explained_and_every_promise_tested():
    here = Path(__file__)
    sources = [path.read_text() for path in (ROOT / "axonhub_cli").rglob("*.py")]
    tests = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != here]
    titles = re.findall(r"def test((?:_[bdfkls]\d+)+)_", "\n".join(tests))
    titled = {name.upper() for run in titles for name in run[1:].split("_")}
    assert titled | named(sources + tests) <= PROMISES | SECTIONS
    assert titled | named(tests) >= PROMISES
