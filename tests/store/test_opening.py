"""Opening the file: modes, what is refused and left alone, read-only homes, locks, migrations."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from axonhub_cli.config import Config
from axonhub_cli.entities import Body, Channel
from axonhub_cli.errors import AxonHubError, StoreError
from axonhub_cli.paths import Home
from axonhub_cli.store import connection
from axonhub_cli.store.database import Store, open_store
from axonhub_cli.store.failures import explain
from axonhub_cli.store.opening import open_database
from axonhub_cli.store.schema import MIGRATIONS

CHANNEL = Channel("", "c", "demo", "http://127.0.0.1")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_everything_is_private_whatever_the_umask(home: Home, umask: int) -> None:
    old = os.umask(umask)
    try:
        with open_store(home, Config()) as store:
            store.channels.add(CHANNEL)
            store.traces.save([], [], [("req_1", Body("request", b"{}"))])
            names = {path.name for path in home.data.iterdir()}
            assert {"axonhub.db", "axonhub.db-wal", "axonhub.db-shm"} <= names
            assert {stat.S_IMODE(path.stat().st_mode) for path in home.data.iterdir()} == {0o600}
    finally:
        os.umask(old)
    assert stat.S_IMODE(home.data.stat().st_mode) == 0o700


def test_what_was_closed_is_there_again_and_nothing_else(home: Home) -> None:
    with open_store(home, Config()) as store:
        store.channels.add(CHANNEL)
    assert [path.name for path in home.data.iterdir()] == ["axonhub.db"]
    with open_store(home, Config()) as store:
        assert store.channels.names() == ("c",)
        assert store.damage() is None


def test_the_log_of_a_database_that_is_gone_is_not_played_back(home: Home) -> None:
    with open_store(home, Config()) as store:
        store.channels.add(CHANNEL)
        left = {path: path.read_bytes() for path in home.data.glob("axonhub.db-*")}  # as by a process that was killed
    home.database.unlink()
    for path, data in left.items():
        path.write_bytes(data)
    with open_store(home, Config()) as store:
        assert store.channels.names() == ()
        assert store.damage() is None
    assert {path.name for path in home.data.iterdir()} == {"axonhub.db", "axonhub.db-wal.old"}


@pytest.mark.parametrize("by", ["deleted", "replaced"])
def test_a_database_that_is_gone_is_said_and_takes_no_more(home: Home, by: str) -> None:
    with open_store(home, Config()) as store:
        home.database.unlink()
        if by == "replaced":
            open_store(home, Config()).close()
        for action in (store.revision, lambda: store.channels.add(CHANNEL)):
            with pytest.raises(StoreError, match="was moved or deleted"):
                action()


def test_settings_of_every_connection(store: Store) -> None:
    values = {name: store._connection.value(f"PRAGMA {name}") for name in (
        "journal_mode", "synchronous", "foreign_keys", "trusted_schema", "busy_timeout", "auto_vacuum",
        "application_id", "wal_autocheckpoint", "journal_size_limit",
    )}  # fmt: skip
    assert values == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "busy_timeout": 5000,
        "auto_vacuum": 2, "application_id": 0x41784862, "wal_autocheckpoint": 0, "journal_size_limit": 64 << 20,
    }  # fmt: skip


def other_program(path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.executescript("PRAGMA application_id = 7; CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
    raw.close()


FOREIGN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello\n" * 1000),
    "cut off": lambda path: path.write_bytes(b"SQLite format 3\0"),
    "another program's": other_program,
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("writable", [True, False])
def test_a_foreign_file_is_refused_and_left_alone(home: Home, make: object, writable: bool) -> None:
    """reliability D8"""
    home.create()
    make(home.database)  # type: ignore[operator]
    before = home.database.read_bytes()
    with pytest.raises(StoreError, match="is not a database of axonhub") as caught:
        open_store(home, Config(), writable=writable)
    assert str(home.database) in caught.value.message and "mv " in caught.value.hint
    assert home.database.read_bytes() == before
    assert [path.name for path in home.data.iterdir()] == ["axonhub.db"]


def test_damage_is_one_clear_error(home: Home) -> None:
    """reliability D8: whatever is broken, reading ends in a StoreError or in sound values."""
    with open_store(home, Config()) as store:
        for number in range(30):
            store.channels.add(Channel("", f"channel-{number}", "demo", "http://127.0.0.1", models=("m" * 200,)))
    sound = home.database.read_bytes()
    chance = random.Random(3)
    refused: list[str] = []
    for _ in range(150):
        broken = bytearray(sound)
        for _ in range(chance.choice([1, 20, 400])):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        home.database.write_bytes(broken[: chance.choice([len(broken), len(broken) // 2])])
        try:
            with open_store(home, Config(), writable=False) as store:
                store.snapshot()
                store.traces.requests()
        except StoreError as error:
            refused.append(error.hint)
    assert len(refused) > 20 and all(refused)


def test_a_newer_schema_asks_for_an_update(home: Home) -> None:
    with open_store(home, Config()) as store:
        store._connection.run("INSERT INTO migrations VALUES ('9999_future', 1)")
    for writable in (True, False):
        with pytest.raises(StoreError, match="please update axonhub"):
            open_store(home, Config(), writable=writable)


def test_a_migration_is_whole_or_not_at_all_and_backed_up(home: Home) -> None:
    """reliability D9"""
    open_store(home, Config()).close()
    bad = (*MIGRATIONS, ("0900_bad", ("CREATE TABLE extra (x TEXT)", "nonsense")))
    with pytest.raises(StoreError):
        open_database(home, writable=True, migrations=bad)
    copy = home.data / "axonhub.db.before-0900_bad"
    assert copy.exists() and stat.S_IMODE(copy.stat().st_mode) == 0o600
    with open_store(home, Config()) as store:
        assert store._connection.row("SELECT 1 FROM sqlite_master WHERE name = 'extra'") is None
    good = (*MIGRATIONS, ("0900_bad", ("CREATE TABLE extra (x TEXT)",)))
    with pytest.raises(StoreError, match="older version"):
        open_database(home, writable=False, migrations=good)
    opened = open_database(home, writable=True, migrations=good)
    assert opened.rows("SELECT * FROM extra") == []
    opened.close()


def test_a_lock_of_another_names_who_holds_it(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """reliability D6"""
    store.channels.add(CHANNEL)
    monkeypatch.setattr(connection, "_BUSY_SECONDS", 0.05)
    with open_store(home, Config()) as second, store._connection.writing():
        store._connection.run("UPDATE meta SET number = number")
        assert second.channels.names() == ("c",)  # reading goes on
        with pytest.raises(StoreError, match="is locked by") as caught:
            second.channels.remove("c")
        if sys.platform == "linux":
            assert f"process {os.getpid()}" in caught.value.message


def test_a_full_disk_is_said_and_changes_nothing(store: Store) -> None:
    """reliability D4"""
    store._connection.value("PRAGMA max_page_count = 60")
    with pytest.raises(StoreError, match="the disk is full"):
        store.traces.save([], [], [("req_1", Body("stream", os.urandom(400_000)))])
    assert store.traces.bodies("req_1") == []
    store._connection.value("PRAGMA max_page_count = 100000")
    store.traces.save([], [], [("req_1", Body("stream", b"again"))])
    assert store.traces.bodies("req_1")[0].data == b"again"


def test_an_io_error_on_a_full_disk_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """reliability D4: SQLite calls a shared-memory file that cannot grow an I/O error."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert "disk I/O error" in explain(error, tmp_path / "axonhub.db").message
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert "the disk is full" in explain(error, tmp_path / "axonhub.db").message


