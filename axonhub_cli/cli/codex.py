"""`axonhub codex`: points Codex at the hub, and back."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonhub_cli.cli.checks import check_model
from axonhub_cli.cli.complete import key_names, model_names
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption, YesOption
from axonhub_cli.cli.output import Output, is_terminal
from axonhub_cli.cli.serve import url_host
from axonhub_cli.errors import AxonHubError, ConfigError, UsageError

if TYPE_CHECKING:
    from axonhub_cli.integrations.client_keys import ClientKeys
    from axonhub_cli.integrations.codex import Wanted
    from axonhub_cli.integrations.codex_files import Change, Location

codex_app = typer.Typer(
    name="codex",
    help="Point OpenAI Codex at the hub, and back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DEFAULT_KEY = "codex"


class Auth(StrEnum):
    """How Codex gets its key."""

    ENV = "env"
    COMMAND = "command"


CodexHomeOption = Annotated[
    str | None, typer.Option(metavar="DIR", help="Codex's folder.  [env: CODEX_HOME; default: ~/.codex]")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only print the diff.")]


@codex_app.command(
    epilog="""\b
Examples:
  axonhub codex setup --dry-run
  axonhub codex setup --auth command   # no variable; lists the hub's models
""",
)
def setup(
    ctx: typer.Context,
    *,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="What Codex asks for.", autocompletion=model_names)
    ] = "gpt-5",
    auth: Annotated[
        Auth, typer.Option(help="env: Codex reads AXONHUB_API_KEY. command: Codex asks `axonhub codex token`.")
    ] = Auth.ENV,
    key: Annotated[
        str,
        typer.Option(metavar="NAME", help="Whose key it is; made where missing.", autocompletion=key_names),
    ] = DEFAULT_KEY,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the hub listens.  [default: from config.yml]")
    ] = None,
    codex_home: CodexHomeOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Make Codex use the hub. Nothing else in its config.toml changes, and `remove` gives it back to the byte."""
    from axonhub_cli.integrations import codex, codex_files
    from axonhub_cli.integrations.client_keys import ClientKeys
    from axonhub_cli.store.names import check_name

    app = CliContext.of(ctx)
    out = app.output()
    check_name("key", key)
    command = _token_command(app, key) if auth is Auth.COMMAND else ()
    wanted = codex.Wanted(check_model(model), _checked_url(base_url or _hub_url(app)), command)
    location = codex_files.codex_home(codex_home, dict(os.environ))
    planned = codex_files.setup(location, wanted, dry_run=True)
    if dry_run:
        _print_diff(out, location, planned)
        return
    if auth is Auth.COMMAND:
        stored = ClientKeys(app.home, app.secret)
        with stored.locked():
            _ensure_key(app, stored, out, key, yes)
    change = codex_files.setup(location, wanted)
    _report_setup(app, location, change, wanted, key)


@codex_app.command()
def status(ctx: typer.Context, codex_home: CodexHomeOption = None, as_json: JsonOption = False) -> None:
    """Show whether Codex uses the hub, and how."""
    from axonhub_cli.cli.codex_key import check_shown
    from axonhub_cli.integrations import codex, codex_files

    app = CliContext.of(ctx)
    location = codex_files.codex_home(codex_home, dict(os.environ))
    settings = codex_files.settings(location)
    ours = codex.provider(settings)
    used = bool(ours) and settings.get("model_provider") == codex.PROVIDER
    by_command = "auth" in ours
    trouble = _trouble(check_shown, app, ours)
    data = {
        "config": str(location.config),
        "exists": location.config.exists(),
        "set_up": used,
        "model": _text(settings.get("model")),
        "model_provider": _text(settings.get("model_provider")),
        "base_url": _text(ours.get("base_url")),
        "auth": (Auth.COMMAND if by_command else Auth.ENV) if ours else None,
        "variable_set": bool(os.environ.get(_variable(ours))),
        "key_problem": trouble.message if trouble else None,
        "backup": str(location.backup) if location.backup.exists() else None,
    }
    fields = [
        ("config", data["config"]),
        ("uses the hub", "yes" if used else "no"),
        ("model", data["model"] or "-"),
        ("provider", data["model_provider"] or "-"),
        ("hub", data["base_url"] or "-"),
        ("key", _key_words(ours) if ours else "-"),
        ("key problem", data["key_problem"] or "-"),
        ("old file", data["backup"] or "-"),
    ]
    out = app.output(as_json)
    out.detail(data, fields)
    if not used:
        out.hint("axonhub codex setup")
    elif trouble:
        out.hint(trouble.hint)


