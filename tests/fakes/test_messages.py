"""The Messages fake against Anthropic's own SDK, and each refusal."""

from __future__ import annotations

import base64
from typing import Any

import anthropic
import pytest

from tests.fakes.messages import MessagesProvider
from tests.fakes.script import Call, Fault, Reply, Say, Think

ADD: dict[str, Any] = {"name": "add", "input_schema": {"type": "object", "properties": {}}}
USER = {"role": "user", "content": "hi"}
OLD, NEW, ALWAYS = "claude-haiku-4-5", "claude-opus-4-8", "claude-fable-5"
BUDGET = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


def client(fake: MessagesProvider, key: str = "sk-upstream") -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=fake.url, api_key=key, max_retries=0)


def ask(fake: MessagesProvider, **change: Any) -> Any:
    body = {"model": OLD, "max_tokens": 4000, "messages": [USER], **change}
    return client(fake).messages.create(**body)


def test_whole_answer() -> None:
    with MessagesProvider(Reply((Say("It is 4."),), usage=(100, 60, 5, 0))) as fake:
        answer = ask(fake)
    assert [block.text for block in answer.content] == ["It is 4."]
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (40, 60, 5)


def test_stream_of_thoughts_and_parallel_calls() -> None:
    steps = [Think("hm ✓"), Say("So."), Call("add", {"a": 1}), Call("add", {"a": 2})]
    with (
        MessagesProvider(steps) as fake,
        client(fake).messages.stream(
            model=OLD, max_tokens=4000, messages=[USER], tools=[ADD], thinking=BUDGET
        ) as stream,
    ):
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[0].thinking == "hm ✓" and message.content[0].signature
    assert [block.input for block in message.content[2:]] == [{"a": 1}, {"a": 2}]
    assert message.stop_reason == "tool_use"
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"


def test_no_thoughts_unless_asked_for_and_hidden_ones_from_newer_models() -> None:
    with MessagesProvider([Think("hm"), Say("a")], [Think("hm"), Say("a")], [Think("hm"), Say("a")]) as fake:
        silent = ask(fake)
        hidden = ask(fake, model=NEW, thinking={"type": "adaptive"})
        always = ask(fake, model=ALWAYS)
    assert [block.type for block in silent.content] == ["text"]
    assert [block.type for block in always.content] == ["thinking", "text"]
    assert hidden.content[0].thinking == "" and hidden.content[0].signature


def test_cut_hang_and_error() -> None:
    replies = Reply((Say("one two three"),), cut=3), Reply((Say("x"),), hang=1), Reply((Say("x"),), error="gone")
    with MessagesProvider(*replies) as fake:
        stream = {"model": OLD, "max_tokens": 5, "messages": [USER], "stream": True}
        with pytest.raises(Exception, match=r"peer closed|disconnected|reset|Connection"):
            list(client(fake).messages.create(**stream))
        with pytest.raises(Exception, match="timed out"):
            list(client(fake).messages.create(**stream, timeout=0.3))
        assert fake.hung_up.wait(5)
        with pytest.raises(anthropic.APIStatusError, match="gone"):
            list(client(fake).messages.create(**stream))


def test_wrong_key_missing_version_and_scripted_errors() -> None:
    with MessagesProvider(Fault(529, "Overloaded")) as fake:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            client(fake, "sk-other").messages.create(model=OLD, max_tokens=5, messages=[USER])
        with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
            ask(fake, extra_headers={"anthropic-version": anthropic.omit})
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error") as caught:
            ask(fake)
    assert caught.value.status_code == 529


def test_models_and_tokens() -> None:
    with MessagesProvider() as fake:
        assert NEW in [model.id for model in client(fake).models.list()]
        assert client(fake).messages.count_tokens(model=OLD, messages=[USER]).input_tokens > 5
        assert fake.counted[0]["messages"] == [USER]
        with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs"):
            client(fake).messages.count_tokens(model=OLD, messages=[USER], extra_body={"max_tokens": 5})


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return block("text", text=words, **fields)


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def use(call_id: str = "a") -> dict[str, Any]:
    return block("tool_use", id=call_id, name="add", input={})


def result(call_id: str = "a", **fields: Any) -> dict[str, Any]:
    return block("tool_result", tool_use_id=call_id, **fields)


