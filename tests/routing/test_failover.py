from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.routing import failover
from axonhub_cli.routing.failover import Action, AttemptState, Fault, client_error, decide
from axonhub_cli.server.limits import Limits

K = ErrorKind


def error(
    kind: ErrorKind, status: int, code: str | None = None, wait: float | None = None, text: str = "x"
) -> APIError:
    return APIError(kind, text, status, code=code, retry_after=wait, upstream=True)


# reliability table: error, (first action alone, then with others around), what the client is told
TABLE: list[tuple[str, APIError, str, str, tuple[Any, ...]]] = [
    ("refused", error(K.BAD_GATEWAY, 502, Fault.CONNECT), "stop", "next_channel", (503, "server_is_overloaded", 2)),
    ("tls", error(K.BAD_GATEWAY, 502, Fault.TLS), "stop", "next_channel", (502, "tls_failed", None)),
    ("stale", error(K.BAD_GATEWAY, 502, Fault.STALE), "retry", "retry", (502, "stale_connection", None)),
    ("reset", error(K.BAD_GATEWAY, 502, Fault.RESET), "retry", "retry", (502, "connection_reset", None)),
    ("slow", error(K.TIMEOUT, 504, Fault.SLOW), "stop", "next_channel", (504, "upstream_timeout", None)),
    ("3xx", error(K.BAD_GATEWAY, 302, Fault.REDIRECT), "stop", "next_channel", (502, "redirected", None)),
    ("html", error(K.BAD_GATEWAY, 200, Fault.NOT_AN_API), "stop", "next_channel", (502, "not_an_api", None)),
    ("400", error(K.INVALID_REQUEST, 400), "stop", "stop", (400, None, None)),
    ("422", error(K.INVALID_REQUEST, 422), "stop", "stop", (422, None, None)),
    ("413", error(K.TOO_LARGE, 413), "stop", "stop", (413, None, None)),
    ("long", error(K.CONTEXT_LENGTH, 400, "c"), "stop", "stop", (400, "c", None)),
    ("401", error(K.AUTHENTICATION, 401), "stop", "next_key", (502, "upstream_auth", None)),
    ("403", error(K.PERMISSION, 403), "stop", "next_key", (502, "upstream_auth", None)),
    ("402", error(K.QUOTA, 402), "stop", "next_key", (429, "insufficient_quota", None)),
    ("quota", error(K.QUOTA, 429, "usage_limit_reached", 99), "stop", "next_key", (429, "usage_limit_reached", None)),
    ("model", error(K.NOT_FOUND, 404, text="no such model"), "stop", "next_channel", (404, "model_not_found", None)),
    ("azure", error(K.NOT_FOUND, 404, "DeploymentNotFound"), "stop", "next_channel", (404, "DeploymentNotFound", None)),
    ("or", error(K.NOT_FOUND, 404, text="no endpoints found"), "stop", "next_channel", (404, "model_not_found", None)),
    ("path", error(K.NOT_FOUND, 404, text="<html>"), "stop", "next_channel", (502, None, None)),
    ("408", error(K.TIMEOUT, 408), "retry", "retry", (503, "server_is_overloaded", 2)),
    ("409", error(K.INVALID_REQUEST, 409), "retry", "retry", (503, "server_is_overloaded", 2)),
    ("429 soon", error(K.RATE_LIMIT, 429, wait=2.5), "retry", "next_key", (429, None, 3)),
    ("429 late", error(K.RATE_LIMIT, 429, wait=300), "stop", "next_key", (429, None, 60)),
    ("429 bare", error(K.RATE_LIMIT, 429), "stop", "next_key", (429, None, 2)),
    ("500", error(K.SERVER_ERROR, 500), "retry", "retry", (503, "server_is_overloaded", 2)),
    ("529", error(K.OVERLOADED, 529), "retry", "retry", (503, "server_is_overloaded", 2)),
    ("529 soon", error(K.OVERLOADED, 529, wait=2.5), "retry", "next_channel", (503, "server_is_overloaded", 3)),
    ("529 late", error(K.OVERLOADED, 529, wait=7), "stop", "next_channel", (503, "server_is_overloaded", 7)),
    ("502", error(K.BAD_GATEWAY, 502), "retry", "retry", (502, None, None)),
    ("gone", error(K.CANCELED, 499), "stop", "stop", (499, None, None)),
]