@codex_app.command(short_help="Give Codex's config.toml back as it was.")
def remove(ctx: typer.Context, codex_home: CodexHomeOption = None, dry_run: DryRunOption = False) -> None:
    """Give Codex's config.toml back as it was; what you or Codex changed since stays."""
    from axonhub_cli.integrations import codex_files

    out = CliContext.of(ctx).output()
    location = codex_files.codex_home(codex_home, dict(os.environ))
    change = codex_files.remove(location, dry_run=dry_run)
    if dry_run:
        _print_diff(out, location, change)
    elif change.changed:
        out.result(f"{location.config} no longer mentions the hub")
        out.hint("axonhub key revoke NAME refuses the key that Codex used")
    else:
        out.result(f"{location.config} does not mention the hub; nothing changed")


@codex_app.command(short_help="Print the key Codex shows to the hub.")
def token(
    ctx: typer.Context,
    key: Annotated[str, typer.Option(metavar="NAME", help="Whose key.", autocompletion=key_names)] = DEFAULT_KEY,
    home: Annotated[str | None, typer.Option(metavar="DIR", help="The hub's home.")] = None,
) -> None:
    """Print the key Codex shows to the hub; run by Codex itself after `setup --auth command`."""
    from axonhub_cli.integrations.client_keys import FILE, ClientKeys

    app = CliContext(home) if home else CliContext.of(ctx)
    # In a folder that is no home nothing is made, no secret either.
    stored = ClientKeys(app.home, app.secret).get(key) if (app.home.data / FILE).exists() else None
    if stored is None:
        raise ConfigError(f"no key is stored under {key}", f"axonhub codex setup --auth command --key {key}")
    app.output().value(stored)


def _text(value: object) -> str | None:
    """A setting of Codex's as text, whatever somebody wrote there: a number, a date."""
    return None if value is None else str(value)


def _hub_url(app: CliContext) -> str:
    server = app.config.server
    return f"http://{url_host(server.host)}:{server.port}/v1"


def _checked_url(url: str) -> str:
    from axonhub_cli.secrets import origin_of

    origin_of(url)
    if not url.isprintable() or " " in url:
        raise UsageError("the base URL holds spaces or control characters", "Example: http://127.0.0.1:8090/v1")
    if "?" in url or "#" in url:  # Codex would put its paths behind them
        raise UsageError("a base URL has no query and no fragment", "Example: http://127.0.0.1:8090/v1")
    return url.rstrip("/")


def _token_command(app: CliContext, key: str) -> tuple[str, ...]:
    """The program and arguments that print the key, whatever folder and environment Codex runs them in."""
    beside = Path(sys.executable).with_name("axonhub.exe" if os.name == "nt" else "axonhub")
    found = str(beside) if beside.exists() else shutil.which("axonhub")
    program = (str(Path(found).absolute()),) if found else (sys.executable, "-m", "axonhub_cli")
    chosen = app.home_option or os.environ.get("AXONHUB_HOME")
    home = ("--home", str(app.home.root)) if chosen else ()
    return (*program, "codex", "token", "--key", key, *home)


