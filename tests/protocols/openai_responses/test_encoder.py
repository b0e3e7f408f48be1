from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import CompactedResponse

from axonhub_cli.llm.content import (
    CompactionPart,
    ImagePart,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.openai_responses import CODEC, COMPACT
from tests import golden

from .helpers import (
    answer,
    call,
    check_extra,
    check_order,
    check_response,
    done_items,
    events_of,
    function,
    load,
    request,
    stream,
)

TOOLS = [
    function("sum", count={"type": "integer"}, wait={"type": "number"}, cell={"type": "string"}, any={}),
    {"type": "custom", "name": "apply_patch"},
    {"type": "namespace", "name": "mcp__node", "description": "", "tools": [function("js")]},
    {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}},
    {"type": "local_shell"},
]
PATCH = "*** Begin Patch\n*** Add File: a.txt\n+é\n*** End Patch\n"
URL = {"url": "https://example.org", "title": "t", "start_index": 0, "end_index": 5}
EVERYTHING = [
    ReasoningPart("thought about it", id="rs_up", sealed="axh1.x"),
    ReasoningPart("", ("One.", "Two."), opaque={"openai_responses": {"encrypted_content": "g"}}),
    TextPart("Hello", annotations=({"type": "url_citation", "url_citation": URL},)),
    RefusalPart("No."),
    ToolCallPart("c1", "sum", '{"count":1000.0}'),
    ToolCallPart("c2", "apply_patch", json.dumps({"input": PATCH})),
    ToolCallPart("c3", "mcp__node__js", "{}"),
    ToolCallPart("c4", "tool_search", '{"query":"mail"}'),
    ToolCallPart("c5", "local_shell", '{"command":"ls -l","timeout_ms":5}'),
    OpaquePart("openai_responses", "web_search_call", {
        "id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"},
    }),
    ImagePart("data:image/png;base64,AAAA"),
]  # fmt: skip
USAGE = Usage(100, 60, 5, 40, 30)


def test_every_kind_of_part_fits_the_sdk_61() -> None:
    asked = request(tools=TOOLS, stream=True)
    events = stream(asked, answer(*EVERYTHING, kind=FinishKind.TOOL_CALLS, usage=USAGE))
    check_order(events)
    told = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    golden.check("openai_responses/every-kind-of-part.events.jsonl", told)
    final = events[-1]["response"]
    assert final["output"] == done_items(events)
    assert final["model"] == "asked-for"  # pitfall 55
    assert "end_turn" not in final  # pitfall 56
    whole = CODEC.encode_response(Response("up_1", "m", tuple(EVERYTHING), FinishReason(FinishKind.STOP), USAGE), asked)
    check_response(whole)
    without_ids = [{k: v for k, v in item.items() if k != "id"} for item in whole["output"]]
    assert without_ids == [{k: v for k, v in item.items() if k != "id"} for item in final["output"]]


def test_one_event_at_a_time_says_the_same() -> None:
    asked = request(tools=TOOLS)
    events = answer(*EVERYTHING, usage=USAGE)
    encoder = CODEC.stream_encoder(asked, "req_0a1b", 1_700_000_000)
    pieces = b"".join(encoder.encode([event]) for event in events)
    assert pieces == CODEC.stream_encoder(asked, "req_0a1b", 1_700_000_000).encode(events)


def test_ids_have_their_prefix_and_length_60() -> None:
    events = stream(request(tools=TOOLS), answer(*EVERYTHING), id="req_" + "x" * 90)
    ids = [item["id"] for item in done_items(events)]
    assert [id.split("_")[0] for id in ids] == ["rs", "rs", "msg", "msg", "fc", "ctc", "fc", "tsc", "lsh", "ws", "ig"]
    assert ids[0] == "rs_up"
    assert all(len(id) <= 64 for id in ids) and len(set(ids)) == len(ids)
    assert events[0]["response"]["id"].startswith("resp_") and len(events[0]["response"]["id"]) <= 64


