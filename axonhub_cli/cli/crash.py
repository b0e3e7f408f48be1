"""Keeps the traceback of a bug where the person can find it."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence


def write_crash(error: Exception, arguments: Sequence[str]) -> str:
    """Appends the traceback to `logs/crash.log` in the home; returns the path, or words if that cannot be written.

    Frames and the error's own words: neither the values of variables nor the command's arguments are kept, since
    both may hold keys.
    """
    try:
        from axonhub_cli.files import open_private
        from axonhub_cli.paths import find_home

        home = find_home(_home_option(arguments), os.environ)
        path = home.create_logs() / "crash.log"
        words = "".join(traceback.format_exception(error))
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with os.fdopen(open_private(path), "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"--- {stamp}\n{words}")
    except Exception as second:
        return f"(no log could be written: {type(second).__name__})"
    return str(path)


def _home_option(arguments: Sequence[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument.startswith("--home="):
            return argument.removeprefix("--home=")
        if argument == "--home" and index + 1 < len(arguments):
            return arguments[index + 1]
    return None
