"""What every command receives: the home, and its config, store and secret once they are needed."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from axonhub_cli.cli.output import Output

if TYPE_CHECKING:
    from axonhub_cli.config import Config
    from axonhub_cli.paths import Home
    from axonhub_cli.store.database import Store


class CliContext:
    """Opened lazily, so that `--help` and usage errors touch no file. `home_option` is `--home`."""

    def __init__(self, home_option: str | None = None) -> None:
        self.home_option = home_option
        self._store: Store | None = None

    @classmethod
    def of(cls, ctx: typer.Context) -> CliContext:
        """The one of this command line."""
        found = ctx.find_root().obj
        return found if isinstance(found, cls) else cls()

    def output(self, json: bool = False) -> Output:
        """Where results go."""
        return Output(json=json)

    @cached_property
    def home(self) -> Home:
        """The folder of everything; made if need be."""
        from axonhub_cli.paths import find_home

        return find_home(self.home_option, os.environ)

    @cached_property
    def config(self) -> Config:
        """config.yml and the environment. Raises ConfigError."""
        from axonhub_cli.config import load_config

        return load_config(self.home.config_file, os.environ)

    @property
    def store(self) -> Store:
        """The open store. Raises StoreError."""
        if self._store is None:
            from axonhub_cli.store.database import open_store

            self._store = open_store(self.home, self.config)
        return self._store

    @cached_property
    def secret(self) -> bytes:
        """What upstream keys are encrypted with; made if there is none."""
        from axonhub_cli.secrets import load_secret

        return load_secret(self.home, os.environ, create=True)

    def close(self) -> None:
        """Lets go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None
