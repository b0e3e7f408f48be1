"""`axonhub profile explain`: what would happen to a request for a model, and why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonhub_cli.cli.complete import key_names, profile_names
from axonhub_cli.cli.context import CliContext
from axonhub_cli.cli.options import JsonOption, ModelArg

if TYPE_CHECKING:
    from axonhub_cli.entities import ApiKey, Profile
    from axonhub_cli.routing.candidates import Candidates
    from axonhub_cli.routing.profiles import Resolution
    from axonhub_cli.store.database import Store


def explain(
    ctx: typer.Context,
    model: ModelArg,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="As this key would see it.", autocompletion=key_names)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="As if it were active.", autocompletion=profile_names)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which rule matches a model, what it becomes, and which channels would be tried, in order, and why."""
    from axonhub_cli.routing.candidates import candidates
    from axonhub_cli.routing.health import Health
    from axonhub_cli.routing.profiles import compile, resolve

    app = CliContext.of(ctx)
    store = app.store
    owner = store.keys.get(key) if key else None
    chosen = _profile(store, owner, profile)
    snapshot = store.snapshot()
    resolution = resolve(compile(chosen) if chosen else None, model, channels=snapshot.channels)
    found = candidates(snapshot, resolution, chosen, health=Health(), now=time.monotonic())
    row = _row(model, key, chosen, resolution, found)
    out = app.output(as_json)
    out.detail(row, _fields(row))
    if not found.chosen:
        out.note("no channel would be tried: the client gets a 404")
    elif len({(each.channel.priority) for each in found.chosen}) < len(found.chosen):
        out.note("among channels of one priority each trace draws its own order, by weight; then it keeps its channel")


def _profile(store: Store, owner: ApiKey | None, name: str | None) -> Profile | None:
    wanted = name or (owner.profile if owner else None) or store.profiles.active()
    return store.profiles.get(wanted) if wanted else None


def _row(
    model: str, key: str | None, profile: Profile | None, resolution: Resolution, found: Candidates
) -> dict[str, Any]:
    return {
        "model": model,
        "key": key,
        "profile": profile.name if profile else None,
        "rule": resolution.rule,
        "target": None if resolution.denied else resolution.model,
        "pinned_channel": resolution.channel,
        "denied": resolution.denied,
        "reason": resolution.reason or None,
        "channels": [
            {"name": each.channel.name, "reason": each.reason, "keys": len(each.keys)} for each in found.chosen
        ],
        "rejected": [{"name": name, "reason": reason} for name, reason in found.rejected],
    }


def _fields(row: dict[str, Any]) -> list[tuple[str, object]]:
    tried = [f"{n}. {each['name']}: {each['reason']}" for n, each in enumerate(row["channels"], 1)]
    rejected = [f"{each['name']}: {each['reason']}" for each in row["rejected"]]
    return [
        ("model", row["model"]),
        ("key", row["key"] or "any without a profile of its own"),
        ("profile", row["profile"] or "none is active"),
        ("rule", row["rule"] or "none matches"),
        ("target", row["target"] or "denied"),
        *([] if row["reason"] == row["rule"] else [("reason", row["reason"] or "-")]),
        ("tried", "\n".join(tried) or "none"),
        ("not tried", "\n".join(rejected) or "none"),
    ]
