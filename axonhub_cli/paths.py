"""Where axonhub keeps its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs
from msgspec import Struct

from axonhub_cli.errors import AxonHubError
from axonhub_cli.files import FILE_MODE, FOLDER_MODE, make_private_folder

__all__ = ["Home", "find_home"]

APPLICATION = "axonhub"
_CONFIG, _DATABASE, _SECRET, _LOGS = "config.yml", "axonhub.db", "secret.key", "logs"
_PRIVATE = (_DATABASE, _SECRET, "client-keys.json")
_OURS = (*_PRIVATE, _CONFIG, _LOGS, "server.lock")


class Home(Struct, frozen=True):
    """The paths of one installation. `config` and `data` are one folder where AXONHUB_HOME or --home chose it."""

    config: Path
    data: Path

    @property
    def root(self) -> Path:
        """The folder to name to a person: where the data is."""
        return self.data

    @property
    def config_file(self) -> Path:
        return self.config / _CONFIG

    @property
    def database(self) -> Path:
        return self.data / _DATABASE

    @property
    def secret_file(self) -> Path:
        return self.data / _SECRET

    @property
    def logs(self) -> Path:
        return self.data / _LOGS

    def create(self) -> None:
        """Makes the folders with mode 0700. Raises AxonHubError naming the path where that cannot be done.

        A folder that exists and holds nothing but our files is closed to others as well; any other (somebody's home
        folder, say) keeps its mode, and the files with secrets and prompts in it are closed.
        """
        for folder in dict.fromkeys((self.config, self.data)):
            make_private_folder(folder)
            _tighten(folder)

    def create_logs(self) -> Path:
        """The folder for logs, made where missing."""
        self.create()
        make_private_folder(self.logs)
        return self.logs


def find_home(option: str | None, environ: Mapping[str, str]) -> Home:
    """The home named by `option` (--home), else by AXONHUB_HOME, else the user's own folders; creates nothing.

    Raises AxonHubError where the user has no home folder, or the name is a file.
    """
    name = option or environ.get("AXONHUB_HOME") or ""
    if not name:
        return _user_home()
    folder = _absolute(name)
    if folder.exists() and not folder.is_dir():
        raise AxonHubError(f"{folder} is not a folder", "Point --home or AXONHUB_HOME at a folder.")
    return Home(folder, folder)


def _user_home() -> Home:
    # platformdirs reads the XDG variables itself, and asks the password database where HOME is unset.
    config = Path(platformdirs.user_config_dir(APPLICATION, appauthor=False))
    data = Path(platformdirs.user_data_dir(APPLICATION, appauthor=False))
    for folder in (config, data):
        if not folder.is_absolute():
            raise AxonHubError(
                f"no home folder for this user: HOME is not set ({folder})",
                "Set AXONHUB_HOME to a folder axonhub may use.",
            )
    return Home(config, data)


def _absolute(name: str) -> Path:
    if "\0" in name:
        raise AxonHubError("the home folder's name holds a NUL character", "Point --home or AXONHUB_HOME at a folder.")
    try:
        return Path(name).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # an unknown ~user; a working directory that is gone
        raise AxonHubError(f"cannot find the home folder {name}: {error}", "Give an absolute path.") from error


def _tighten(folder: Path) -> None:
    if os.name != "posix" or stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0:
        return
    with suppress(PermissionError):  # not ours to close
        entries = list(folder.iterdir())
        if all(entry.name.startswith(_OURS) for entry in entries):
            folder.chmod(FOLDER_MODE)
            return
        for entry in entries:
            if entry.name.startswith(_PRIVATE) and entry.is_file() and not entry.is_symlink():
                with suppress(OSError):  # somebody else's, or gone by now
                    entry.chmod(FILE_MODE)
