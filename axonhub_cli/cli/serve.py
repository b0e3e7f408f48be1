"""`axonhub serve`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from axonhub_cli.cli.checks import is_loopback
from axonhub_cli.cli.context import CliContext

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output
    from axonhub_cli.server.app import ServeOptions


_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class LogLevel(StrEnum):
    """How much the log says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


def serve(
    ctx: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Where to listen.  [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes a free one.  [default: 8090]")
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Processes that share the port.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Offer the built-in demo model as well.")] = False,
    log_level: Annotated[LogLevel | None, typer.Option(help="How much to log.  [default: info]")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How to log.")] = LogFormat.TEXT,
) -> None:
    """Serve until interrupted. What the commands change meanwhile counts from the next request on."""
    from axonhub_cli.server.app import ServeOptions
    from axonhub_cli.server.app import serve as run_server

    app = CliContext.of(ctx)
    config = app.config
    options = ServeOptions(
        home=app.home,
        config=config,
        host=host,
        port=port,
        workers=workers,
        demo=demo,
        log_level=log_level.value if log_level else None,
        log_format=log_format.value,
    )
    _check(app, options)
    if is_loopback(options.address[0]) or app.store.keys.list():  # else the server refuses, and says why
        _banner(app, *options.address, demo=demo)
    app.close()
    code = run_server(options)
    if code:
        raise typer.Exit(code)


def _check(app: CliContext, options: ServeOptions) -> None:
    """Raises AxonHubError where the server could not start, before anything is said of one."""
    from axonhub_cli.errors import AxonHubError
    from axonhub_cli.server.app import home_lock, listen

    if not app.store.writable:
        raise AxonHubError(
            f"cannot write {app.home.database}: it or its folder is read-only",
            "Check the owner and permissions, or choose another folder with AXONHUB_HOME.",
        )
    app.secret  # noqa: B018 - made or read now, while an error can still be the first line
    home_lock(options).release()
    listen(*options.address).close()


def _banner(app: CliContext, host: str, port: int, *, demo: bool) -> None:
    out = app.output()
    channels = [channel.name for channel in app.store.channels.list() if channel.enabled]
    if demo:
        channels.append("demo")
    url = f"http://{url_host(host)}:{port or '(a free port)'}"
    out.note(f"axonhub on {url}/v1")
    out.note(f"  home      {app.home.root}")
    out.note(f"  channels  {', '.join(channels) or 'none yet: axonhub channel add NAME --type TYPE'}")
    out.note("  codex     axonhub codex setup   (then run codex as ever)")
    out.note(f"  others    Anthropic's and Gemini's take {url} as their base URL")
    out.note("  watch     axonhub traces tail")
    _warn(out, app, host)


def _warn(out: Output, app: CliContext, host: str) -> None:
    if not is_loopback(host):
        out.warning(f"listening on {host}: other machines can reach this hub; every request still needs a key")
    if not app.store.keys.list():
        out.hint('no client can get in without a key: export AXONHUB_API_KEY="$(axonhub key create NAME)"')
    if sys.stderr.isatty():
        out.note("  stop      Ctrl-C")


def url_host(host: str) -> str:
    """A host as it stands in a URL; this machine for one that stands for all its addresses."""
    host = _LOOPBACKS.get(host, host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
