"""Brings a database to the schema of this version, step by step, each step whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from axonhub_cli.errors import StoreError
from axonhub_cli.ids import now_ms
from axonhub_cli.store.connection import Connection

__all__ = ["Migration", "migrate", "pending"]

Migration = tuple[str, tuple[str, ...]]  # its name, and its statements
_TABLE = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)"


def pending(connection: Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """What is still to be done. Raises StoreError where the database knows more than this program."""
    applied = {name for (name,) in connection.rows("SELECT name FROM migrations")}
    newer = sorted(applied - {name for name, _ in migrations})
    if newer:
        raise StoreError(
            f"{connection.path} was written by a newer axonhub (it has {newer[-1]}): please update axonhub",
            "pipx upgrade axonhub-cli (or pip install -U axonhub-cli)",
        )
    return [migration for migration in migrations if migration[0] not in applied]


def migrate(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Does what is to be done. Two programs may do it at once: the second finds it done."""
    with connection.writing():
        connection.run(_TABLE)
    for name, statements in pending(connection, migrations):
        with connection.writing():
            if connection.row("SELECT 1 FROM migrations WHERE name = ?", (name,)):
                continue
            for statement in statements:
                connection.run(statement)
            connection.run("INSERT INTO migrations (name, applied_at) VALUES (?, ?)", (name, now_ms()))
