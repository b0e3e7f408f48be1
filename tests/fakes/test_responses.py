"""The Responses fake against OpenAI's own SDK, and each refusal."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.fakes.responses import ResponsesProvider
from tests.fakes.script import Call, Custom, Reply, Say, Search, Summary, Think

ADD = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}, "strict": False}
PATCH = {"type": "custom", "name": "apply_patch"}
SEARCH = {"type": "tool_search", "execution": "client", "description": "", "parameters": {"type": "object"}}
SPACE = {"type": "namespace", "name": "ns", "description": "", "tools": [ADD]}
USER = {"role": "user", "content": "hi"}
INCLUDE = {"include": ["reasoning.encrypted_content"], "store": False}


def client(fake: ResponsesProvider) -> openai.OpenAI:
    return openai.OpenAI(base_url=fake.url, api_key="sk-upstream", max_retries=0)


def test_every_event_is_one_the_sdk_knows() -> None:
    parts = [Think("why"), Say("so"), Call("add", {"a": 1}, "ns"), Custom("apply_patch", "x"), Search("q")]
    with ResponsesProvider(parts) as fake:
        tools = [SPACE, PATCH, SEARCH]
        with client(fake).responses.stream(model="m", input=[USER], tools=tools, **INCLUDE) as stream:
            events = list(stream)
            final = stream.get_final_response()
    known = TypeAdapter(ResponseStreamEvent)
    for event in events:
        if event.type not in ("response.output_text.delta", "response.output_text.done"):  # the helper adds to them
            known.validate_python(event.model_dump(exclude_unset=True, warnings=False))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = ["reasoning", "message", "function_call", "custom_tool_call", "tool_search_call"]
    assert [item.type for item in final.output] == kinds
    assert final.output_text == "so"


def test_whole_answer() -> None:
    with ResponsesProvider("It is 4.", Reply((Say("cut"),), length=True)) as fake:
        answer = client(fake).responses.create(model="m", input="2+2?")
        short = client(fake).responses.create(model="m", input="2+2?")
    assert (answer.output_text, answer.status) == ("It is 4.", "completed")
    assert short.status == "incomplete"


def test_reasoning_comes_back_as_it_was_made() -> None:
    with ResponsesProvider([Think("deep"), Call("add")], "fine", "no", "no") as fake:
        ask = client(fake).responses.create
        made = ask(model="m", input=[USER], tools=[ADD], **INCLUDE)
        history: list[Any] = [USER, *(item.model_dump(exclude_none=True) for item in made.output)]
        history.append({"type": "function_call_output", "call_id": history[2]["call_id"], "output": "3"})
        assert ask(model="m", input=history, tools=[ADD]).output_text == "fine"
        assert fake.requests[-1].thoughts == ["deep"]
        for change in ({"id": "rs_other"}, {"encrypted_content": "axh1.forged"}):
            changed = [USER, {**history[1], **change}, *history[2:]]
            with pytest.raises(openai.BadRequestError) as caught:
                ask(model="m", input=changed, tools=[ADD])
            assert caught.value.code == "invalid_encrypted_content"


def test_compaction_is_one_item_and_comes_back() -> None:
    with ResponsesProvider(Summary("long story"), "go on") as fake:
        ask = client(fake).responses.create
        made = ask(model="m", input=[USER, {"type": "compaction_trigger"}])
        assert [item.type for item in made.output] == ["compaction"]
        ask(model="m", input=[made.output[0].model_dump(exclude_none=True), USER])
    assert "long story" in fake.requests[-1].text


def call(**change: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "1", "name": "add", "arguments": "{}", **change}


OUTPUT = {"type": "function_call_output", "call_id": "1", "output": "3"}
UNNAMED = {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"unheard_of": 1}, "unheard_of"),
    ({"max_output_tokens": "5"}, "max_output_tokens"),
    ({"input": [{"type": "unheard_of"}]}, "input.0"),
    ({"input": [USER, call()]}, "No tool output found"),
    ({"input": [USER, OUTPUT]}, "No tool call found"),
    ({"input": [USER, call(), OUTPUT, OUTPUT]}, "Duplicate output"),
    ({"input": [USER, call(id="call_9"), OUTPUT]}, "begins with 'fc'"),
    ({"input": [USER, call(id="fc_" + "9" * 62), OUTPUT]}, "too long"),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "not found"),
    ({"input": [{"type": "message", "role": "user", "content": [{"type": "text", "text": "a"}]}]}, "input.0"),
    ({"tools": [{**ADD, "name": "a.b"}]}, "pattern"),
    ({"tools": [{**ADD, "parameters": {"type": "string"}}]}, "object"),
    ({"input": [{"role": "user", "content": [UNNAMED]}]}, "Missing required parameter"),
    ({"previous_response_id": "resp_1"}, "not found"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_refusals(change: dict[str, Any], words: str) -> None:
    with ResponsesProvider("never") as fake, pytest.raises(openai.APIStatusError) as caught:
        client(fake).post("/responses", body={"model": "m", "input": [USER], **change}, cast_to=object)
    assert words in caught.value.message
