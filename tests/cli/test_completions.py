import subprocess
from pathlib import Path

import pytest

from axonhub_cli.cli import completions

FOLDER = Path(__file__).parents[2] / "completions"


def test_files_are_those_the_script_writes(tmp_path):
    completions.main(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == written
    assert set(written) == {"axonhub.bash", "_axonhub", "axonhub.fish", "axonhub.ps1"}


@pytest.fixture
def complete(program):
    def ask(*words):
        line = {"COMP_WORDS": " ".join(("axonhub", *words)), "COMP_CWORD": str(len(words))}
        done = program(_AXONHUB_COMPLETE="complete_bash", **line)
        assert done.err == ""
        return done.out.split()

    return ask


def test_names_of_channels_profiles_keys_and_models(complete, cli):
    cli("channel", "add", "deepseek", "--type", "deepseek", "--model", "deepseek-chat")
    cli("profile", "add", "work", "--map", "gpt-5=deepseek-chat")
    cli("key", "create", "codex")
    assert complete("channel", "show", "d") == ["deepseek"]
    assert complete("profile", "activate", "") == ["work"]
    assert complete("profile", "activate", "work", "--key", "") == ["codex"]
    assert complete("profile", "explain", "") == ["deepseek-chat", "gpt-5"]
    assert "openai-compatible" in complete("channel", "add", "x", "--type", "open")
    assert "traces" in complete("tr")


def test_names_that_a_shell_would_run_are_not_offered(complete, cli):
    plain = ["qwen3:8b", "org/model-1.5", "claude-opus-5[1m]", "通义千问", "@cf/meta/llama"]
    odd = ["\\$(reboot)", "`reboot`", "x';reboot;'", 'x";reboot', "a*b", "-x", "=ls", "x;y", "x&", "<x"]
    cli("channel", "add", "a", "--type", "demo", *(word for name in (*plain, *odd) for word in ("--model", name)))
    assert complete("profile", "explain", "") == sorted(plain)


def test_nothing_is_made_and_nothing_said_without_a_home(complete, home):
    assert complete("channel", "show", "") == []
    assert not home.exists()


def test_nothing_is_said_of_a_broken_home(complete, home):
    home.mkdir()
    (home / "axonhub.db").write_bytes(b"not a database" * 1000)
    assert complete("channel", "show", "") == []


def test_bash_takes_its_file():
    subprocess.run(["bash", "-n", FOLDER / "axonhub.bash"], check=True)