def image(media: str, data: bytes) -> dict[str, Any]:
    return block("image", source={"type": "base64", "media_type": media, "data": base64.b64encode(data).decode()})


MARK = {"cache_control": {"type": "ephemeral"}}
FORGED = block("thinking", thinking="hm", signature="c2lnbmVk")
DEFERRED = {**ADD, "defer_loading": True}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"unheard_of": 1}, "unheard_of: Extra inputs are not permitted"),
    ({"messages": [user(text("a", z=1))]}, "content.0.z: Extra inputs"),
    ({"max_tokens": anthropic.omit}, "max_tokens: Field required"),
    ({"max_tokens": 64_001}, "64001 > 64000"),
    ({"stop_sequences": [" "]}, "non-whitespace"),
    ({"model": "gpt-5.5"}, "model: gpt-5.5"),
    ({"context_management": {"edits": []}}, "context_management: Extra inputs"),
    ({"messages": []}, "at least one message"),
    ({"messages": [assistant(text("a")), USER]}, 'first message must use the "user" role'),
    ({"messages": [USER, USER]}, "roles must alternate"),
    ({"messages": [USER, {"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
    ({"model": NEW, "messages": [USER, {"role": "system", "content": "x"}, USER]}, "must follow a user message"),
    ({"messages": [user(text(""))]}, "must be non-empty"),
    ({"messages": [user(text(" \n"))]}, "non-whitespace text"),
    ({"messages": [USER, assistant(), USER]}, "non-empty content"),
    ({"messages": [USER, assistant(text("a "))]}, "trailing whitespace"),
    ({"model": NEW, "messages": [USER, assistant(text("a"))]}, "does not support assistant message prefill"),
    ({"tools": [ADD], "messages": [USER, assistant(use())]}, "without `tool_result` blocks immediately after: a"),
    ({"tools": [ADD], "messages": [USER, assistant(use()), user(text("x"), result())]}, "without `tool_result`"),
    ({"tools": [ADD], "messages": [USER, assistant(use(), use("b")), user(result())]}, "immediately after: b"),
    ({"tools": [ADD], "messages": [user(result())]}, "unexpected `tool_use_id`"),
    ({"tools": [ADD], "messages": [USER, assistant(use()), user(result(), result())]}, "single result"),
    ({"tools": [ADD], "messages": [USER, assistant(use(), use()), user(result())]}, "ids must be unique"),
    ({"tools": [ADD], "messages": [USER, assistant(use("a:b")), user(result("a:b"))]}, "tool_use.id: String should"),
    ({"messages": [USER, assistant(use()), user(result())]}, "must define tools"),
    ({"tools": [ADD, ADD]}, "must be unique"),
    ({"tools": [{**ADD, "name": "a.b"}]}, "name: String should match"),
    ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "input_schema.type: Input should be 'object'"),
    ({"tools": [{"name": "a", "input_schema": {"type": "object", "anyOf": []}}]}, "at the top level"),
    ({"tools": [DEFERRED]}, "At least one tool"),
    ({"tools": [{**ADD, "name": "b"}, {**DEFERRED, **MARK}]}, "cannot use prompt caching"),
    ({"tool_choice": {"type": "auto"}}, "while providing tools"),
    ({"tools": [ADD], "tool_choice": {"type": "tool", "name": "b"}}, "'b' not found"),
    ({"tools": [ADD], "tool_choice": {"type": "any"}, "thinking": BUDGET}, "forces tool use"),
    ({"model": ALWAYS, "tools": [ADD], "tool_choice": {"type": "any"}}, "forces tool use"),
    ({"thinking": {**BUDGET, "budget_tokens": 1023}}, "greater than or equal to 1024"),
    ({"thinking": {**BUDGET, "budget_tokens": 4000}}, "`max_tokens` must be greater than"),
    ({"thinking": {"type": "adaptive"}}, "'adaptive' found using 'type'"),
    ({"thinking": BUDGET, "model": NEW}, '"thinking.type.enabled" is not supported'),
    ({"thinking": {"type": "disabled"}, "model": ALWAYS}, "'disabled' found using 'type'"),
    ({"output_config": {"effort": "high"}}, "does not support the effort parameter"),
    ({"output_config": {"effort": "xhigh"}, "model": "claude-opus-4-6"}, "output_config.effort: Input should be"),
    ({"thinking": BUDGET, "temperature": 0.5}, "`temperature` may only be set to 1"),
    ({"thinking": BUDGET, "top_p": 0.5}, "`top_p` must be greater"),
    ({"thinking": BUDGET, "top_k": 5}, "`top_k` must be unset"),
    ({"temperature": 0.5, "top_p": 0.5}, "cannot both be specified"),
    ({"temperature": 1.5}, "range: 0..1"),
    ({"temperature": 1, "model": NEW}, "`temperature` is deprecated"),
    ({"messages": [USER, assistant(FORGED, text("a")), USER]}, "Invalid `signature` in `thinking` block"),
    ({"messages": [USER, assistant(block("redacted_thinking", data="x"), text("a")), USER]}, "Invalid `data`"),
    ({"thinking": BUDGET, "tools": [ADD], "messages": [USER, assistant(use()), user(result())]}, "found `tool_use`"),
    ({"thinking": BUDGET, "messages": [USER, assistant(text("a"))]}, "found `text`"),
    ({"messages": [user(*(text("a", **MARK) for _ in range(5)))]}, "Found 5"),
    ({"messages": [user(text("", **MARK))]}, "empty text blocks"),
    ({"messages": [user(image("image/bmp", b"BM"))]}, "media_type: Input should be"),
    ({"messages": [user(image("image/png", b"\xff\xd8\xff0"))]}, "appears to be a image/jpeg"),
    ({"messages": [user(image("image/png", b"nothing"))]}, "Could not process image"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_refusals(change: dict[str, Any], words: str) -> None:
    with MessagesProvider("never") as fake:
        body: dict[str, Any] = {"model": OLD, "max_tokens": 4000, "messages": [USER], **change}
        kept = {name: value for name, value in body.items() if value is not anthropic.omit}
        with pytest.raises(anthropic.APIStatusError) as caught:
            client(fake).post("/v1/messages", body=kept, cast_to=object)
    assert words in caught.value.body["error"]["message"]  # type: ignore[index]
    assert fake.refusals


def test_what_a_beta_flag_buys() -> None:
    with MessagesProvider("a", "b") as fake:
        sent = {"extra_body": {"context_management": {"edits": []}}}
        ask(fake, **sent, extra_headers={"anthropic-beta": "x, context-management-2025-06-27"})
        ask(fake, thinking=BUDGET, max_tokens=1024, extra_headers={"anthropic-beta": "interleaved-thinking-2025-05-14"})
    assert fake.requests[0].flags == ["x", "context-management-2025-06-27"]


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize(("model", "config"), [(OLD, BUDGET), (NEW, ADAPTIVE)])
def test_takes_its_own_thoughts_back_and_no_other(model: str, config: dict[str, Any], redacted: bool) -> None:
    with MessagesProvider([Think("deep", redacted), Call("add")], "fine") as fake:
        made = ask(fake, model=model, tools=[ADD], thinking=config)
        thought, called = (part.model_dump(exclude_none=True) for part in made.content)
        called.pop("caller", None)

        def again(*blocks: Any) -> Any:
            turn = [USER, assistant(*blocks), user(result(called["id"]))]
            return ask(fake, model=model, tools=[ADD], thinking=config, messages=turn)

        assert again(thought, called).content[0].text == "fine"
        with pytest.raises(anthropic.BadRequestError, match="found `tool_use`"):
            again(called)
        if not redacted:
            with pytest.raises(anthropic.BadRequestError, match="cannot be modified"):
                again({**thought, "thinking": "shallow"}, called)
    assert fake.requests[-1].thoughts == ["deep"]


def test_marked_beginnings_are_found_again() -> None:
    with MessagesProvider("a", "b", "c") as fake:
        long = text("word " * 100, **MARK)
        first = ask(fake, messages=[user(long)]).usage
        again = ask(fake, messages=[user(text(long["text"])), assistant(text("a")), user(text("b", **MARK))]).usage
        other = ask(fake, messages=[user(text("another " * 100, **MARK))]).usage
    assert first.cache_creation_input_tokens > 100 and first.cache_read_input_tokens == 0
    assert again.cache_read_input_tokens == first.cache_creation_input_tokens
    assert other.cache_read_input_tokens == 0