def test_tools_come_back_as_declared_103_106_108_109() -> None:
    items = done_items(stream(request(tools=TOOLS), answer(*EVERYTHING)))
    calls = {item["call_id"]: item for item in items if "call_id" in item}
    assert calls["c1"]["arguments"] == '{"count":1000}'
    assert (calls["c2"]["type"], calls["c2"]["input"]) == ("custom_tool_call", PATCH)
    assert (calls["c3"]["namespace"], calls["c3"]["name"]) == ("mcp__node", "js")
    assert (calls["c4"]["execution"], calls["c4"]["arguments"]) == ("client", {"query": "mail"})
    assert calls["c5"]["action"] == {"type": "exec", "command": ["bash", "-lc", "ls -l"], "env": {}, "timeout_ms": 5}


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_patch_streams_unescaped_103(step: int) -> None:
    arguments = json.dumps({"input": PATCH})
    pieces = [arguments[at : at + step] for at in range(0, len(arguments), step)]
    events = stream(request(tools=TOOLS), call("apply_patch", arguments, *pieces))
    check_order(events)
    deltas = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == PATCH == done_items(events)[0]["input"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", "{}"),  # pitfall 6
        ("  ", "{}"),
        ('{"count": 4.0}', '{"count":4}'),
        ('{"wait": 1000.0}', '{"wait":1000}'),  # Codex declares numbers and reads integers
        ('{"wait": 0.5}', '{"wait": 0.5}'),
        ('{"cell": 4}', '{"cell":"4"}'),
        ('{"cell": 3.10}', '{"cell":"3.10"}'),
        ('{"cell": 1e400}', '{"cell": 1e400}'),
        ('{"wait": 1e9999999999999999999999}', '{"wait": 1e9999999999999999999999}'),
        ('{"wait": 1e300}', '{"wait": 1e300}'),
        ('{"cell": 4, "any": 0.1000000000000000055}', '{"cell":"4","any":0.1000000000000000055}'),
        ('{"any": 4.0, "new": 4.0}', '{"any": 4.0, "new": 4.0}'),
        ('{"cell": "x", ', '{"cell": "x", '),  # broken, but whole: the model reads the complaint (46)
    ],
)
def test_arguments_47(given: str, wanted: str) -> None:
    events = stream(request(tools=TOOLS), call("sum", given))
    assert done_items(events)[0]["arguments"] == wanted
    assert events[-1]["type"] == "response.completed"


def test_a_call_cut_by_the_end_is_never_done_46() -> None:
    arguments = '{"input": "*** Begin Patch\\n*** Add'
    for kind, terminal in ((FinishKind.LENGTH, "response.incomplete"), (FinishKind.ERROR, "response.failed")):
        events = stream(request(tools=TOOLS), call("apply_patch", arguments, kind=kind))
        assert events[-1]["type"] == terminal
        assert done_items(events) == []
    broken = call("sum", '{"count": ')[:-2]
    events = stream(request(tools=TOOLS), [*broken, StreamError(APIError(ErrorKind.BAD_GATEWAY, "cut"))])
    assert events[-1]["type"] == "response.failed" and done_items(events) == []


def test_a_broken_call_is_done_when_the_answer_goes_on() -> None:
    first = call("sum", "{")[:-1]
    events = [*first, PartStart(1, TextPart()), PartEnd(1, TextPart("x")), ResponseEnd(FinishReason(FinishKind.STOP))]
    found = stream(request(tools=TOOLS), events)
    check_order(found)
    assert [item["type"] for item in done_items(found)] == ["function_call", "message"]


def test_an_undeclared_tool_reaches_the_client_which_tells_the_model_48() -> None:
    asked = request(tools=[function("exec")])
    events = stream(asked, call("apply_patch", "{}"))
    check_order(events)
    assert events[-1]["type"] == "response.completed"
    whole = CODEC.encode_response(Response("r", "m", (ToolCallPart("c", "apply_patch", "{}"),)), asked)
    for item in (done_items(events)[0], whole["output"][0]):
        assert (item["type"], item["name"], item["arguments"]) == ("function_call", "apply_patch", "{}")


def test_a_call_without_a_name_42() -> None:
    events = stream(request(tools=TOOLS), call("", "{}"))
    assert events[-1]["type"] == "response.failed"
    named = [
        *call("", "{}")[:2],
        PartEnd(0, ToolCallPart("c", "sum", "{}")),
        ResponseEnd(FinishReason(FinishKind.STOP)),
    ]
    assert done_items(stream(request(tools=TOOLS), named))[0]["name"] == "sum"  # a late name


