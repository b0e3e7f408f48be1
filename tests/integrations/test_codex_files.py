from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from axonhub_cli.errors import AxonHubError, ConfigError
from axonhub_cli.integrations import codex, codex_files
from axonhub_cli.integrations.codex_files import Location, remove, setup

WANTED = codex.Wanted("gpt-5", "http://127.0.0.1:8090/v1")
OTHER = codex.Wanted("gpt-5-mini", "http://127.0.0.1:9000/v1", ("/usr/bin/axonhub", "codex", "token"))
ORIGINAL = b'# mine\r\nmodel = "o3"  # best\r\n[model_providers.foo]\r\nname = "Foo"\r\nbase_url = "http://127.0.0.1:1"'


@pytest.fixture
def location(tmp_path: Path) -> Location:
    (tmp_path / "config.toml").write_bytes(ORIGINAL)
    return Location(tmp_path)


def names(location: Location) -> set[str]:
    return {path.name for path in location.folder.iterdir()}


def test_there_and_back(location: Location) -> None:
    assert setup(location, WANTED).changed
    assert location.backup.read_bytes() == ORIGINAL
    assert stat.S_IMODE(location.backup.stat().st_mode) == 0o600
    assert remove(location).changed
    assert location.config.read_bytes() == ORIGINAL
    assert names(location) == {"config.toml"}
    assert not remove(location).changed


def test_a_second_run_writes_nothing(location: Location) -> None:  # D14
    setup(location, WANTED)
    os.utime(location.config, ns=(1, 1))
    before = {path: path.stat().st_mtime_ns for path in location.folder.iterdir()}
    assert not setup(location, WANTED).changed
    assert {path: path.stat().st_mtime_ns for path in location.folder.iterdir()} == before


def test_another_setup_still_finds_the_way_back(location: Location) -> None:
    for wanted in (WANTED, OTHER, WANTED, OTHER):
        setup(location, wanted)
    assert location.backup.read_bytes() == ORIGINAL
    remove(location)
    assert location.config.read_bytes() == ORIGINAL


def test_changes_of_others_survive_both_ways(location: Location) -> None:  # D16
    setup(location, WANTED)
    with location.config.open("ab") as file:
        file.write(b"\r\n[tui]\r\nseen = true\r\n")
    os.utime(location.config, ns=(1, 1))
    assert not setup(location, WANTED).changed
    assert setup(location, OTHER).changed
    assert b"[tui]" in location.config.read_bytes()
    remove(location)
    # Whoever appends after a missing final newline has to add it; that one is theirs.
    assert location.config.read_bytes() == ORIGINAL + b"\r\n[tui]\r\nseen = true\r\n"


