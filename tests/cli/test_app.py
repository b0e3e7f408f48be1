import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from axonhub_cli import __version__
from axonhub_cli.cli.app import run
from axonhub_cli.config import Config
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store
from tests.cli.conftest import AXONHUB
from tests.cli.test_traces import record

NEVER_FOR_HELP = (
    *("msgspec", "aiohttp", "asyncio", "rich.console", "sqlite3", "yaml", "tomlkit", "pydantic", "cryptography"),
    *("re2", "platformdirs", "http.client", "email"),
)
NEVER_UNLESS_SERVING = ("aiohttp", "asyncio", "asyncpg", "psycopg", "pydantic", "genai_prices")


def loaded(*arguments):
    """The modules that a command imports."""
    command = [sys.executable, "-X", "importtime", "-m", "axonhub_cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def within(modules, names):
    return {module for module in modules for name in names if module == name or module.startswith(name + ".")}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("channel", "add", "--help"), ("traces", "--help")])
def test_help_loads_next_to_nothing(home, arguments):
    modules = loaded(*arguments)
    assert "axonhub_cli.cli.app" in modules
    assert within(modules, NEVER_FOR_HELP) == set()
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("channel", "add", "a", "--type", "deepseek", "--api-key-env", "X"),
        ("channel", "list"),
        ("channel", "types"),
        ("profile", "add", "p", "--map", "a=b"),
        ("profile", "explain", "gpt-5"),
        ("key", "create", "k"),
        ("key", "list", "--json"),
        ("config", "show"),
        ("codex", "status"),
        ("traces", "list"),
        ("traces", "tail", "--no-follow"),
    ],
)
def test_commands_that_do_not_serve_load_no_server(home, arguments):
    assert within(loaded(*arguments), NEVER_UNLESS_SERVING) == set()


def test_version(cli):
    assert cli("--version") == (0, f"axonhub {__version__}\n", "")


def test_no_arguments_print_help_and_are_wrong_usage(cli):
    for group in ((), ("channel",), ("profile",), ("key",), ("traces",), ("config",)):
        done = cli(*group, code=2)
        assert done.out == ""
        assert done.err.startswith("Usage: axonhub")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("chanel",), "No such command 'chanel'. Did you mean 'channel'?", "axonhub --help"),
        (("channel", "list", "--nope"), "No such option: --nope", "axonhub channel list --help"),
        (("key", "create"), "Missing argument 'NAME'.", "axonhub key create --help"),
        (("traces", "list", "--limit", "0"), "Invalid value for '--limit'", "axonhub traces list --help"),
        (
            ("serve", "--port", "80x"),
            "Invalid value for '--port': '80x' is not a whole number.",
            "axonhub serve --help",
        ),
        (("traces", "list", "--status", "odd"), "Invalid value for '--status'", "axonhub traces list --help"),
        (("--home",), "Option '--home' requires an argument.", "axonhub --help"),
        (("init",), "No such command 'init'.", "axonhub --help"),
    ],
)
def test_wrong_usage(cli, arguments, error, hint):
    done = cli(*arguments, code=2)
    assert done.out == ""
    first, second = done.err.splitlines()
    assert first.startswith(f"error: {error}")
    assert second == f"hint: {hint}"


@pytest.mark.parametrize("argument", ["\x1b]52;c;x\x07", "\udc80", "\u202e", "", "-", "--=", "\n", "%s{0}"])
@pytest.mark.parametrize("command", [(), ("channel",), ("channel", "show"), ("key", "create"), ("traces", "show")])
def test_odd_arguments_are_repeated_safely(home, capfd, command, argument):
    code = run([*command, argument])
    done = capfd.readouterr()
    assert code in (1, 2)
    assert done.out == ""
    assert not {"\x1b", "\x07", "\u202e", "\udc80"} & set(done.err)
    assert "internal error" not in done.err


def test_home_option_beats_the_variable(cli, tmp_path, home):
    cli("--home", str(tmp_path / "other"), "key", "create", "k")
    assert (tmp_path / "other" / "axonhub.db").exists()
    assert not home.exists()


def test_a_home_that_is_a_file(cli, home):
    home.write_text("")
    done = cli("channel", "list", code=1)
    assert done.err.startswith(f"error: {home} is not a folder\nhint: ")


