from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer

from axonhub_cli.cli.codex import codex_app
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.key import key_app
from axonhub_cli.errors import AxonHubError, ConfigError, ConflictError
from axonhub_cli.store.api_keys import digest_of


class Terminal:
    """Runs `axonhub codex …` in a home of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.codex = folder / "hub", folder / "codex"
        self._capture = capture

    def __call__(self, *arguments: str, group: str = "codex") -> tuple[str, str]:
        app = typer.Typer()

        @app.callback()
        def root(ctx: typer.Context) -> None:
            ctx.obj = CliContext(str(self.home))
            ctx.call_on_close(ctx.obj.close)

        app.add_typer(codex_app)
        app.add_typer(key_app)
        self._capture.readouterr()
        typer.main.get_command(app).main([group, *arguments], prog_name="axonhub", standalone_mode=False)
        captured = self._capture.readouterr()
        return captured.out, captured.err

    @property
    def config(self) -> dict[str, object]:
        return tomllib.loads((self.codex / "config.toml").read_text())

    def change_key(self, **changes: object) -> None:
        context = CliContext(str(self.home))
        context.store.keys.replace(msgspec.structs.replace(context.store.keys.get("codex"), **changes))
        context.close()

    def key(self, name: str = "codex") -> object:
        context = CliContext(str(self.home))
        try:
            return context.store.keys.get(name)
        finally:
            context.close()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.delenv("AXONHUB_API_KEY", raising=False)
    monkeypatch.delenv("AXONHUB_HOME", raising=False)
    return Terminal(tmp_path, capsys)


def test_setup_says_what_it_did_and_what_is_left_to_do(run: Terminal) -> None:
    out, err = run("setup")
    assert out == ""
    assert "http://127.0.0.1:8090/v1" in err and "--auth command" in err
    assert "AXONHUB_API_KEY is not set" in err and 'export AXONHUB_API_KEY="$(axonhub key create codex)"' in err
    assert run.config["model_provider"] == "axonhub-responses"
    assert "nothing changed" in run("setup")[1]
    assert "no longer mentions" in run("remove")[1]
    assert not (run.codex / "config.toml").exists()
    assert "nothing changed" in run("remove")[1]


def test_no_reminder_where_the_variable_is_set(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONHUB_API_KEY", "ah-x")
    assert "warning" not in run("setup")[1]


def test_options(run: Terminal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run("setup", "--model", "kimi-k2", "--base-url", "https://hub.example/v1/", "--codex-home", str(elsewhere), "--yes")
    config = tomllib.loads((elsewhere / "config.toml").read_text())
    assert config["model"] == "kimi-k2"
    assert config["model_providers"]["axonhub-responses"]["base_url"] == "https://hub.example/v1"
    assert not run.codex.exists()


def test_the_base_url_follows_the_hubs_config(run: Terminal) -> None:
    run.home.mkdir()
    (run.home / "config.yml").write_text("server:\n  host: 0.0.0.0\n  port: 9123\n")
    run("setup")
    assert '"http://127.0.0.1:9123/v1"' in (run.codex / "config.toml").read_text()


def test_a_dry_run_prints_the_diff_and_makes_no_key(run: Terminal) -> None:
    for auth in ("env", "command"):
        out, _ = run("setup", "--dry-run", "--auth", auth)
        assert '+model_provider = "axonhub-responses"' in out
    assert not run.codex.exists()
    with pytest.raises(AxonHubError):
        run.key()


def test_a_command_gives_the_key(run: Terminal) -> None:
    _, err = run("setup", "--auth", "command")
    table = run.config["model_providers"]["axonhub-responses"]  # type: ignore[index]
    assert "env_key" not in table
    command, *arguments = table["auth"]["command"], *table["auth"]["args"]
    assert Path(command).is_absolute() and arguments[-6:-2] == ["codex", "token", "--key", "codex"]
    assert "AXONHUB_API_KEY" not in err
    out, _ = run("token")
    assert out.startswith("ah-") and digest_of(out.strip()) == run.key().digest  # type: ignore[attr-defined]
    stored = (run.home / "client-keys.json").read_bytes()
    assert out.strip().encode() not in stored
    assert (run.home / "client-keys.json").stat().st_mode & 0o777 == 0o600
    before = run.key()
    assert "nothing changed" in run("setup", "--auth", "command")[1]
    assert run.key() == before


def test_the_command_codex_runs_prints_the_key_and_nothing_else(run: Terminal) -> None:
    run("setup", "--auth", "command")
    auth = run.config["model_providers"]["axonhub-responses"]["auth"]  # type: ignore[index]
    bare = {"PATH": os.environ["PATH"], "HOME": str(run.home)}
    code = "import sys; from axonhub_cli.cli.codex import codex_app; import typer; a = typer.Typer(); "
    code += "a.callback()(lambda: None); a.add_typer(codex_app); a(sys.argv[1:])"
    arguments = auth["args"][auth["args"].index("codex") :]
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=bare, cwd="/", capture_output=True, check=True)
    assert done.stdout.decode() == run("token")[0]


def test_a_key_that_others_use_is_not_rotated_unasked(run: Terminal) -> None:
    from axonhub_cli.entities import ApiKey

    context = CliContext(str(run.home))
    context.store.keys.add(ApiKey("", "codex", "d", "ah-12345"))
    context.close()
    with pytest.raises(AxonHubError, match="would have to be rotated") as refused:
        run("setup", "--auth", "command")
    assert "--yes" in refused.value.hint
    assert not (run.codex / "config.toml").exists()
    assert run.key().digest == "d"  # type: ignore[attr-defined]
    run("setup", "--auth", "command", "--yes")
    assert run.key().digest == digest_of(run("token")[0].strip())  # type: ignore[attr-defined]


def test_a_file_that_is_refused_costs_no_key(run: Terminal) -> None:
    run.codex.mkdir()
    (run.codex / "config.toml").write_text("model = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        run("setup", "--auth", "command")
    with pytest.raises(AxonHubError):
        run.key()


REFUSED = {
    "revoked": ({"enabled": False, "revoked_at": 1}, "--key ANOTHER_NAME"),
    "expired": ({"expires_at": 1}, "--key ANOTHER_NAME"),
    "disabled": ({"enabled": False}, "axonhub key enable codex"),
}


@pytest.mark.parametrize("state", REFUSED)
def test_a_key_that_is_refused_is_told(run: Terminal, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, way_out = REFUSED[state]
    run("setup", "--auth", "command")
    run.change_key(**changes)
    with pytest.raises(ConflictError, match=state) as refused:
        run("setup", "--auth", "command", "--yes")
    assert way_out in refused.value.hint
    shown = json.loads(run("status", "--json")[0])
    assert shown["set_up"] and shown["key_problem"].startswith(f"key codex is {state}")
    assert way_out in run("status")[1]
    key = run("token")[0].strip()
    assert f"key codex is {state}" in (left := run("setup")[1]) and "key rotate" not in left
    monkeypatch.setenv("AXONHUB_API_KEY", key)
    assert f"key codex is {state}" in run("setup")[1]
    assert f"key codex is {state}" in run("status")[0]


def test_setups_at_once_make_one_key(run: Terminal) -> None:
    command = [sys.executable, "-m", "axonhub_cli", "--home", str(run.home), "codex", "setup", "--auth", "command"]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    said = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert sum("key codex made" in text for text in said) == 1
    assert json.loads(run("status", "--json")[0])["key_problem"] is None


def test_a_key_that_is_rotated_reaches_codex(run: Terminal) -> None:
    run("setup", "--auth", "command")
    before = run("token")[0]
    after = run("rotate", "codex", group="key")[0]
    assert run("token")[0] == after != before
    assert json.loads(run("status", "--json")[0])["key_problem"] is None


def test_a_key_that_was_rotated_or_lost_since_is_told(run: Terminal) -> None:
    run("setup", "--auth", "command")
    assert json.loads(run("status", "--json")[0])["key_problem"] is None
    run.change_key(digest="another")
    out, err = run("status")
    assert "rotated since" in out and "setup --auth command --key codex --yes" in err
    (run.home / "client-keys.json").unlink()
    assert "no key is stored under codex" in run("status")[0]
    (run.home / "axonhub.db").unlink()
    assert "no key is stored under codex" in run("status")[0]


@pytest.mark.parametrize("mine", ['env_key = "MINE"', "auth = 1", 'auth = { command = "pass", args = ["show"] }'])
def test_a_credential_of_the_users_own_is_let_be(run: Terminal, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("setup")
    config = run.codex / "config.toml"
    config.write_text(config.read_text().replace('env_key = "AXONHUB_API_KEY"', mine))
    monkeypatch.setenv("MINE", "other")
    shown = json.loads(run("status", "--json")[0])
    assert (shown["key_problem"], shown["variable_set"]) == (None, "MINE" in mine)
    assert "MINE" not in mine or "from MINE (set)" in run("status")[0]


def test_status(run: Terminal) -> None:
    before = json.loads(run("status", "--json")[0])
    assert (before["set_up"], before["exists"], before["auth"]) == (False, False, None)
    run("setup")
    after = json.loads(run("status", "--json")[0])
    assert (after["set_up"], after["model"], after["auth"]) == (True, "gpt-5", "env")
    assert "from AXONHUB_API_KEY (not set)" in run("status")[0]


def test_status_of_what_is_no_text(run: Terminal) -> None:
    run.codex.mkdir()
    (run.codex / "config.toml").write_text("model = 5\nmodel_provider = 2026-01-01\n")
    told = json.loads(run("status", "--json")[0])
    assert (told["model"], told["model_provider"], told["set_up"]) == ("5", "2026-01-01", False)


def test_no_token_names_the_way_to_one(run: Terminal) -> None:
    with pytest.raises(ConfigError) as refused:
        run("token")
    assert "setup --auth command" in refused.value.hint
    assert not run.home.exists()  # a mistyped --home makes nothing


def test_a_key_that_exists_is_not_to_be_made_again(run: Terminal) -> None:
    from axonhub_cli.entities import ApiKey

    context = CliContext(str(run.home))
    context.store.keys.add(ApiKey("", "codex", "d", "ah-12345"))
    context.close()
    shown = run("setup")[1]
    assert "key create" not in shown
    assert 'lost it? export AXONHUB_API_KEY="$(axonhub key rotate codex)"' in shown


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://a b/v1", "http://a/v1?x=1", "http://a/v1#x"])
def test_bad_urls_are_refused(run: Terminal, url: str) -> None:
    with pytest.raises(AxonHubError):
        run("setup", "--base-url", url)
