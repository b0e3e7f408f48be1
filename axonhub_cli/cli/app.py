"""The command line: its groups, its global options, and the one place that turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from axonhub_cli import __version__
from axonhub_cli.cli.channel import channel_app
from axonhub_cli.cli.codex import codex_app
from axonhub_cli.cli.config import config_app
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.demo import demo
from axonhub_cli.cli.key import key_app
from axonhub_cli.cli.output import PipeClosedError, say, silence_stdout
from axonhub_cli.cli.profile import profile_app
from axonhub_cli.cli.serve import serve
from axonhub_cli.cli.text import visible
from axonhub_cli.cli.traces import traces_app
from axonhub_cli.errors import AxonHubError, UsageError

INTERRUPTED = 130
# How standard output fails: a full disk or quota, a terminal that is gone, a pipe that must not wait.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EAGAIN, errno.EBADF})
# What the system says of a path that the person chose, or that is closed to them.
_UNREACHABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT}
)

_EPILOG = """\b
First steps:
  axonhub demo             # see it work: no account, no key, no network
  axonhub channel add deepseek --type deepseek         # an upstream account
  axonhub profile add work --map gpt-5=deepseek-chat   # asked for = used
  axonhub profile activate work
  export AXONHUB_API_KEY="$(axonhub key create codex)"
  axonhub codex setup      # point Codex at the hub; undo it: codex remove
  axonhub serve
"""

app = typer.Typer(
    name="axonhub",
    help="A local hub between coding agents and the models they use: any model in any agent, every request traced.",
    epilog=_EPILOG,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"axonhub {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    home: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keep config, database, secret and logs in this folder.  [env: AXONHUB_HOME]"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    ctx.obj = CliContext(home)
    ctx.call_on_close(ctx.obj.close)


app.command(short_help="See it work: no account, no key, no network.")(demo)
app.command()(serve)
app.add_typer(channel_app)
app.add_typer(profile_app)
app.add_typer(key_app)
app.add_typer(codex_app)
app.add_typer(traces_app)
app.add_typer(config_app)


def main() -> None:
    """The `axonhub` command."""
    os.umask(0o077)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Standard streams that were closed (`<&-`) lead nowhere: else the next file opened would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole run


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns the exit code. Nothing but SystemExit of a completion request gets out."""
    try:
        _check_text(arguments)
        code = typer.main.get_command(app).main(list(arguments), prog_name="axonhub", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except AxonHubError as error:
        return _explained(error.message, error.hint or "axonhub --help", error.exit_code)
    except typer.TyperException as error:
        return _misused(error)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):  # Ctrl-C at a question, which Typer takes for a no
            say("")
            return INTERRUPTED
        return _explained("nothing was changed: the question was not answered with yes", "axonhub --help", 1)
    except KeyboardInterrupt:
        say("")
        return INTERRUPTED
    except (PipeClosedError, BrokenPipeError):
        silence_stdout()
        return 0
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        silence_stdout()  # Typer and rich end the program with 1 where the reader has gone
        return 0
    except OSError as error:
        return _refused(error)
    except Exception as error:  # a bug of ours: the person gets a line, the log gets the rest
        return _unexpected(error)


def _check_text(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 reach Python as lone surrogates, which neither the store nor JSON can keep."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise UsageError(f"an argument is not UTF-8: {argument!r}", "axonhub --help")


def _explained(message: str, hint: str, code: int) -> int:
    say(f"error: {visible(message)}")
    say(f"hint: {visible(hint)}")
    return code


def _misused(error: typer.TyperException) -> int:
    """A wrong command line. Where no command was given at all, the help is the answer."""
    context: typer.Context | None = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        say(error.format_message())
        return error.exit_code
    path = context.command_path if context is not None else "axonhub"
    message = error.format_message().replace("is not a valid int range", "is not a whole number")
    return _explained(message, f"{path} --help", error.exit_code)


def _refused(error: OSError) -> int:
    """What the system would not do, and a person can mend; anything else is a bug of ours."""
    if error.filename is None and error.errno in _UNWRITABLE:
        silence_stdout()
        return _explained(f"cannot write the output: {error.strerror}", "Make room, or send it elsewhere.", 1)
    if error.filename is not None and error.errno in _UNREACHABLE:
        return _explained(
            f"cannot use {error.filename}: {error.strerror}",
            "Check the permissions, or choose another folder (AXONHUB_HOME; for Codex, CODEX_HOME).",
            1,
        )
    return _unexpected(error)


def _unexpected(error: Exception) -> int:
    from axonhub_cli.cli.crash import write_crash

    where = write_crash(error, sys.argv[1:])
    return _explained(f"internal error ({type(error).__name__}), log at {where}", "please report it with that log", 1)