def test_a_call_without_an_id_39() -> None:
    events = stream(request(tools=TOOLS), answer(ToolCallPart("", "sum", "{}")))
    assert done_items(events)[0]["call_id"] == "call_0a1b_0"


def test_a_tool_only_turn_has_no_message_31() -> None:
    kinds = {event["type"] for event in stream(request(tools=TOOLS), call("sum", "{}"))}
    assert not any("content_part" in kind or "output_text" in kind for kind in kinds)


def test_reasoning_is_shown_as_a_summary_32() -> None:
    part = ReasoningPart("think")
    events = stream(request(), answer(part))
    assert [e["delta"] for e in events if e["type"] == "response.reasoning_summary_text.delta"] == ["think"]
    assert done_items(events)[0]["summary"] == [{"type": "summary_text", "text": "think"}]
    assert "content" not in done_items(events)[0]


def test_reasoning_with_a_summary_of_its_own() -> None:
    whole = ReasoningPart("raw", ("sum",))
    start = [ResponseStart("r", "m"), PartStart(0, ReasoningPart()), PartDelta(0, "sum", 0), PartDelta(0, "raw")]
    events = stream(request(), [*start, PartEnd(0, whole), ResponseEnd(FinishReason(FinishKind.STOP))])
    check_order(events)
    item = done_items(events)[0]
    assert item["summary"] == [{"type": "summary_text", "text": "sum"}]
    assert item["content"] == [{"type": "reasoning_text", "text": "raw"}]
    assert "response.reasoning_text.delta" in {event["type"] for event in events}


def test_usage_always_has_its_details_34_176() -> None:
    usage = stream(request(), answer(TextPart("x"), usage=USAGE))[-1]["response"]["usage"]
    assert usage == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5},
        "output_tokens": 40,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 140,
    }


def test_unknown_usage_is_estimated_and_grows_35() -> None:
    short = stream(request(input="a" * 400), answer(TextPart("x" * 40)))[-1]["response"]["usage"]
    long = stream(request(input="a" * 4000), answer(TextPart("x" * 400)))[-1]["response"]["usage"]
    assert 0 < short["total_tokens"] < long["total_tokens"]
    assert long["input_tokens"] >= 1000 and long["output_tokens"] >= 100
    half = stream(request(), answer(TextPart("x"), usage=Usage(output=7)))[-1]["response"]["usage"]
    assert half["output_tokens"] == 7 and half["input_tokens"] > 0


@pytest.mark.parametrize(
    ("kind", "type", "reason"),
    [
        (FinishKind.STOP, "response.completed", None),
        (FinishKind.LENGTH, "response.incomplete", "max_output_tokens"),
        (FinishKind.CONTENT_FILTER, "response.incomplete", "content_filter"),
        (FinishKind.ERROR, "response.failed", None),
    ],
)
def test_exactly_one_terminal_29(kind: FinishKind, type: str, reason: str | None) -> None:
    encoder = CODEC.stream_encoder(request(), "req_1", 1)
    events = events_of(encoder.encode(answer(TextPart("x"), kind=kind)))
    assert events[-1]["type"] == type
    assert (events[-1]["response"]["incomplete_details"] or {}).get("reason") == reason
    assert encoder.encode([StreamError(APIError(ErrorKind.TIMEOUT, "late"))]) == b""
    assert encoder.encode(answer(TextPart("again"))) == b""
    assert encoder.keepalive() == b""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (APIError(ErrorKind.CONTEXT_LENGTH, "too long"), "context_length_exceeded", "too long"),  # pitfall 139
        (
            APIError(ErrorKind.RATE_LIMIT, "slow down.", retry_after=1.2),
            "rate_limit_exceeded",
            "slow down. Please try again in 2s.",  # pitfall 138
        ),
        (
            APIError(ErrorKind.RATE_LIMIT, "slow", retry_after=900),
            "rate_limit_exceeded",
            "slow Please try again in 60s.",
        ),
        (APIError(ErrorKind.QUOTA, "empty"), "insufficient_quota", "empty"),  # pitfall 140
        (APIError(ErrorKind.OVERLOADED, "busy"), "server_is_overloaded", "busy"),
        (APIError(ErrorKind.INVALID_REQUEST, "bad"), "invalid_prompt", "bad"),
        (APIError(ErrorKind.BAD_GATEWAY, "cut"), "server_error", "cut"),
    ],
)
def test_errors_in_the_stream(error: APIError, code: str, message: str) -> None:
    events = stream(request(), [StreamError(error)])
    check_order(events)
    assert events[-1]["response"]["error"] == {"code": code, "message": message}
    assert events[-1]["response"]["usage"] is None  # pitfall 179


