"""`axonhub demo`: the whole hub in a throwaway home, with a model that needs no network."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, Annotated

import typer

from axonhub_cli.cli.context import CliContext
from axonhub_cli.errors import AxonHubError

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output
    from axonhub_cli.config import Config
    from axonhub_cli.paths import Home
    from axonhub_cli.server.app import Running

MODEL = "gpt-5"
_WAIT_S = 5.0


def demo(
    ctx: typer.Context,
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Where to serve; 0 takes a free port.")
    ] = 0,
    once: Annotated[bool, typer.Option("--once", help="Exit after the request.")] = False,
) -> None:
    """See it work: serve with a built-in demo model, send one request like Codex's through it, show its trace.

    No account, no key, no network; nothing of yours is touched, and nothing is left behind.
    """
    import asyncio

    from axonhub_cli.config import load_config
    from axonhub_cli.paths import find_home

    out = CliContext.of(ctx).output()
    _end_as_ctrl_c_does()
    folder = tempfile.mkdtemp(prefix="axonhub-demo-")
    try:
        # The demo's own home and no variables: what is set up on this machine must not change what it shows.
        home = find_home(folder, {})
        config = load_config(home.config_file, {})
        key = _furnish(home, config)
        interrupted = asyncio.run(_run(out, home, config, key, port=port, once=once))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if interrupted:
        raise typer.Exit(130)


def _end_as_ctrl_c_does() -> None:
    """A kill and a terminal that is closed would leave the folder behind; `nohup` still keeps it serving."""
    import signal

    for name in ("SIGTERM", "SIGHUP"):  # no SIGHUP on Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _furnish(home: Home, config: Config) -> str:
    """A demo channel, a profile that maps `MODEL` to it, and a key, which is returned."""
    from axonhub_cli.demo import MODELS
    from axonhub_cli.entities import ApiKey, Channel, Profile, Rule
    from axonhub_cli.store.api_keys import new_api_key
    from axonhub_cli.store.database import open_store
    from axonhub_cli.vendors import CHANNEL_TYPES

    plaintext, digest, prefix = new_api_key()
    with open_store(home, config) as store:
        store.channels.add(Channel("", "demo", "demo", CHANNEL_TYPES["demo"].base_url, models=MODELS))
        store.profiles.add(Profile("", "demo", rules=(Rule(MODEL, MODELS[0]),)))
        store.profiles.activate("demo")
        store.keys.add(ApiKey("", "codex", digest, prefix))
    return plaintext


async def _run(out: Output, home: Home, config: Config, key: str, *, port: int, once: bool) -> bool:
    """True where it was interrupted."""
    from axonhub_cli.server.app import ServeOptions, start

    options = ServeOptions(home=home, config=config, host="127.0.0.1", port=port, environ={})
    running = await start(options)
    try:
        await _show(out, home, config, running, key)
        if once:
            return False
        _invite(out, running.url, key)
        return await _until_signal()
    finally:
        await running.stop(0)


async def _show(out: Output, home: Home, config: Config, running: Running, key: str) -> None:
    from axonhub_cli.cli.demo_client import PROMPT, ask

    out.note(f"axonhub serves {running.url}/v1, with the built-in demo model, from {home.root}")
    out.note(f"\nA request like Codex's asks for {MODEL}: {PROMPT!r}\n")
    answer = await ask(running.url, key, MODEL, out)
    out.write("\n")
    if answer.problem:
        raise AxonHubError(f"the demo's own request went wrong: {answer.problem}", "this is a bug; please report it")
    out.note("\nIts trace, as `axonhub traces show` would print it:\n")
    await _show_trace(out, home, config, answer.trace_id)


async def _show_trace(out: Output, home: Home, config: Config, trace_id: str) -> None:
    """Waits until the server has written the request down."""
    import asyncio

    from axonhub_cli.cli.trace_show import load_trace
    from axonhub_cli.cli.trace_tree import trace_tree
    from axonhub_cli.entities import RequestStatus
    from axonhub_cli.ids import now_ms
    from axonhub_cli.store.database import open_store

    loop = asyncio.get_running_loop()
    limit = loop.time() + _WAIT_S
    with open_store(home, config, writable=False) as store:
        while True:
            shown = load_trace(store, trace_id)
            if shown and shown[-1].record.status is not RequestStatus.RUNNING:
                break
            if loop.time() > limit:
                raise AxonHubError("the demo's request is not in the traces", "this is a bug; please report it")
            await asyncio.sleep(0.05)
    if shown[-1].record.status is not RequestStatus.COMPLETED:
        raise AxonHubError(f"the demo's request is {shown[-1].record.status}", "this is a bug; please report it")
    out.tree(trace_tree(shown, now_ms=now_ms()))


def _invite(out: Output, url: str, key: str) -> None:
    provider = f'{{name="AxonHub",base_url="{url}/v1",env_key="AXONHUB_API_KEY",wire_api="responses"}}'
    out.note(
        "\nIt keeps serving; Ctrl-C ends it and removes everything. Try it with Codex itself, in another terminal:\n"
    )
    out.value(f"export AXONHUB_API_KEY={key}")
    out.value(
        f"codex exec --skip-git-repo-check -m {MODEL} -c model_provider=axonhub"
        f" -c 'model_providers.axonhub={provider}' 'say hello'"
    )


async def _until_signal() -> bool:
    """Waits for Ctrl-C (True) or a polite end (False)."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bool] = loop.create_future()

    def end(interrupted: bool) -> None:
        if not ended.done():
            ended.set_result(interrupted)

    try:
        loop.add_signal_handler(signal.SIGINT, end, True)
        loop.add_signal_handler(signal.SIGTERM, end, False)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
        return await ended
    return await ended
