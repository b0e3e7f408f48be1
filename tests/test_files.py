"""Private files, and files that are replaced whole."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from axonhub_cli import files
from axonhub_cli.errors import AxonHubError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    old = os.umask(request.param)
    yield
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    """reliability K2"""
    folder = tmp_path / "a" / "b"
    files.make_private_folder(folder)
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)
    assert files.create_private(folder / "new", b"1")
    files.replace_file(folder / "other", b"2")
    os.close(files.open_private(folder / "log"))
    assert {mode(folder / name) for name in ("new", "other", "log")} == {0o600}


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine").chmod(0o755)
    files.make_private_folder(tmp_path / "mine")
    assert mode(tmp_path / "mine") == 0o755


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(AxonHubError, match=str(path)):
            files.make_private_folder(path)


def test_creating_is_exclusive(tmp_path: Path) -> None:
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(files.create_private(tmp_path / "f", b"%d" % n)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert (tmp_path / "f").read_bytes().isdigit()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_creating_does_not_follow_a_planted_link(tmp_path: Path) -> None:
    """reliability K12"""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not files.create_private(tmp_path / "link", b"secret")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(OSError, match="link"):
        files.open_private(tmp_path / "link")


def test_replacing_keeps_mode_link_and_neighbours(tmp_path: Path) -> None:
    """reliability D15"""
    real = tmp_path / "real" / "config.toml"
    real.parent.mkdir()
    real.write_bytes(b"old")
    real.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to("real/config.toml")
    files.replace_file(link, b"new")
    assert link.is_symlink() and real.read_bytes() == b"new" and mode(real) == 0o644
    assert [path.name for path in real.parent.iterdir()] == ["config.toml"]
    files.replace_file(link, b"newer", mode=0o600)
    assert mode(real) == 0o600


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(AxonHubError, match="cannot write"):
        files.replace_file(tmp_path / "a", b"x")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AxonHubError, match=f"cannot write {path}: No space left on device"):
        files.replace_file(path, b"new")
    assert path.read_bytes() == b"old" and [item.name for item in tmp_path.iterdir()] == ["f"]


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert files.read_limited(tmp_path / "f", 5) == b"12345"
    with pytest.raises(AxonHubError, match="larger than 4 bytes"):
        files.read_limited(tmp_path / "f", 4)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AxonHubError, match="is a pipe"):
        files.read_limited(tmp_path / "pipe", 10)