def test_a_home_without_a_database_reads_as_empty(home: Home) -> None:
    with open_store(home, Config(), writable=False) as store:
        assert store.channels.list() == () and store.traces.requests() == [] and store.revision() == 0
        with pytest.raises(StoreError, match="read-only"):
            store.channels.add(CHANNEL)
    assert not home.data.exists()


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = Home(tmp_path / "file" / "home", tmp_path / "file" / "home")
    with pytest.raises(AxonHubError, match=str(tmp_path / "file")) as caught:
        open_store(home, Config())
    assert "AXONHUB_HOME" in caught.value.hint


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user may enter: pytest's own is closed to everyone else."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def read_as_other(folder: Path) -> list[str]:
    """What a user without rights reads, and what it is told when it writes; in a child, which may drop its rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writer, "\n".join(read_and_try_to_write(folder)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        lines = file.read().splitlines()
    os.waitpid(child, 0)
    return lines


def read_and_try_to_write(folder: Path) -> Iterator[str]:
    with open_store(Home(folder, folder), Config()) as store:
        yield f"{store.channels.names()} {store.revision()} {store.writable}"
        try:
            store.channels.add(CHANNEL)
        except AxonHubError as error:
            yield error.message


def test_a_read_only_home_can_be_read(shared_folder: Path) -> None:
    """reliability D12"""
    home = Home(shared_folder / "home", shared_folder / "home")
    with open_store(home, Config()) as store:
        store.channels.add(CHANNEL)
    home.data.chmod(0o555)
    home.database.chmod(0o444)
    try:
        words, refusal = read_as_other(home.data)
    finally:
        home.data.chmod(0o755)
    assert words == "('c',) 1 False"
    assert refusal.startswith(f"cannot write {home.database}")


def test_an_empty_read_only_home_reads_as_empty(shared_folder: Path) -> None:
    shared_folder.chmod(0o555)
    try:
        words, refusal = read_as_other(shared_folder)
    finally:
        shared_folder.chmod(0o755)
    assert words == "() 0 False" and refusal.startswith("cannot write")
