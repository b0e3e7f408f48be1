"""config.yml and its variables: what is taken, and how each mistake is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from axonhub_cli.config import Config, Setting, check, effective, load_config
from axonhub_cli.config.values import KEYS, variable_of
from axonhub_cli.errors import ConfigError

DOCUMENTED = """\
server:
  host: 127.0.0.1
  port: 8090
  trace:
    trace_header: AH-Trace-Id          # first choice
    thread_header: AH-Thread-Id
    codex_trace_enabled: true
    claude_code_trace_enabled: true
    opencode_trace_enabled: true
    extra_trace_headers: []
traces:
  store_bodies: true
  retention_days: 30
  max_database_mb: 2048
database:
  url: ""
log:
  level: info
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yml"


def told(path: Path, text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [problem.text(path.name) for problem in check(path, environ or {})]


def test_the_documented_file_is_the_default(path: Path) -> None:
    assert load_config(path, {}) == Config()  # no file
    assert told(path, DOCUMENTED) == [] and load_config(path, {}) == Config()


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "server:\n  trace:\nlog:\n", "\ufeffserver: {port: 8090}\n"]
)
def test_empty_files_and_sections_are_fine(path: Path, text: str) -> None:
    assert told(path, text) == [] and load_config(path, {}) == Config()


def test_values_of_the_file(path: Path) -> None:
    text = (
        "server:\n  port: 9000\n  trace: {extra_trace_headers: [Conversation_id, 'X-Foo'], codex_trace_enabled: no}\n"
    )
    assert told(path, text) == []
    server = load_config(path, {}).server
    assert (server.port, server.trace.extra_trace_headers, server.trace.codex_trace_enabled) == (
        9000, ("Conversation_id", "X-Foo"), False,
    )  # fmt: skip


MISTAKES: dict[str | bytes, str] = {
    "server:\n  prot: 1": "config.yml:2:3: server.prot: unknown key, did you mean 'port'?",
    "port: 1": "config.yml:1:1: port: unknown key, did you mean 'server.port'?",
    "zzz: 1": "config.yml:1:1: zzz: unknown key (there are: database, log, server, traces)",
    "server: {port: eight}": "config.yml:1:16: server.port: expected a whole number, got text 'eight'",
    "server: {port: '80'}": "config.yml:1:16: server.port: expected a whole number, got text '80'",
    "server: {port: 1.5}": "config.yml:1:16: server.port: expected a whole number, got a number '1.5'",
    "server: {port: 0x50}": "config.yml:1:16: server.port: expected a whole number, got a number '0x50'",
    "server: {port: 70000}": "config.yml:1:16: server.port: expected a number from 0 to 65535, got 70000",
    "server: {port: }": "config.yml:1:16: server.port: expected a whole number, got nothing",
    "server: {host: 8}": "config.yml:1:16: server.host: expected text, got a number '8' (put it in quotes)",
    "server: {host: 'http://x'}": "config.yml:1:16: server.host: expected an address or a host name "
    "without scheme and port, got 'http://x'",
    "server: {trace: {trace_header: no}}": "config.yml:1:32: server.trace.trace_header: expected text, "
    "got true/false 'no' (put it in quotes)",
    "server: {trace: {thread_header: 'a b'}}": "config.yml:1:33: server.trace.thread_header: expected the name of an "
    "HTTP header (letters, digits, - and _), got 'a b'",
    "server: {trace: {trace_header: Authorization}}": "config.yml:1:32: server.trace.trace_header: expected a "
    "header that holds no key, got 'Authorization'",
    "server: {trace: {extra_trace_headers: [X-A, X_API_Key]}}": "config.yml:1:39: server.trace."
    "extra_trace_headers: expected a header that holds no key, got 'X_API_Key'",
    "server: {trace: {extra_trace_headers: X}}": "config.yml:1:39: server.trace.extra_trace_headers: "
    "expected a list of texts, e.g. [A, B], got text 'X'",
    "server:\n  trace:\n    extra_trace_headers:\n      - X-A\n      - X-B:": "config.yml:5:9: "
    "server.trace.extra_trace_headers: expected text, got a section",
    "server: {trace: {extra_trace_headers: [X-A, 1]}}": "config.yml:1:45: server.trace.extra_trace_headers: "
    "expected text, got a number '1' (put it in quotes)",
    "server: [1]": "config.yml:1:9: server: expected a section with keys below it, got a list",
    "log: {level: warn}": "config.yml:1:14: log.level: expected one of debug, info, warning, error, got 'warn', "
    "did you mean 'warning'?",
    "traces: {store_bodies: 1}": "config.yml:1:24: traces.store_bodies: expected true or false, got a number '1'",
    "traces: {retention_days: 0}": "config.yml:1:26: traces.retention_days: expected a number from 1 to 36500, got 0",
    "log: {level: info}\nlog: {level: info}": "config.yml:2:1: log: given twice, first in line 1",
    "- a": "config.yml:1:1: expected sections (server:, traces:, …), got a list",
    "log: {level: &a info}": "config.yml:1:14: anchors and aliases (& and *) are not supported",
    "log: !!python/object:os.system {}": "config.yml:1:6: tags (!) are not supported",
    "log: {level: info": "config.yml:2:1: not valid YAML: did not find expected ',' or '}'",
    "a: 1\n---\nb: 2": "config.yml:2:1: not valid YAML: a second document (---) is not allowed",
    "log:\n\tlevel: info": "config.yml:2:1: not valid YAML: a tab; YAML wants spaces",
    b"server:\n  port: 1 # \xfcber": "config.yml:2: not valid YAML: invalid leading UTF-8 octet",
    "# ünïcode\nserver:\n  port: 1\n# \a": "config.yml:4: not valid YAML: control characters are not allowed",
    "database: {url: 'postgresql://me:hunter2@db/x'}": "config.yml:1:17: database.url: PostgreSQL is not supported by "
    "this version; leave it empty to use SQLite in the home",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_names_key_line_and_what_was_expected(path: Path, text: str | bytes) -> None:
    assert told(path, text) == [MISTAKES[text]]
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert caught.value.message == str(path) + MISTAKES[text].removeprefix("config.yml")


def test_all_mistakes_are_told_at_once(path: Path) -> None:
    text = "server:\n  prot: 1\n  port: x\nlog:\n  level: loud\n"
    problems = told(path, text, {"AXONHUB_TRACES_RETENTION_DAYS": "soon", "AXONHUB_LOG_LEVLE": "info"})
    assert [line.split(": ")[0] for line in problems] == [
        "config.yml:2:3", "config.yml:3:9", "config.yml:5:10", "AXONHUB_TRACES_RETENTION_DAYS", "AXONHUB_LOG_LEVLE",
    ]  # fmt: skip
    assert problems[-1].endswith("not a setting of axonhub, did you mean 'AXONHUB_LOG_LEVEL'?")
    with pytest.raises(ConfigError, match=r"\(and 3 more\)$"):
        load_config(path, {"AXONHUB_TRACES_RETENTION_DAYS": "soon"})


BOMBS = {
    "laughs": "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(30)),
    "deep": "[" * 100_000,
    "deep in block": "".join(" " * n + "a:\n" for n in range(500)),
    "binary": bytes(range(256)),
    "latin": b"log: {level: \xe9}",
    "NUL": "log: \0",
    "long number": "server: {port: " + "9" * 5000 + "}",
    "sexagesimal": "server: {port: 1:30}",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_hostile_files_are_refused_fast(path: Path, text: str | bytes) -> None:
    """reliability B13"""
    start = time.perf_counter()
    assert told(path, text)
    assert time.perf_counter() - start < 0.5


def test_a_file_that_is_too_large_or_not_one(path: Path) -> None:
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError, match="larger than"):
        check(path, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match=f"cannot read {path}"):
        load_config(path, {})


TEXTS = {bool: ("false", False), int: ("77", 77), str: ("Abc", "Abc"), tuple: (" A , B,", ("A", "B"))}


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("database.url", "log.level")])
def test_every_key_has_a_variable_that_wins(path: Path, key: str) -> None:
    text, expected = TEXTS[type(KEYS[key])]
    path.write_text(DOCUMENTED)
    value: object = load_config(path, {variable_of(key): text})
    for name in key.split("."):
        value = getattr(value, name)
    assert value == expected