def _ensure_key(app: CliContext, stored: ClientKeys, out: Output, name: str, yes: bool) -> None:
    """Makes or rotates the key `name` unless it is stored already."""
    from msgspec.structs import replace

    from axonhub_cli.cli.codex_key import check_usable
    from axonhub_cli.entities import ApiKey
    from axonhub_cli.store.api_keys import new_api_key

    known = next((one for one in app.store.keys.list() if one.name == name), None)
    if known is not None:
        check_usable(known, Auth.COMMAND)
    if known is not None and stored.matches(name, known.digest):
        return
    if known is not None:
        _confirm_rotation(name, yes)
    plaintext, digest, prefix = new_api_key()
    # Stored first: a key that only its digest is left of would be lost.
    stored.put(name, plaintext)
    if known is None:
        app.store.keys.add(ApiKey("", name, digest, prefix))
        out.note(f"key {name} made; it is kept, encrypted, in {stored.path}")
    else:
        app.store.keys.replace(replace(known, digest=digest, prefix=prefix))
        out.note(f"key {name} rotated: the old one is refused; the new one is kept, encrypted, in {stored.path}")


def _confirm_rotation(name: str, yes: bool) -> None:
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise AxonHubError(
            f"key {name} exists, but only its digest is kept: it would have to be rotated",
            "Pass --yes to rotate it (the old one is refused at once), or --key ANOTHER_NAME.",
        )
    typer.confirm(f"Key {name} exists; rotate it, so that the old one is refused?", abort=True, err=True)


def _report_setup(app: CliContext, location: Location, change: Change, wanted: Wanted, key: str) -> None:
    from axonhub_cli.cli.codex_key import check_shown, check_usable
    from axonhub_cli.integrations.codex import KEY_VARIABLE, block

    out = app.output()
    if change.changed:
        out.result(f"Codex asks the hub at {wanted.base_url} for {wanted.model} ({location.config})")
        if location.backup.exists():
            out.note(f"the old file is kept as {location.backup}")
    else:
        out.result(f"Codex is set up already; nothing changed ({location.config})")
    if wanted.command:
        return
    out.note(
        "with a variable Codex does not ask the hub for its models: /model lists only those it knows, and for others"
        " it says that their metadata was not found; `axonhub codex setup --auth command` gives it the hub's list"
    )
    if os.environ.get(KEY_VARIABLE):
        if trouble := _trouble(check_shown, app, block(wanted)):
            out.warning(f"the key in {KEY_VARIABLE} is refused: {trouble.message}")
            out.hint(trouble.hint)
        return
    out.warning(f"{KEY_VARIABLE} is not set here, and Codex will not start without it")
    known = next((one for one in app.store.keys.list() if one.name == key), None)
    if known is None:
        out.hint(f'export {KEY_VARIABLE}="$(axonhub key create {key})"')
    elif trouble := _trouble(check_usable, known, Auth.ENV):
        out.warning(trouble.message)
        out.hint(trouble.hint)
    else:
        lost = f'lost it? export {KEY_VARIABLE}="$(axonhub key rotate {key})"'
        out.hint(f"export {KEY_VARIABLE}=… with the key that was printed for {key}; {lost}")


def _print_diff(out: Output, location: Location, change: Change) -> None:
    from axonhub_cli.integrations.codex_files import diff

    out.write(text) if (text := diff(location, change)) else out.note("nothing would change")


def _key_words(ours: Mapping[str, Any]) -> str:
    if "auth" in ours:
        return "from `axonhub codex token`"
    return f"from {_variable(ours)} ({'set' if os.environ.get(_variable(ours)) else 'not set'})"


def _variable(ours: Mapping[str, Any]) -> str:
    from axonhub_cli.integrations.codex import KEY_VARIABLE

    return str(ours.get("env_key") or KEY_VARIABLE)


def _trouble(check: Callable[..., None], *about: Any) -> AxonHubError | None:
    """What a check raises."""
    try:
        check(*about)
    except AxonHubError as error:
        return error
    return None
