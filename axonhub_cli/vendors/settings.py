"""An account's own facts, given as options: where they belong, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from string import Formatter

from msgspec import Struct
from msgspec.structs import replace

from axonhub_cli.errors import ConfigError
from axonhub_cli.vendors.quirks import ChannelType, Setting


class Extra(Struct, frozen=True):
    """What `auth` needs beside this program: the optional extra of ours that brings `module`. `credentials` are what
    it finds by itself where a channel has no key."""

    name: str
    module: str
    credentials: str

    def missing(self) -> ConfigError | None:
        """The error to tell, where it is not installed. Imports nothing but the package around it."""
        try:
            found = find_spec(self.module)
        except ModuleNotFoundError:
            found = None
        if found is not None:
            return None
        package = self.module.replace(".", "-")
        return ConfigError(
            f"{package} is not installed, which signs requests for such a channel",
            f"pip install 'axonhub-cli[{self.name}]'",
        )


EXTRAS: Mapping[str, Extra] = {
    "aws": Extra("bedrock", "botocore", "AWS's own"),
    "google": Extra("vertex", "google.auth", "Google's own"),
}


def base_url(row: ChannelType, options: Mapping[str, str]) -> str:
    """The type's own base URL for such options. Raises ConfigError for a setting that is missing or wrong."""
    template = row.base_url
    for name, value in options.items():
        template = row.urls.get(f"{name}={value.strip()}") or row.urls.get(name) or template
    wanted = {name for _, name, _, _ in Formatter().parse(template) if name}
    for setting in row.settings:
        if setting.name in wanted:
            _check(row, replace(setting, needed=True), options)
    return template.format_map({name: value.strip() for name, value in options.items()})


def check_settings(row: ChannelType, options: Mapping[str, str]) -> None:
    """Raises ConfigError for a value that cannot be one, or a setting that is needed whatever the base URL."""
    for setting in row.settings:
        _check(row, setting, options)


def _check(row: ChannelType, setting: Setting, options: Mapping[str, str]) -> None:
    value, example = options.get(setting.name), f"--option {setting.name}={setting.example}"
    if value is None and setting.needed:
        raise ConfigError(f"the type {row.name} needs the option {setting.name!r}", f"add {example}")
    if value is not None and not re.fullmatch(setting.pattern, value.strip()):
        raise ConfigError(f"{value!r} is no value of the channel option {setting.name!r}", f"Example: {example}")