@pytest.mark.parametrize(("failure", "alone", "among", "told"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_the_table(failure: APIError, alone: str, among: str, told: tuple[Any, ...]) -> None:
    assert decide(failure, AttemptState()).action == alone
    assert decide(failure, AttemptState(other_keys=True, other_channels=True)).action == among
    answer = client_error(failure)
    assert (answer.status, answer.code, answer.retry_after) == told
    assert "x" in answer.message or answer.message == failure.message


@pytest.mark.parametrize("row", TABLE, ids=[r[0] for r in TABLE])
def test_never_again_after_commit_nor_beyond_the_budget(row: tuple[Any, ...]) -> None:
    for state in (
        AttemptState(committed=True, other_keys=True, other_channels=True),
        AttemptState(attempts=4, other_keys=True, other_channels=True),
        AttemptState(elapsed=90, channels=2, other_keys=True, other_channels=True),
        AttemptState(elapsed=90),
    ):
        assert decide(row[1], state).action is Action.STOP


def test_a_first_channel_that_outlasts_the_budget_leaves_the_next_its_chance() -> None:
    limits = Limits()
    assert limits.first_output_s > failover.BUDGET_S and limits.first_byte_whole_s > failover.BUDGET_S
    for failure in (error(K.TIMEOUT, 504, Fault.SLOW), error(K.SERVER_ERROR, 500), error(K.TIMEOUT, 524)):
        late = AttemptState(elapsed=limits.first_byte_whole_s, other_channels=True)
        assert decide(failure, late).action is Action.NEXT_CHANNEL
        assert decide(failure, replace(late, attempts=2, channels=2)).action is Action.STOP


@pytest.mark.parametrize("row", TABLE, ids=[r[0] for r in TABLE])
def test_one_channel_is_called_at_most_twice(row: tuple[Any, ...]) -> None:
    second = decide(row[1], AttemptState(attempts=2, here=2, other_channels=True))
    assert second.action in (Action.NEXT_CHANNEL, Action.STOP)
    assert decide(row[1], AttemptState(attempts=2, here=2)).action is Action.STOP


@pytest.mark.parametrize("row", [row for row in TABLE if row[3] in ("retry", "next_key")], ids=lambda row: row[0])
def test_the_last_call_is_for_a_channel_that_was_not_asked_yet(row: tuple[Any, ...]) -> None:
    third = AttemptState(attempts=3, other_keys=True, other_channels=True)
    assert decide(row[1], third).action is Action.NEXT_CHANNEL
    assert decide(row[1], replace(third, channels=3)).action == row[3]


def test_our_own_refusals_are_final() -> None:
    ours = APIError(K.RATE_LIMIT, "key limit", 429, retry_after=1)
    assert decide(ours, AttemptState(other_channels=True)).action is Action.STOP
    assert client_error(ours) == ours


def test_no_more_than_three_channels() -> None:
    failure = error(K.TIMEOUT, 504, Fault.SLOW)
    assert decide(failure, AttemptState(attempts=3, channels=3, other_channels=True)).action is Action.STOP


def test_rests() -> None:
    def rest(failure: APIError, **state: Any) -> tuple[float, float, bool, bool]:
        d = decide(failure, AttemptState(**state))
        return d.rest_key_s, d.rest_channel_s, d.rest_model_only, d.penalize

    assert rest(error(K.AUTHENTICATION, 401)) == (600, 0, False, False)
    assert rest(error(K.QUOTA, 429)) == (900, 0, False, False)
    assert rest(error(K.QUOTA, 429, wait=7200)) == (7200, 0, False, False)
    assert rest(error(K.RATE_LIMIT, 429, wait=0.2), here=2) == (1, 0, True, False)
    assert rest(error(K.RATE_LIMIT, 429, wait=9e9)) == (3600, 0, True, False)
    assert rest(error(K.RATE_LIMIT, 429), strikes=3) == (16, 0, True, False)
    assert rest(error(K.NOT_FOUND, 404, "model_not_found")) == (0, 600, True, False)
    assert rest(error(K.SERVER_ERROR, 500), here=2) == (0, 0, False, True)
    assert rest(error(K.BAD_GATEWAY, 502, Fault.STALE), here=2) == (0, 0, False, False)
    assert rest(error(K.CANCELED, 499)) == (0, 0, False, False)  # pitfall 146
    assert rest(error(K.INVALID_REQUEST, 400)) == (0, 0, False, False)
    # A retry in place rests nothing yet; a failure after output still counts.
    assert rest(error(K.SERVER_ERROR, 500)) == (0, 0, False, False)
    assert rest(error(K.SERVER_ERROR, 500), committed=True) == (0, 0, False, True)


def test_a_path_that_not_every_server_has_says_nothing_about_one() -> None:
    for failure in (error(K.NOT_FOUND, 404), error(K.INVALID_REQUEST, 405)):
        assert decide(failure, AttemptState(other_channels=True)).penalize
        decision = decide(failure, AttemptState(other_channels=True, extra=True))
        assert (decision.action, decision.penalize) == (Action.NEXT_CHANNEL, False)
    assert decide(error(K.SERVER_ERROR, 500), AttemptState(here=2, extra=True)).penalize


def test_back_off_is_short_and_jittered() -> None:
    failure = error(K.SERVER_ERROR, 500)
    assert decide(failure, AttemptState(chance=1.0)).delay == 0.5
    assert decide(failure, AttemptState(chance=0.0)).delay == 0
    assert decide(error(K.BAD_GATEWAY, 502, Fault.STALE), AttemptState()).delay == 0


@pytest.mark.parametrize(("status", "kind"), [(503, K.SERVER_ERROR), (529, K.OVERLOADED), (408, K.TIMEOUT)])
def test_whoever_names_a_time_is_not_asked_before_it(status: int, kind: ErrorKind) -> None:
    assert decide(error(kind, status, wait=2.5), AttemptState()).delay == 2.5
    assert decide(error(kind, status, wait=0), AttemptState()).delay == 0.5
    assert decide(error(kind, status, wait=2.5), AttemptState(elapsed=89)).action is Action.STOP
    late = decide(error(kind, status, wait=7), AttemptState(other_channels=True))
    assert (late.action, late.delay) == (Action.NEXT_CHANNEL, 0)


@pytest.mark.parametrize("wait", [float("inf"), float("nan"), -5.0, 0.0, 1e12])
def test_the_wait_we_tell_is_whole_seconds(wait: float) -> None:  # pitfall 138
    told = client_error(error(K.RATE_LIMIT, 429, wait=wait)).retry_after
    assert told is not None and told == int(told) and 1 <= told <= 60
