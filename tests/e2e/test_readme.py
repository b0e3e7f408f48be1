"""The README, word for word, in an empty HOME and a new environment."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def environment(home: Path, *first: Path) -> dict[str, str]:
    """What a person has: a path, a terminal's language, and how pip finds its packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_")) or "proxy" in name.lower()
    }
    path = os.pathsep.join([*map(str, first), str(Path(sys.executable).resolve().parent), os.environ["PATH"]])
    return {**kept, "HOME": str(home), "PATH": path, "LANG": "C.UTF-8"}


def run(command: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `git clone` would give, with the changes of the day."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        source, target = ROOT / name, tmp_path / "axonhub" / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (tmp_path / "home").mkdir()
    return tmp_path / "axonhub"


def test_the_first_command_shows_the_main_job_done(checkout: Path) -> None:
    command = re.search(r"<!-- demo -->\s*```sh\n(.*?)```", README, re.DOTALL)
    assert command is not None
    done = run(command.group(1), checkout, environment(checkout.parent / "home"))
    assert done.returncode == 0, done.stderr
    assert "gpt-5 → demo" in done.stdout
    assert "assistant: " in done.stdout
    assert list((checkout.parent / "home").rglob("axonhub.db")) == []  # nothing is left behind


def test_every_other_command_works_in_the_order_of_reading(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    lines = [line for block in blocks() if "pip install" not in block for line in block.splitlines()]
    commands = [re.sub(r"\s+#.*", "", line).replace(" tail", " tail --no-follow") for line in lines]
    # These wait for ever, or need what is not there: a vendor, a request.
    skipped = re.compile(r"axonhub (serve|channel test|traces show)")
    script = "\n".join(command for command in commands if not skipped.match(command))
    assert script.count("axonhub ") >= 12
    done = run(script, tmp_path, environment(tmp_path / "home", Path(sys.executable).parent))
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    assert 'model_provider = "axonhub-responses"' in (tmp_path / "home" / ".codex" / "config.toml").read_text()
    assert "local rule 1" in done.stdout  # what `profile explain` says at the end