def test_partial_usage_of_a_failure_180() -> None:
    events = stream(request(), [ResponseStart("r", "m"), StreamError(APIError(ErrorKind.TIMEOUT, "t"), USAGE)])
    assert events[-1]["response"]["usage"]["total_tokens"] == 140


def test_keepalive_is_an_event_at_any_time_151() -> None:
    encoder = CODEC.stream_encoder(request(), "req_1", 1)
    (before,) = events_of(encoder.keepalive())
    assert before == {"type": "keepalive"}  # begins nothing
    data = encoder.encode([ResponseStart("", "m")]) + encoder.keepalive()
    for event in answer(TextPart("x")):
        data += encoder.encode([event]) + encoder.keepalive()
    check_order(events_of(data))
    assert len(events_of(encoder.keepalive() + b"")) == 0


def test_lone_surrogates_are_replaced() -> None:
    events = stream(request(), answer(TextPart("a\ud800b")))
    assert done_items(events)[0]["content"][0]["text"] == "a\ufffdb"


def compaction(**fields: Any) -> Any:
    return request(input=[{"role": "user", "content": "a"}, {"type": "compaction_trigger"}], **fields)


def test_compaction_is_exactly_one_item_131() -> None:
    parts = (ReasoningPart("hm"), TextPart("We did a."), TextPart("Then b."))
    events = stream(compaction(), answer(*parts))
    check_order(events)
    (item,) = done_items(events)
    assert (item["type"], item["encrypted_content"]) == ("compaction", "We did a.\n\nThen b.")
    assert events[-1]["response"]["output"] == [item]
    sealed = stream(compaction(), answer(CompactionPart("s", sealed="axh1.z")))
    assert done_items(sealed)[0]["encrypted_content"] == "axh1.z"


@pytest.mark.parametrize("bad", [answer(TextPart("half"), kind=FinishKind.LENGTH), answer(), call("sum", "{}")])
def test_compaction_never_takes_a_cut_or_empty_summary_131(bad: Any) -> None:
    events = stream(compaction(), bad)
    assert events[-1]["type"] == "response.failed" and done_items(events) == []


def test_the_compact_endpoint_130() -> None:
    asked = COMPACT.decode_request({"model": "m", "input": "a"})
    payload = COMPACT.encode_response(Response("r", "m", (TextPart("s"),), created=5), asked)
    model = CompactedResponse.model_validate(payload)
    check_extra(model)
    assert [item.type for item in model.output] == ["compaction"]


def test_a_custom_call_of_a_responses_upstream_stays_raw() -> None:
    part = ToolCallPart("c", "apply_patch", PATCH, ToolKind.CUSTOM)
    assert done_items(stream(request(tools=TOOLS), answer(part)))[0]["input"] == PATCH


def test_codex_real_request_gets_a_valid_stream() -> None:
    asked = CODEC.decode_request(load("codex-gpt-5.5-turn1-freeform-and-tool-search.request.json"))
    events = stream(asked, call("exec_command", '{"cmd":"ls","yield_time_ms":1000.0}'))
    check_order(events)
    assert done_items(events)[0]["arguments"] == '{"cmd":"ls","yield_time_ms":1000}'


def test_an_unfolded_answer_equals_its_stream() -> None:
    events = answer(TextPart("x"))
    with_delta = stream(request(), events)
    without = stream(request(), [event for event in events if not isinstance(event, PartDelta)])
    assert with_delta == without
