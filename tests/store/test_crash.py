"""A process that is killed while it writes loses at most what it had not reported (reliability D2)."""

from __future__ import annotations

import signal
import subprocess
import sys

from axonhub_cli.config import Config
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store

WRITER = """
import sys
from pathlib import Path
from axonhub_cli.config import Config
from axonhub_cli.entities import Body, RequestRecord
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store
home = Home(Path(sys.argv[1]), Path(sys.argv[1]))
with open_store(home, Config()) as store:
    for number in range(100_000):
        name = f"req_{sys.argv[2]}_{number}"
        text = b'{"input":["%s","%d"]}' % (b"x" * 4000, number)
        store.traces.save([RequestRecord(name, number, "p", "o")], [], [(name, Body("request", text))])
        print(name, flush=True)
"""


def test_killed_writers_leave_a_sound_database(home: Home) -> None:
    reported: list[str] = []
    for life in range(6):
        # The first life is cut while the file is being made or shortly after.
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, home.data, str(life)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        reported += [writer.stdout.readline().strip() for _ in range(1 + 15 * life)]
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
        reported += rest.split("\n")[:-1]  # a last line without its end was not reported
        writer.wait()
        with open_store(home, Config()) as store:
            assert store.damage() is None
            kept = {record.id: record for record in store.traces.requests()}
            assert set(reported) <= set(kept) and len(kept) <= len(reported) + life + 1
            for name in [*kept][:20]:
                number = name.rsplit("_", 1)[1]
                assert store.traces.bodies(name)[0].data.endswith(f'"{number}"]}}'.encode())
