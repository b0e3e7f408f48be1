"""Several connections in a server and commands beside it: nothing that was written is lost."""

from __future__ import annotations

import subprocess
import sys

from axonhub_cli.config import Config
from axonhub_cli.entities import Channel
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store

COMMAND = """
import sys
from axonhub_cli.config import Config
from axonhub_cli.paths import find_home
from axonhub_cli.store.database import open_store
with open_store(find_home(sys.argv[1], {}), Config()) as store:
    print(" ".join(store.channels.names()))
"""


def command(home: Home) -> list[str]:
    """The channels another process sees, which then closes the database."""
    done = subprocess.run([sys.executable, "-c", COMMAND, str(home.data)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_command_does_not_delete_the_log_of_a_server_with_two_connections(home: Home) -> None:
    # https://sqlite.org/howtocorrupt.html (2.2): opening and closing the file once more drops its locks
    with open_store(home, Config()) as reader, open_store(home, Config()) as writer:
        for number in range(3):
            writer.channels.add(Channel("", f"c{number}", "demo", "http://127.0.0.1"))
            assert command(home) == [f"c{known}" for known in range(number + 1)]
        assert list(reader.channels.names()) == ["c0", "c1", "c2"]