def test_no_file_before_means_no_file_after(tmp_path: Path) -> None:
    location = Location(tmp_path / "new" / "codex")
    setup(location, WANTED)
    assert stat.S_IMODE(location.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(location.config.stat().st_mode) == 0o600
    remove(location)
    assert names(location) == set()


def test_a_dry_run_touches_nothing(tmp_path: Path, location: Location) -> None:
    change = setup(location, WANTED, dry_run=True)
    assert "+model_provider" in codex_files.diff(location, change)
    assert "No newline at end of file" in codex_files.diff(location, change)
    assert names(location) == {"config.toml"} and location.config.read_bytes() == ORIGINAL
    missing = Location(tmp_path / "none")
    setup(missing, WANTED, dry_run=True)
    assert not missing.folder.exists()


def test_own_table_comes_back_to_the_byte(location: Location) -> None:
    mine = b'[model_providers.axonhub-responses]\nname = "Mine" # x\nenv_key = "K"\nrequest_max_retries = 1\n'
    location.config.write_bytes(mine)
    setup(location, OTHER)
    remove(location)
    assert location.config.read_bytes() == mine


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_links_and_modes_stay(tmp_path: Path, mode: int) -> None:  # D15
    target = tmp_path / "dotfiles" / "codex.toml"
    target.parent.mkdir()
    target.write_bytes(ORIGINAL)
    target.chmod(mode)
    home = tmp_path / "home"
    home.mkdir()
    (home / "middle").symlink_to("../dotfiles/codex.toml")
    location = Location(home)
    location.config.symlink_to("middle")
    setup(location, WANTED)
    assert location.config.is_symlink() and (home / "middle").is_symlink()
    assert b"axonhub" in target.read_bytes()
    remove(location)
    assert location.config.is_symlink() and target.read_bytes() == ORIGINAL
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert [path.name for path in target.parent.iterdir()] == ["codex.toml"]


def test_hard_links_stay_together(location: Location) -> None:  # D15
    other = location.folder / "other-name.toml"
    os.link(location.config, other)
    setup(location, WANTED)
    assert other.read_bytes() == location.config.read_bytes() != ORIGINAL
    remove(location)
    assert other.read_bytes() == location.config.read_bytes() == ORIGINAL
    assert other.samefile(location.config)


def test_read_only_invalid_and_odd_files_are_refused_untouched(location: Location) -> None:
    location.config.chmod(0o400)
    with pytest.raises(ConfigError, match="read-only"):
        setup(location, WANTED)
    assert names(location) == {"config.toml"} and location.config.read_bytes() == ORIGINAL
    location.config.chmod(0o600)
    for bad in (b"model = ", b"\xff\xfe", b"a = 1\na = 2"):
        location.config.write_bytes(bad)
        for action in (lambda: setup(location, WANTED), lambda: remove(location)):
            with pytest.raises(ConfigError):
                action()
        assert location.config.read_bytes() == bad and names(location) == {"config.toml"}
    location.config.unlink()
    location.config.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        setup(location, WANTED)
    location.config.rmdir()
    location.config.symlink_to("config.toml")
    with pytest.raises(AxonHubError):
        setup(location, WANTED)


@pytest.mark.parametrize("name", ["file", "file/below", "loop", "loop/below"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    location = Location(tmp_path / name)
    for action in (
        lambda: setup(location, WANTED),
        lambda: setup(location, WANTED, dry_run=True),
        lambda: remove(location),
        lambda: codex_files.settings(location),
    ):
        with pytest.raises(AxonHubError, match=name):
            action()
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop"}


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="~nobody-here"):
        codex_files.codex_home(None, {"CODEX_HOME": "~nobody-here/codex"})


def test_a_receipt_that_cannot_go_is_named(location: Location) -> None:
    location.receipt.mkdir()
    with pytest.raises(ConfigError, match="json stays"):
        remove(location)
    assert location.config.read_bytes() == ORIGINAL


def test_a_damaged_receipt_is_no_receipt(location: Location) -> None:
    location.config.unlink()
    setup(location, WANTED)
    for junk in (b"", b"{", b'{"version": 2}', b"\xff"):
        location.receipt.write_bytes(junk)
        assert codex_files.load_receipt(location) is None
    remove(location)
    assert location.config.read_text().strip() == 'model = "gpt-5"'


KILLED = """
import os, sys
from pathlib import Path
from axonhub_cli.integrations import codex, codex_files as f
steps = 0
def die_at(real):
    def step(*arguments, **options):
        global steps
        steps += 1
        if steps == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        return real(*arguments, **options)
    return step
for name in ("replace", "unlink", "link", "rename", "open", "fsync"):
    setattr(os, name, die_at(getattr(os, name)))
location = f.Location(Path(sys.argv[1]))
wanted = codex.Wanted("gpt-5", "http://127.0.0.1:8090/v1")
{"setup": lambda: f.setup(location, wanted), "remove": lambda: f.remove(location)}[sys.argv[3]]()
"""


@pytest.mark.parametrize("action", ["setup", "remove"])
def test_killed_at_any_step_it_can_be_undone(tmp_path: Path, action: str) -> None:  # pitfall 175, D15
    died = 0
    for step in range(1, 40):
        location = Location(tmp_path / str(step))
        location.folder.mkdir()
        location.config.write_bytes(ORIGINAL)
        if action == "remove":
            setup(location, WANTED)
        whole = {ORIGINAL, location.config.read_bytes(), setup(location, WANTED, dry_run=True).after.encode()}  # type: ignore[union-attr]
        run = [sys.executable, "-c", KILLED, str(location.folder), str(step), action]
        code = subprocess.run(run, check=False).returncode
        assert location.config.read_bytes() in whole, "never a half file"
        remove(location)
        assert location.config.read_bytes() == ORIGINAL
        assert not location.receipt.exists()
        died += code == -9
        if code == 0:
            break
    assert died >= 3


def test_many_at_once_and_a_stranger_who_writes(location: Location) -> None:  # D17
    stop = threading.Event()
    lines: list[bytes] = []

    def stranger() -> None:
        for number in range(30):
            if stop.is_set():
                return
            # As Codex does: read, add, replace in one step.
            before = location.config.read_bytes()
            lines.append(b"\n[notice.n%d]\nseen = true\n" % number)
            temporary = location.folder / "stranger.tmp"
            temporary.write_bytes(before + lines[-1])
            if location.config.read_bytes() != before:
                lines.pop()
                continue
            temporary.replace(location.config)

    def ours(wanted: codex.Wanted) -> None:
        try:
            setup(location, wanted)
        except AxonHubError:
            return  # refused, with nothing lost

    threads = [threading.Thread(target=ours, args=(WANTED if i % 2 else OTHER,)) for i in range(20)]
    writer = threading.Thread(target=stranger)
    for thread in (writer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    writer.join()
    remove(location)
    left = location.config.read_bytes()
    assert left.startswith(ORIGINAL)
    assert b"axonhub" not in left


def test_a_text_of_an_earlier_setup_that_comes_back_is_taken_apart(location: Location) -> None:  # D17
    setup(location, WANTED)
    before = location.config.read_bytes()
    setup(location, OTHER)
    location.config.write_bytes(before + b"\n[notice]\nseen = true\n")  # a writer that had read before our second run
    remove(location)
    assert location.config.read_bytes() == ORIGINAL + b"\n[notice]\nseen = true\n"
