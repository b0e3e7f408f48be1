"""Which channels may serve a request, and in which order; each with the reason, in words."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from axonhub_cli.entities import Binding, Channel, Profile, Snapshot, UpstreamKey
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.routing.health import Health, Rest
from axonhub_cli.routing.profiles import Resolution
from axonhub_cli.vendors import CHANNEL_TYPES
from axonhub_cli.vendors.rows import CHAT, RESPONSES

MAX_RETRY_AFTER_S = 60
_EMBEDDING = frozenset({CHAT, RESPONSES})


class Candidate(Struct, frozen=True):
    """A channel to try with `keys` in this order; no keys: it needs none."""

    channel: Channel
    keys: tuple[UpstreamKey, ...]
    reason: str


class Candidates(Struct, frozen=True):
    """`chosen` in the order to try; `rejected` as (channel name, reason). `bound` tells that the trace's
    binding was honoured. `retry_after` is when the first channel that only rests is free again, in seconds;
    `resting` names those channels, `cause` is what all their rests come from."""

    chosen: tuple[Candidate, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    bound: bool = False
    retry_after: float | None = None
    resting: tuple[str, ...] = ()
    cause: ErrorKind | None = None


class _Option(Struct, frozen=True):
    candidate: Candidate
    rank: tuple[bool, bool, bool, int, float]
    bound: bool


def candidates(
    snapshot: Snapshot,
    resolution: Resolution,
    profile: Profile | None,
    *,
    binding: Binding | None = None,
    health: Health,
    now: float,
    seed: str = "",
    protocols: Mapping[str, tuple[str, ...]] | None = None,
) -> Candidates:
    """Who may serve `resolution.model`: the channel the trace is bound to if it still may, then by priority
    (lower first), then by weight. Channels that failed lately go behind, and last of all those that name no
    models and whose vendor's own models are called otherwise.

    `seed` is the trace id, or for a request without one its own id: the draw by weight depends on nothing
    else, so that a trace stays with its channel even where no binding is remembered. `protocols` by channel are given
    where the request is for embeddings, which pass as they come and only between those who speak OpenAI's.
    """
    options: list[_Option] = []
    rejected: list[tuple[str, str]] = []
    rests: dict[str, Rest] = {}
    for channel in snapshot.channels.values():
        refusal = _refusal(channel, resolution, profile)
        if refusal is None and protocols is not None:
            refusal = _no_embeddings(channel, protocols[channel.name])
        if refusal:
            rejected.append((channel.name, refusal))
            continue
        option = _option(channel, resolution, binding, health=health, now=now, seed=seed)
        if isinstance(option, Rest):
            rests[channel.name] = option
            rejected.append((channel.name, f"rests for {math.ceil(option.seconds)} s: {option.reason}"))
        else:
            options.append(option)
    options.sort(key=lambda option: option.rank)
    return Candidates(
        tuple(option.candidate for option in options),
        tuple(rejected),
        any(option.bound for option in options),
        min((rest.seconds for rest in rests.values()), default=None),
        tuple(rests),
        _common_cause(rests.values()),
    )


def unavailable(found: Candidates, resolution: Resolution, model: str) -> APIError:
    """What to tell a client that asked for `model` when `found.chosen` is empty."""
    if resolution.denied:
        return APIError(ErrorKind.NOT_FOUND, _sentence(resolution.reason), 404, code="model_not_found", param="model")
    # Channels that would not serve it rested or not are beside the point where others only rest.
    told = [row for row in found.rejected if row[0] in found.resting] or found.rejected
    why = "; ".join(f"{name}: {reason}" for name, reason in told) or "no channel is configured"
    if found.retry_after is None:
        mapped = "" if resolution.model == model else f" (mapped to {resolution.model})"
        message = f"No channel serves the model {model}{mapped}: {_ended(why)}"
        return APIError(ErrorKind.NOT_FOUND, message, 404, code="model_not_found", param="model")
    seconds = max(1, math.ceil(found.retry_after))
    if seconds <= MAX_RETRY_AFTER_S:
        message = f"Every channel for {resolution.model} rests: {_ended(why)} Please try again in {seconds}s."
        return APIError(ErrorKind.RATE_LIMIT, message, 429, code="rate_limit_exceeded", retry_after=seconds)
    enable = f"`axonhub channel enable {found.resting[0] if found.resting else 'NAME'}`"
    message = f"No channel for {resolution.model} is free soon: {_ended(why)} {enable} ends a rest."
    if found.cause is ErrorKind.AUTHENTICATION:
        return APIError(ErrorKind.BAD_GATEWAY, message, 502, code="upstream_auth")
    if found.cause is ErrorKind.QUOTA:
        return APIError(ErrorKind.QUOTA, message, 429, code="insufficient_quota")
    return APIError(
        ErrorKind.OVERLOADED, message, 503, code="server_is_overloaded", retry_after=float(MAX_RETRY_AFTER_S)
    )


def _refusal(channel: Channel, resolution: Resolution, profile: Profile | None) -> str | None:
    if resolution.denied:
        return resolution.reason
    if not channel.enabled:
        return "disabled"
    if resolution.channel is not None and channel.name != resolution.channel:
        return f"the rule pins {resolution.channel}"
    if profile and profile.channels and channel.name not in profile.channels:
        return f"profile {profile.name} does not list it"
    if profile and profile.tags and not set(profile.tags) & set(channel.tags):
        return f"has none of the tags of profile {profile.name} ({', '.join(profile.tags)})"
    if channel.models and resolution.model not in channel.models:
        return f"does not offer {resolution.model}"
    return None


def _no_embeddings(channel: Channel, protocols: tuple[str, ...]) -> str | None:
    if channel.type == "demo":
        return "the demo model makes no embeddings"
    return None if _EMBEDDING.intersection(protocols) else f"speaks {protocols[0]}, which has no /embeddings"


def _option(
    channel: Channel, resolution: Resolution, binding: Binding | None, *, health: Health, now: float, seed: str
) -> _Option | Rest:
    rest = health.channel_rest(channel, resolution.model, now)
    keys = _usable_keys(channel, resolution.model, health, now)
    if isinstance(keys, Rest):
        return keys
    bound = binding is not None and binding.channel_id == channel.id
    preferred = binding.upstream_key_id if binding is not None and bound else None
    ordered = sorted(keys, key=lambda key: (key.id != preferred, -_score(seed, key.id, 1)))
    foreign = resolution.channel is None and _foreign(channel, resolution.model)
    reason = _reason(channel, resolution, bound, rest, foreign)
    rank = (foreign, rest is not None, not bound, channel.priority, -_score(seed, channel.id, channel.weight))
    return _Option(Candidate(channel, tuple(ordered), reason), rank, bound)


def _foreign(channel: Channel, model: str) -> bool:
    row = CHANNEL_TYPES.get(channel.type)
    return not channel.models and row is not None and not row.serves(model)


def _usable_keys(channel: Channel, model: str, health: Health, now: float) -> tuple[UpstreamKey, ...] | Rest:
    ids: Iterable[str | None] = [key.id for key in channel.keys] or [None]
    rests = {key_id: health.key_rest(channel, key_id, model, now) for key_id in ids}
    resting = [rest for rest in rests.values() if rest is not None]
    if len(resting) == len(rests):
        return min(resting, key=lambda rest: rest.seconds)
    return tuple(key for key in channel.keys if rests[key.id] is None)


def _score(seed: str, name: str, weight: int) -> float:
    """Weighted rendezvous hashing: of several names, the highest score wins in proportion to the weights,
    and taking one away moves only what was its own. Logarithmic method of
    https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf"""
    if weight <= 0:
        return 0.0
    digest = hashlib.sha256(f"{seed}\0{name}".encode(errors="replace")).digest()
    point = (int.from_bytes(digest[:7], "big") + 1) / (2**56 + 1)  # never 0 or 1
    return -weight / math.log(point)


def _reason(channel: Channel, resolution: Resolution, bound: bool, rest: Rest | None, foreign: bool) -> str:
    words = []
    if bound:
        words.append("the trace is bound to it")
    if resolution.channel is not None:
        words.append("pinned by the rule")
    if foreign:
        words.append(f"last resort: {resolution.model} is no name of {channel.type}")
    else:
        words.append(f"offers {resolution.model}" if channel.models else "takes any model")
    words.append(f"priority {channel.priority}, weight {channel.weight}")
    if rest is not None:
        words.append(f"last for {math.ceil(rest.seconds)} s: {rest.reason}")
    return "; ".join(words)


def _common_cause(rests: Iterable[Rest]) -> ErrorKind | None:
    causes = {rest.cause for rest in rests}
    return causes.pop() if len(causes) == 1 else None


def _sentence(words: str) -> str:
    return _ended(words[:1].upper() + words[1:])


def _ended(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
