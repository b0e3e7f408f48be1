"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from axonhub_cli.cli.complete import channel_names, key_names, model_names, profile_names

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

ChannelArg = Annotated[str, typer.Argument(metavar="NAME", help="The channel.", autocompletion=channel_names)]
ProfileArg = Annotated[str, typer.Argument(metavar="NAME", help="The profile.", autocompletion=profile_names)]
KeyArg = Annotated[str, typer.Argument(metavar="NAME", help="The key.", autocompletion=key_names)]
NewNameArg = Annotated[str, typer.Argument(metavar="NAME", help="Its name: letters, digits, `.`, `_` and `-`.")]
ModelArg = Annotated[str, typer.Argument(metavar="MODEL", help="The model asked for.", autocompletion=model_names)]
KeyOption = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="For this key only.", autocompletion=key_names)
]