def test_the_documented_variables(path: Path) -> None:
    config = load_config(
        path, {"AXONHUB_SERVER_PORT": "9000", "AXONHUB_SERVER_TRACE_EXTRA_TRACE_HEADERS": "Conversation_id,X-Foo"}
    )
    assert (config.server.port, config.server.trace.extra_trace_headers) == (9000, ("Conversation_id", "X-Foo"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("AXONHUB_SERVER_PORT", "high", "server.port: expected a whole number, got 'high'"),
        ("AXONHUB_SERVER_PORT", "-1", "server.port: expected a number from 0 to 65535, got -1"),
        ("AXONHUB_TRACES_STORE_BODIES", "maybe", "traces.store_bodies: expected true or false, got 'maybe'"),
        ("AXONHUB_SERVER_TRACE_EXTRA_TRACE_HEADERS", "A,b c", "got 'b c'"),
        ("AXONHUB_DATABASE_URL", "postgresql://me:hunter2@db/x", "PostgreSQL is not supported by this version"),
    ],
)
def test_a_bad_variable_is_named(path: Path, name: str, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(path, {name: text})
    assert caught.value.message.startswith(f"{name}: ") and expected in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_empty_variable_unsets_a_number_and_empties_a_text(path: Path) -> None:
    config = load_config(path, {"AXONHUB_SERVER_PORT": "", "AXONHUB_SERVER_TRACE_EXTRA_TRACE_HEADERS": ""})
    assert config == Config()


def test_each_value_says_where_it_comes_from(path: Path) -> None:
    path.write_text("log:\n  level: debug\nserver:\n  port: 1\n")
    settings = {setting.key: setting for setting in effective(path, {"AXONHUB_SERVER_PORT": "2"})}
    assert list(settings) == list(KEYS)
    assert settings["log.level"] == Setting("log.level", "debug", "config.yml:2")
    assert settings["server.port"] == Setting("server.port", 2, "AXONHUB_SERVER_PORT")
    assert settings["server.host"] == Setting("server.host", "127.0.0.1", "default")


@pytest.mark.parametrize("host", ["::1", "0.0.0.0", "localhost", "my-box.local", "host."])
def test_hosts_that_are_fine(path: Path, host: str) -> None:
    assert told(path, f"server: {{host: '{host}'}}") == []


@pytest.mark.parametrize("host", ["", "1.2.3", "127.0.0.1:80", "a b", "[::1]", "-x", "a..b"])
def test_hosts_that_are_not(path: Path, host: str) -> None:
    assert len(told(path, f"server: {{host: '{host}'}}")) == 1