@pytest.mark.parametrize("command", [("config", "path", "--json"), ("config", "check"), ("channel", "list")])
def test_a_home_behind_a_closed_door(cli, tmp_path, monkeypatch, command):
    # Where the tests run as root every door is open: the system's answer is put into its mouth.
    def closed(path, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.stat", closed)
    done = cli("--home", str(tmp_path / "of" / "others"), *command, code=1)
    assert done.err.startswith(f"error: cannot use {tmp_path}")
    assert "Permission denied\nhint: Check the permissions" in done.err


def test_a_home_whose_name_is_too_long(cli, tmp_path):
    done = cli("--home", str(tmp_path / ("x" * 300)), "channel", "list", code=1)
    assert "File name too long\nhint: Check the permissions, or choose another folder" in done.err


def test_a_damaged_database_is_no_traceback(cli, home):
    cli("key", "create", "k")
    (home / "axonhub.db").write_bytes(b"garbage " * 4096)
    for path in home.glob("axonhub.db-*"):
        path.unlink()
    done = cli("key", "list", code=1)
    assert done.err.startswith("error: ")
    assert done.err.splitlines()[1].startswith("hint: ")


def test_a_bug_is_one_line_and_a_log_without_values(cli, home, monkeypatch):
    def broken(*_arguments, **_options):
        secret = "canary"
        raise ZeroDivisionError(len(secret))

    monkeypatch.setattr("axonhub_cli.store.database.open_store", broken)
    done = cli("channel", "list", code=1)
    log = home / "logs" / "crash.log"
    assert (
        done.err == f"error: internal error (ZeroDivisionError), log at {log}\nhint: please report it with that log\n"
    )
    assert "ZeroDivisionError: 6" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_interrupted(cli, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("axonhub_cli.store.database.open_store", interrupted)
    assert cli("channel", "list", code=130).out == ""


@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x04", 1)])
def test_interrupted_at_a_question(home, key, code):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(AXONHUB, [AXONHUB, "channel", "add", "a", "--type", "openai", "--api-key-stdin"])
    shown = b""
    with suppress(OSError):  # how Linux tells the end
        while data := os.read(terminal, 1000):
            shown += data
            if shown.endswith(b"Upstream key: "):
                os.write(terminal, key)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert (b"error: " in shown) == (code == 1)


def test_interrupted_while_it_loads(home):
    script = """if True:
        import builtins, os, signal
        def load(name, *rest, _load=builtins.__import__):
            if name == "axonhub_cli.cli.channel":
                os.kill(os.getpid(), signal.SIGINT)
            return _load(name, *rest)
        builtins.__import__ = load
        from axonhub_cli.__main__ import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", script, "channel", "list"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_closed_pipe_is_no_error(cli, home):
    for number in range(40):
        cli("profile", "add", f"p{number}", *("--map", "a=" + "x" * 200) * 9)
    script = f'"{AXONHUB}" profile list --json | head -n 1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout == "[\n0\n"
    assert done.stderr == ""
    script = f'"{AXONHUB}" channel types >&-; "{AXONHUB}" channel types 2>&- >/dev/null'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=os.environ, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["channel", "types"], ["traces", "show", "req_0001"]])
def test_a_pipe_that_nobody_reads_is_no_error(home, arguments):
    folder = Home(home, home)
    folder.create()
    with open_store(folder, Config()) as store:
        store.traces.save([record(1)])
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([AXONHUB, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["channel", "types"], ["channel", "types", "--json"], ["--help"], ["--version"]])
def test_a_full_disk_behind_standard_output_is_no_bug(home, arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([AXONHUB, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: cannot write the output: No space left on device\nhint: Make room, or send it elsewhere.\n"
    )
    assert not (home / "logs").exists()


def test_a_closed_standard_input_holds_no_key(home):
    script = f'"{AXONHUB}" channel add a --type openai --api-key-stdin <&-'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no key came on standard input\n")


def test_only_what_works_is_offered(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli("--help").out
    assert max(map(len, shown.splitlines())) <= 80
    assert subcommands(shown) == ["demo", "serve", "channel", "profile", "key", "codex", "traces", "config"]


def subcommands(shown):
    lines = shown.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines if not line.startswith("   ")]


@pytest.mark.parametrize("group", ["channel", "profile", "key", "codex", "traces", "config"])
def test_each_command_explains_itself_in_80_columns(cli, monkeypatch, group):
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli(group, "--help").out
    assert "...\n" not in shown.split("Commands:\n")[1]
    for command in subcommands(shown):
        done = cli(group, command, "--help")
        assert max(map(len, done.out.splitlines())) <= 80, done.out
        assert done.out.startswith(f"Usage: axonhub {group} {command}")
        assert done.err == ""
