"""`axonhub config`: the settings of this machine."""

from __future__ import annotations

import os

import typer

from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption
from axonhub_cli.cli.output import Column

config_app = typer.Typer(
    name="config",
    help="The settings of this machine: config.yml and AXONHUB_… variables.",
    short_help="The settings of this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_COLUMNS = (
    Column("KEY", lambda row: row["key"]),
    Column("VALUE", lambda row: setting_text(row["value"])),
    Column("FROM", lambda row: row["source"], rank=1),
)


@config_app.command()
def path(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Say where config.yml is looked for, whether it exists or not."""
    app = CliContext.of(ctx)
    out = app.output(as_json)
    file = str(app.home.config_file)
    if out.json:
        out.detail({"path": file, "exists": app.home.config_file.exists()}, ())
    else:
        out.value(file)


@config_app.command(short_help="Show every setting in force, and where it comes from.")
def show(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show every setting in force, and whether it comes from the file, a variable or the program."""
    from axonhub_cli.config import effective

    app = CliContext.of(ctx)
    rows = [
        {"key": setting.key, "value": plain(setting.value), "source": setting.source}
        for setting in effective(app.home.config_file, os.environ)
    ]
    app.output(as_json).table(rows, _COLUMNS)


@config_app.command()
def check(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Look for every mistake in config.yml and the variables at once. Exit code 1 if there is one."""
    from axonhub_cli.config import check as find_problems

    app = CliContext.of(ctx)
    out = app.output(as_json)
    file = app.home.config_file
    problems = find_problems(file, os.environ)
    if out.json:
        keys = ("line", "column", "key", "variable", "message")
        out.table([{key: getattr(problem, key) for key in keys} for problem in problems], ())
    else:
        for problem in problems:
            out.value(problem.text(file))
    if problems:
        out.note(f"error: {len(problems)} problem{'' if len(problems) == 1 else 's'} found")
        out.hint(f"mend {file} or the variable, then: axonhub config check")
        raise typer.Exit(1)
    out.note(f"{file} is fine" if file.exists() else f"there is no {file}; the defaults are in force")


def plain(value: object) -> object:
    """A setting's value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def setting_text(value: object) -> str:
    """A setting's value as YAML has it, near enough."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value) if value != "" else '""'
