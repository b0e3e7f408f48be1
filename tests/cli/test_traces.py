import json

import msgspec
import pytest

from axonhub_cli.entities import AttemptRecord, Body, LossRecord, RequestRecord, RequestStatus
from axonhub_cli.llm.content import ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.response import Response
from axonhub_cli.routing.affinity import clean_id
from tests.cli.conftest import AXONHUB
from tests.cli.test_output import in_terminal

NOW = 1_600_000_000_000
CONTRACT = {
    *("request_id", "trace_id", "thread_id", "started_at", "key", "profile", "client_protocol", "client_model"),
    *("upstream_model", "channel", "upstream_protocol", "stream", "status", "http_status", "error", "attempts"),
    *("ttft_ms", "duration_ms", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd"),
    "losses",
}


def record(number, **fields):
    """A finished request; its id sorts by `number`."""
    given = {
        "started_at": NOW + number * 1000,
        "client_protocol": "openai_responses",
        "operation": "generate",
        "status": RequestStatus.COMPLETED,
        "finished_at": NOW + number * 1000 + 500,
        "trace_id": "trace-1",
        "key": "codex",
        "profile": "work",
        "rule": "work rule 1: gpt-5 → deepseek-chat",
        "client_model": "gpt-5",
        "upstream_model": "deepseek-chat",
        "channel": "deepseek",
        "upstream_protocol": "openai_chat",
        "stream": True,
        "http_status": 200,
        "attempts": 1,
        "ttft_ms": 120,
        "duration_ms": 500,
        "input_tokens": 1000,
        "cached_tokens": 900,
        "output_tokens": 50,
        "cost_usd": 0.0012,
    }
    return RequestRecord(id=f"req_{number:04d}", **(given | fields))


def user(text):
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def asked(*items):
    tools = [{"type": "function", "name": "exec_command", "parameters": {"type": "object"}, "strict": False}]
    return Body(
        "request", json.dumps({"model": "gpt-5", "input": list(items), "tools": tools, "stream": True}).encode()
    )


def told(*parts):
    return Body("response", msgspec.json.encode(Response("r", "m", parts)))


CALL = ToolCallPart("call_1", "exec_command", '{"cmd": "ls"}')


@pytest.fixture
def conversation(store):
    """Two turns: a call and its report. The second repeats the first, as Codex does."""
    second = [
        user("list the files"),
        {"type": "reasoning", "summary": [], "encrypted_content": "axh1.xyz"},
        {"type": "function_call", "call_id": "call_1", "name": "exec_command", "arguments": '{"cmd": "ls"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "README\x1b[31m.md"},
    ]
    attempts = [
        AttemptRecord(
            *("att_1", "req_0001", 1, "kimi", "openai_chat", "kimi-k2", "priority 0, weight 100", NOW + 1000),
            status=RequestStatus.FAILED,
            http_status=429,
            error="slow down",
            error_kind="rate_limit",
            duration_ms=40,
        ),
        AttemptRecord(
            *("att_2", "req_0001", 2, "deepseek", "openai_chat", "deepseek-chat", "priority 1, weight 100", NOW + 1050),
            status=RequestStatus.COMPLETED,
            http_status=200,
            ttft_ms=70,
            duration_ms=450,
        ),
    ]
    losses = (LossRecord("include", "Chat Completions has no word for it"),)
    store.traces.save(
        [record(1, attempts=2, losses=losses), record(2, reasoning_tokens=20)],
        attempts,
        [
            ("req_0001", asked(user("list the files"))),
            ("req_0001", told(ReasoningPart(text="I should look."), CALL)),
            ("req_0002", asked(*second)),
            ("req_0002", told(TextPart("There is README.md."))),
        ],
    )
    return store


def test_list_has_the_names_of_the_contract(cli, store):
    store.traces.save([record(1), record(2, status=RequestStatus.RUNNING, finished_at=None, cost_usd=None)])
    rows = cli("traces", "list", "--json").json
    assert [row["request_id"] for row in rows] == ["req_0002", "req_0001"]
    assert set(rows[0]) >= CONTRACT
    assert (rows[0]["status"], rows[0]["cost_usd"], rows[0]["reasoning_tokens"]) == ("running", None, None)
    assert rows[1]["started_at"] == "2020-09-13T12:26:41.000Z"


def test_list_for_people(cli, store):
    store.traces.save([record(1), record(2, status=RequestStatus.FAILED, http_status=502, upstream_model="gpt-5")])
    assert cli("traces", "list").out == (
        "STARTED              REQUEST   TRACE    KEY    MODEL                  CHANNEL   STATUS"
        "        IN  CACHED  OUT     COST   TIME\n"
        "2020-09-13 12:26:42  req_0002  trace-1  codex  gpt-5                  deepseek  failed 502"
        "  1.0k     900   50  $0.0012  500ms\n"
        "2020-09-13 12:26:41  req_0001  trace-1  codex  gpt-5 → deepseek-chat  deepseek  ok"
        "          1.0k     900   50  $0.0012  500ms\n"
    )


def test_filters(cli, store):
    store.traces.save(
        [
            record(1),
            record(2, key="other", client_model="o4", upstream_model="x"),
            record(3, channel="kimi", trace_id="t2"),
            record(4, status=RequestStatus.FAILED),
        ]
    )

    def ids(*arguments):
        listed = [row["request_id"][-1] for row in cli("traces", "list", "--json", *arguments).json]
        tailed = cli("traces", "tail", "--no-follow", "--json", *arguments).out.splitlines()
        assert [json.loads(line)["request_id"][-1] for line in tailed] == listed[::-1]
        return "".join(listed)

    assert ids("--key", "other") == "2"
    assert ids("--channel", "kimi") == "3"
    assert ids("--model", "deepseek-chat") == "431"
    assert ids("--model", "o4") == "2"
    assert ids("--status", "failed") == "4"
    assert ids("--trace", "t2") == "3"
    assert ids("--trace", "nothing") == ""


def test_limits(cli, store):
    store.traces.save([record(number) for number in range(9)])
    assert len(cli("traces", "list", "--limit", "2", "--json").json) == 2
    assert cli("traces", "list", "--since", "1h", "--json").json == []  # all are of 2020
    assert cli("traces", "tail", "--no-follow", "-n", "3").out.count("\n") == 3
    assert cli("traces", "tail", "--no-follow", "-n", "0").out == ""
    assert "is no duration" in cli("traces", "list", "--since", "soon", code=2).err


def test_nothing_yet(cli):
    assert cli("traces", "list") == (0, "", "no requests yet, or none that match\n")
    assert cli("traces", "tail", "--no-follow") == (0, "", "")
    assert cli("traces", "list", "--json").out == "[]\n"
    done = cli("traces", "show", "req_nope", code=1)
    assert done.err == "error: no trace or request begins with 'req_nope'\nhint: axonhub traces list shows them.\n"


def test_show_a_trace_as_a_tree(cli, conversation):
    assert cli("traces", "show", "trace-1").out == (
        "trace trace-1\n"
        "2 requests  2020-09-13 12:26:41 to 2020-09-13 12:26:42  in 2.0k (90% cached)  out 100  cost $0.0024\n"
        "├── req_0001  2020-09-13 12:26:41  gpt-5 → deepseek-chat on deepseek (openai_chat)\n"
        "│   ok  first output 120ms  total 500ms  in 1.0k (90% cached)  out 50  cost $0.0012\n"
        "│   key codex  rule work rule 1: gpt-5 → deepseek-chat\n"
        "│   ├── attempt 1: kimi kimi-k2 (openai_chat)  failed 429  first output -  total 40ms\n"
        "│   │   ├── because: priority 0, weight 100\n"
        "│   │   └── rate_limit: slow down\n"
        "│   ├── attempt 2: deepseek deepseek-chat (openai_chat)  completed 200  first output 70ms  total 450ms\n"
        "│   │   └── because: priority 1, weight 100\n"
        "│   ├── not passed on\n"
        "│   │   └── include: Chat Completions has no word for it\n"
        "│   ├── tools exec_command\n"
        "│   ├── user: list the files\n"
        "│   ├── assistant reasoning: I should look.\n"
        '│   └── assistant calls exec_command: {"cmd": "ls"}\n'
        "└── req_0002  2020-09-13 12:26:42  gpt-5 → deepseek-chat on deepseek (openai_chat)\n"
        "    ok  first output 120ms  total 500ms  in 1.0k (90% cached)  out 50 (20 reasoning)  cost $0.0012\n"
        "    key codex  rule work rule 1: gpt-5 → deepseek-chat\n"
        "    ├── (3 earlier messages, shown above)\n"
        "    ├── tool result: README\\e[31m.md\n"
        "    └── assistant: There is README.md.\n"
    )


def test_every_calls_losses_and_another_model_at_80_columns(cli, store):  # pitfall 143
    told = (LossRecord("tools.web_search", "Chat Completions has no tool of this kind that the vendor runs by itself"),)
    first = (LossRecord("input.reasoning", "the upstream could not read its state"),)
    calls = [
        AttemptRecord(*(f"att_{n}", "req_0001", n, name, "openai_chat", "v4", "priority 0", NOW), losses=losses)
        for n, name, losses in ((1, "kimi", first), (2, "deepseek", told))
    ]
    store.traces.save([record(1, upstream_model="v4", served_model="v4-mini", attempts=2, losses=told)], calls)
    shown = in_terminal([AXONHUB, "traces", "show", "req_0001"])
    assert 60 < max(map(len, shown.splitlines())) <= 80
    plain = " ".join(shown.replace("│", " ").split())
    assert "another model answered: v4-mini, where v4 was asked for" in plain
    assert plain.count("tools.web_search: Chat Completions has no tool of this kind that the vendor runs") == 1
    assert plain.index("attempt 1") < plain.index("input.reasoning: the upstream could") < plain.index("attempt 2")
    rows = cli("traces", "show", "req_0001", "--json").json["attempt_details"]
    assert [row["losses"][0]["field"] for row in rows] == ["input.reasoning", "tools.web_search"]


@pytest.mark.parametrize("operation", ["count_tokens", "compact", "embeddings"])
def test_losses_of_every_kind_of_request_are_shown(cli, store, operation):
    losses = (LossRecord("messages.thinking.signature", "made for another channel"),)
    store.traces.save([record(1, operation=operation, losses=losses)])
    shown = cli("traces", "show", "req_0001").out
    assert operation in shown and "messages.thinking.signature: made for another channel" in shown


def test_what_was_to_be_embedded_is_shown(cli, store):
    body = Body("request", json.dumps({"model": "m", "input": ["first text", "second text"]}).encode())
    only = record(1, operation="embeddings", client_protocol="openai_chat", trace_id=None)
    store.traces.save([only], [], [("req_0001", body)])
    shown = cli("traces", "show", "req_0001").out
    assert "user: first text" in shown and "user: second text" in shown and "cannot be read" not in shown


def test_losses_that_repeat_are_counted_only(cli, store):
    losses = (LossRecord("include", "no word for it"), LossRecord("tools.web_search", "not run"))
    store.traces.save([record(1, losses=losses), record(2, losses=losses), record(3, losses=losses[:1])])
    shown = cli("traces", "show", "trace-1").out
    assert shown.count("web_search") == 1
    assert shown.count("not passed on: 2 as in the request before") == 1
    assert shown.count("include: no word for it") == 2
    assert "web_search" in cli("traces", "show", "req_0002").out


def test_show_a_trace_as_json(cli, conversation):
    shown = cli("traces", "show", "trace", "--json").json
    assert (shown["trace_id"], shown["input_tokens"], shown["reasoning_tokens"]) == ("trace-1", 2000, 20)
    first, second = shown["requests"]
    assert set(first) >= CONTRACT
    assert [attempt["error_kind"] for attempt in first["attempt_details"]] == ["rate_limit", None]
    assert first["losses"] == [{"field": "include", "reason": "Chat Completions has no word for it"}]
    assert [each["type"] for each in first["reply"]] == ["reasoning", "tool_call"]
    assert first["reply"][1]["name"] == "exec_command"
    assert [each["text"] for each in second["messages"]] == ["README\x1b[31m.md"]
    assert second["repeated_messages"] == 3


def test_show_one_request_has_all_of_it(cli, conversation):
    shown = cli("traces", "show", "req_0002").out
    assert shown.startswith("req_0002  2020-09-13 12:26:42  gpt-5 → deepseek-chat")
    assert "user: list the files" in shown
    row = cli("traces", "show", "req_0002", "--json").json
    assert [each["type"] for each in row["messages"]] == ["tools", "text", "tool_call", "tool_result"]


def test_show_raw(cli, conversation):
    done = cli("traces", "show", "req_0001", "--raw")
    assert json.loads(done.out.splitlines()[0])["input"][0]["content"][0]["text"] == "list the files"
    assert done.err == "--- req_0001 request\n--- req_0001 response\n"
    rows = cli("traces", "show", "trace-1", "--raw", "--json").json
    assert [(row["request_id"], row["kind"]) for row in rows] == [
        ("req_0001", "request"),
        ("req_0001", "response"),
        ("req_0002", "request"),
        ("req_0002", "response"),
    ]


def test_raw_bodies_stay_json(cli, store):
    # Commands to a terminal that may stand in JSON as they are: DEL, C1, direction, the tags in the flag of England.
    said = "\x7f \x9b31m \u202e 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    body = json.dumps({"input": said}, ensure_ascii=False, indent="\t").replace("\n", "\r\n")
    store.traces.save([record(1)], (), [("req_0001", Body("request", body.encode()))])
    shown = cli("traces", "show", "req_0001", "--raw").out
    assert json.loads(shown) == {"input": said}
    assert "\x7f" not in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_whatever_the_encoding(program, store, encoding):
    said = "é → 🚀 \x7f"
    body = json.dumps({"input": said}, ensure_ascii=False).encode()
    store.traces.save([record(1, client_model=said)], (), [("req_0001", Body("request", body))])
    assert program("traces", "list", "--json", PYTHONIOENCODING=encoding).json[0]["client_model"] == said
    assert program("traces", "show", "req_0001", "--raw", PYTHONIOENCODING=encoding).json == {"input": said}


def test_words_said_twice_are_shown_twice(cli, store):
    store.traces.save(
        [record(1), record(2)],
        (),
        [
            ("req_0001", asked(user("go on"))),
            ("req_0001", told(TextPart("ok"))),
            ("req_0002", asked(user("go on"), {"role": "assistant", "content": "ok"}, user("go on"))),
            ("req_0002", told(TextPart("ok"))),
        ],
    )
    shown = cli("traces", "show", "trace-1").out
    assert shown.count("user: go on") == 2
    assert shown.count("assistant: ok") == 2


@pytest.mark.parametrize("name", ["My run 7", "../../etc/passwd", "日本語", "n" * 5000])
def test_a_trace_is_found_by_the_name_its_client_gave(cli, store, name):
    store.traces.save([record(1, trace_id=clean_id(name)), record(2, trace_id=clean_id(f"{name}?"))])
    (row,) = cli("traces", "show", name, "--json").json["requests"]
    assert row["request_id"] == "req_0001"
    for command in (("list",), ("tail", "--no-follow")):
        assert cli("traces", *command, "--json", "--trace", name).out.count("req_0001") == 1
    assert "begins with 'No such run'" in cli("traces", "show", "No such run", code=1).err
    assert cli("traces", "list", "--json", "--trace", "").json == []


def test_long_texts_are_cut_for_people_only(cli, store):
    long = "\n".join(f"line {number}" for number in range(500))
    store.traces.save([record(1)], (), [("req_0001", asked(user(long)))])
    shown = cli("traces", "show", "req_0001").out
    assert shown.count("\n") < 80
    assert "more characters)" in shown
    assert long in cli("traces", "show", "req_0001", "--json").json["messages"][1]["text"]


def test_sub_agents_are_named(cli, store):
    store.traces.save([record(1, thread_id="a"), record(2, thread_id="b", subagent="collab_spawn")])
    shown = cli("traces", "show", "trace-1").out
    assert "thread a  key codex" in shown
    assert "sub-agent collab_spawn, thread b  key codex" in shown
    one = cli("traces", "show", "b").out
    assert one.startswith("thread b of trace trace-1\n1 request  ") and "sub-agent collab_spawn, thread b" in one
    assert [row["request_id"] for row in cli("traces", "show", "b", "--json").json["requests"]] == ["req_0002"]
