"""Rules about the tree itself."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "axonhub_cli").rglob("*.py"))
TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
]


TOP = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "axonhub_cli", "completions", "docs", "pyproject.toml",
    "tests",
}  # fmt: skip


@pytest.mark.parametrize("path", [path for path in TRACKED if path.suffix == ".py"], ids=lambda path: path.name)
def test_no_file_is_two_files(path):
    assert len(path.read_text().splitlines()) <= 400


def test_nothing_is_there_by_accident():
    assert {path.relative_to(ROOT).parts[0] for path in TRACKED} <= TOP
    assert [str(path) for path in TRACKED if path.stat().st_size > 500_000] == []


def test_no_path_of_a_machine_and_no_registry_in_any_file():
    pattern = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", "files.python" + "hosted", "registry.npm" + "js"]))
    texts = ((path, path.read_bytes().decode("utf-8", "replace")) for path in TRACKED if path.is_file())
    assert [str(path) for path, text in texts if pattern.search(text)] == []


def test_readme_holds_the_command_the_check_runs():
    assert re.search(r"<!-- tests -->\s*```sh\n.+pytest", (ROOT / "README.md").read_text())
    assert "<!-- tests -->" in (ROOT / ".ci" / "run").read_text()
