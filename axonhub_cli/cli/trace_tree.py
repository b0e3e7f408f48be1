"""`traces show` for people: a trace as a tree of requests, attempts, losses and what was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from axonhub_cli.catalog import another_model
from axonhub_cli.cli.conversation import Entry, Once, Said
from axonhub_cli.cli.output import Node
from axonhub_cli.cli.text import count, local_time, money, span
from axonhub_cli.cli.trace_rows import STYLES, input_text, models, outcome, output_text
from axonhub_cli.entities import AttemptRecord, LossRecord, RequestRecord

# (lines, characters) shown of one entry; the rest is a remark. Instructions and results are long and rarely the point.
_LIMITS = {"system": (4, 400), "developer": (4, 400), "tool": (14, 1400), "client": (3, 400)}
_LIMIT = (60, 6000)
_LABELS = {"tool_call": "calls", "tool_result": "result", "tools": "tools"}
_ENTRY_STYLES = {"reasoning": "dim", "tool_call": "magenta", "tool_result": "dim", "tools": "dim", "refusal": "yellow"}
_ROLE_STYLES = {"system": "dim", "developer": "dim", "user": "bold", "assistant": "cyan"}


class Shown(Struct, frozen=True):
    """One request with everything known of it."""

    record: RequestRecord
    attempts: tuple[AttemptRecord, ...] = ()
    said: Said = Said()


def trace_tree(requests: Sequence[Shown], *, now_ms: int, of_thread: str | None = None) -> Node:
    """All requests of a trace, or only those `of_thread`, oldest first; each message once."""
    once = Once()
    news = [Shown(each.record, each.attempts, once.news(each.record.thread_id, each.said)) for each in requests]
    threads = list(dict.fromkeys(each.record.thread_id for each in requests))
    before = (None, *(each.record for each in requests))
    children = tuple(
        request_tree(each, now_ms=now_ms, thread=_thread(each.record, threads), before=earlier)
        for each, earlier in zip(news, before, strict=False)
    )
    trace = requests[0].record.trace_id
    title = f"trace {trace}" if of_thread is None else f"thread {of_thread} of trace {trace or '-'}"
    return Node(f"{title}\n{_sums([each.record for each in requests], now_ms)}", "bold", children)


def request_tree(shown: Shown, *, now_ms: int, thread: str = "", before: RequestRecord | None = None) -> Node:
    """One request with its attempts, its losses (unless as in the request `before`) and what was said."""
    record = shown.record
    children = [
        *_attempts(shown.attempts, record.losses),
        *_another(record),
        *_losses(record.losses, before.losses if before else ()),
        *(Node(problem, "yellow") for problem in shown.said.problems),
        *_talk(shown.said),
    ]
    if record.error:
        children.append(Node(f"error{f' ({record.error_kind})' if record.error_kind else ''}: {record.error}", "red"))
    return Node(_headline(record, now_ms, thread), STYLES[str(record.status)], tuple(children))


def _headline(record: RequestRecord, now_ms: int, thread: str) -> str:
    where = f" on {record.channel} ({record.upstream_protocol})" if record.channel else ""
    first = f"{record.id}  {local_time(record.started_at, now_ms=now_ms)}  {models(record)}{where}"
    facts = [
        outcome(record),
        f"first output {span(record.ttft_ms)}",
        f"total {span(record.duration_ms)}",
        f"in {input_text(record)}",
        f"out {output_text(record)}{_reasoning(record)}",
        f"cost {money(record.cost_usd)}",
    ]
    origin = [
        *([thread] if thread else []),
        *([f"key {record.key}"] if record.key else []),
        *([f"rule {record.rule}"] if record.rule else []),
        *([record.operation] if record.operation != "generate" else []),
    ]
    return "\n".join([first, "  ".join(facts), *(["  ".join(origin)] if origin else [])])


def _reasoning(record: RequestRecord) -> str:
    return f" ({count(record.reasoning_tokens)} reasoning)" if record.reasoning_tokens else ""


def _thread(record: RequestRecord, threads: list[str | None]) -> str:
    if record.subagent:
        return f"sub-agent {record.subagent}, thread {record.thread_id}"
    return f"thread {record.thread_id}" if len(threads) > 1 and record.thread_id else ""


def _another(record: RequestRecord) -> Iterable[Node]:
    """Pitfall 143."""
    if another_model(record.upstream_model or "", record.served_model):
        words = f"another model answered: {record.served_model}, where {record.upstream_model} was asked for"
        yield Node(words, "yellow")


def _attempts(attempts: Iterable[AttemptRecord], told: Sequence[LossRecord]) -> Iterable[Node]:
    """`told`: the losses of the request, which are not said twice."""
    for attempt in attempts:
        status = str(attempt.status) if attempt.http_status is None else f"{attempt.status} {attempt.http_status}"
        head = f"attempt {attempt.number}: {attempt.channel} {attempt.upstream_model} ({attempt.upstream_protocol})"
        tail = f"{status}  first output {span(attempt.ttft_ms)}  total {span(attempt.duration_ms)}"
        children = [Node(f"because: {attempt.reason}", "dim")] if attempt.reason else []
        if attempt.error:
            children.append(Node(f"{attempt.error_kind or 'error'}: {attempt.error}", "red"))
        if attempt.upstream_request_id:
            children.append(Node(f"upstream's request id: {attempt.upstream_request_id}", "dim"))
        if list(attempt.losses) != list(told):
            children += _losses(attempt.losses, ())
        yield Node(f"{head}  {tail}", STYLES[str(attempt.status)], tuple(children))


def _losses(losses: Sequence[LossRecord], before: Sequence[LossRecord]) -> Iterable[Node]:
    if losses and list(losses) == list(before):
        yield Node(f"not passed on: {len(losses)} as in the request before", "yellow")
    elif losses:
        lines = tuple(Node(f"{loss.field}: {loss.reason}", "yellow") for loss in losses)
        yield Node("not passed on", "yellow", lines)


def _talk(said: Said) -> Iterable[Node]:
    if said.repeated:
        yield Node(f"({said.repeated} earlier message{'' if said.repeated == 1 else 's'}, shown above)", "dim")
    for entry in (*said.heard, *said.answered):
        label = _LABELS.get(entry.kind, "" if entry.kind == "text" else entry.kind)
        role = "" if entry.kind == "tools" else entry.role
        head = " ".join(word for word in (role, label, entry.name) if word)
        style = _ENTRY_STYLES.get(entry.kind, _ROLE_STYLES.get(entry.role, ""))
        text = _clipped(entry)
        yield Node(_labelled(head, text), style)


def _labelled(head: str, text: str) -> str:
    if not text:
        return head
    return f"{head}:{text}" if text.startswith("\n") else f"{head}: {text}"


def _clipped(entry: Entry) -> str:
    lines, characters = _LIMITS.get(entry.role, _LIMIT)
    text = entry.text.rstrip()
    shown = "\n".join(text[:characters].split("\n")[:lines]).rstrip()
    left = len(text) - len(shown)
    if left <= 0:
        return shown if "\n" not in shown else f"\n{shown}"
    body = f"{shown} … ({left} more characters)"
    return f"\n{body}" if "\n" in body else body


def _sums(records: Sequence[RequestRecord], now_ms: int) -> str:
    def total(name: str) -> int | None:
        known = [value for record in records if (value := getattr(record, name)) is not None]
        return sum(known) if known else None

    costs = [record.cost_usd for record in records if record.cost_usd is not None]
    asked, cached = total("input_tokens"), total("cached_tokens")
    share = f" ({100 * cached // asked}% cached)" if asked and cached else ""
    begin, end = records[0].started_at, max(record.finished_at or record.started_at for record in records)
    number = f"{len(records)} request{'' if len(records) == 1 else 's'}"
    known = "" if len(costs) in (0, len(records)) else " (of those known)"
    words = [
        number,
        f"{local_time(begin, now_ms=now_ms)} to {local_time(end, now_ms=now_ms)}",
        f"in {count(asked)}{share}",
        f"out {count(total('output_tokens'))}",
        f"cost {money(sum(costs) if costs else None)}{known}",
    ]
    return "  ".join(words)
