"""Where the home is, and who may look into it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from axonhub_cli import paths
from axonhub_cli.errors import AxonHubError
from axonhub_cli.ids import new_id
from axonhub_cli.paths import find_home


def test_one_folder_holds_everything(tmp_path: Path) -> None:
    home = find_home(None, {"AXONHUB_HOME": str(tmp_path / "home")})
    assert home.root == tmp_path / "home"
    names = [
        path.relative_to(home.root).as_posix()
        for path in (home.config_file, home.database, home.secret_file, home.logs)
    ]
    assert names == ["config.yml", "axonhub.db", "secret.key", "logs"]
    assert not home.root.exists()  # finding makes nothing


def test_the_option_wins_over_the_variable(tmp_path: Path) -> None:
    assert find_home(str(tmp_path / "a"), {"AXONHUB_HOME": str(tmp_path / "b")}).root == tmp_path / "a"


def test_names_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert find_home("hub", {}).root == tmp_path / "hub"
    assert find_home("~/hub", {}).root == tmp_path / "me" / "hub"


def test_the_users_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    home = find_home(None, {"AXONHUB_HOME": ""})
    assert home.config_file == tmp_path / "config" / "axonhub" / "config.yml"
    assert home.database == tmp_path / "data" / "axonhub" / "axonhub.db"
    home.create()
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (home.config, home.data)} == {0o700}


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """reliability D12"""
    monkeypatch.setattr(paths.platformdirs, "user_config_dir", lambda *_, **__: "~/.config/axonhub")
    with pytest.raises(AxonHubError, match="HOME is not set") as caught:
        find_home(None, {})
    assert "AXONHUB_HOME" in caught.value.hint


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_no_home(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AxonHubError, match="file"):
        find_home(str(tmp_path / name), {}).create()


@pytest.mark.parametrize("name", ["a\0b", "~nobody-of-this-name/x"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(AxonHubError, match="home folder"):
        find_home(name, {})


OURS = ("config.yml", "logs", "axonhub.db", "axonhub.db-wal", "secret.key", "server.lock", "client-keys.json")


@pytest.mark.parametrize(("content", "expected"), [((), 0o700), (OURS, 0o700), (("letters",), 0o755)])
def test_an_open_folder_is_closed_only_if_it_is_ours_alone(
    tmp_path: Path, content: tuple[str, ...], expected: int
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    for name in content:
        (folder / name).write_text("")
    find_home(str(folder), {}).create()
    assert stat.S_IMODE(folder.stat().st_mode) == expected


def test_our_files_are_closed_in_a_folder_that_stays_open(tmp_path: Path) -> None:
    """As they are where a backup was brought back."""
    for name in (*OURS, "letters"):
        (tmp_path / name).touch(0o644)
        (tmp_path / name).chmod(0o644)
    (tmp_path / "axonhub.db.before-2").symlink_to(tmp_path / "letters")
    tmp_path.chmod(0o755)
    find_home(str(tmp_path), {}).create()
    open_ones = {path.name for path in tmp_path.iterdir() if stat.S_IMODE(path.lstat().st_mode) == 0o644}
    assert open_ones == {"config.yml", "logs", "server.lock", "letters"}


def test_logs_are_made_when_asked_for(tmp_path: Path) -> None:
    assert find_home(str(tmp_path / "h"), {}).create_logs() == tmp_path / "h" / "logs"
    assert stat.S_IMODE((tmp_path / "h" / "logs").stat().st_mode) == 0o700


def test_ids_sort_by_time_and_are_plain() -> None:
    ids = [new_id("req") for _ in range(2000)]
    assert ids == sorted(set(ids))
    assert all(len(id_) <= 40 and id_.replace("_", "").isalnum() and id_ == id_.lower() for id_ in ids)


def test_ids_grow_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """reliability F22"""
    before = new_id("req")
    monkeypatch.setattr("axonhub_cli.ids.now_ms", lambda: 1000)
    assert new_id("req") > before
