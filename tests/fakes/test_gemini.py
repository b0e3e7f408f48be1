"""The Gemini fake against Google's own SDK, and each refusal."""

from __future__ import annotations

import copy
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.fakes.gemini import GeminiProvider
from tests.fakes.gemini_rules import SENTINEL
from tests.fakes.script import Call, Fault, Reply, Say, Think

PRO, OLD = "gemini-3-pro-preview", "gemini-2.5-flash"
OBJECT = {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}
ADD = {"functionDeclarations": [{"name": "add", "parameters": OBJECT}]}
USER = {"role": "user", "parts": [{"text": "hi"}]}


def client(fake: GeminiProvider, key: str = "sk-upstream") -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=fake.url, api_version="v1beta"))


def config(**fields: Any) -> types.GenerateContentConfig:
    calling = types.AutomaticFunctionCallingConfig(disable=True)
    tools = [types.Tool.model_validate(ADD)]
    return types.GenerateContentConfig(tools=tools, automatic_function_calling=calling, **fields)


def test_whole_answer() -> None:
    with GeminiProvider([Think("hm"), Say("It is 4.")], Reply((Say("cut"),), length=True)) as fake:
        google = client(fake)
        ask = google.models.generate_content
        answer = ask(model=PRO, contents="2+2?")
        short = ask(model=OLD, contents="2+2?")
    assert answer.text == "It is 4." and answer.candidates and answer.candidates[0].content
    assert [part.thought for part in answer.candidates[0].content.parts or ()] == [None]
    assert answer.usage_metadata and answer.usage_metadata.candidates_token_count == 20
    assert short.candidates and short.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS


def test_stream_with_thoughts_calls_and_placeholders_of_usage() -> None:
    shown = types.ThinkingConfig(include_thoughts=True)
    reply = Reply((Think("deep"), Say("so"), Call("add", {"a": 1}), Call("add", {"a": 2})), usage=(100, 40, 30, 10))
    with GeminiProvider(reply) as fake:
        google = client(fake)
        ask = google.models.generate_content_stream
        chunks = list(ask(model=PRO, contents="hi", config=config(thinking_config=shown)))
    parts = [part for one in chunks for part in (one.candidates or [])[0].content.parts or ()]  # type: ignore[union-attr]
    assert "".join(part.text or "" for part in parts if part.thought) == "deep"
    calls = [part for part in parts if part.function_call]
    assert [part.function_call.args for part in calls] == [{"a": 1}, {"a": 2}]
    assert [part.thought_signature is not None for part in calls] == [True, False]
    counts = [one.usage_metadata for one in chunks]
    assert all(counts) and {count.candidates_token_count for count in counts[:-1] if count} == {None}
    last = counts[-1]
    assert last is not None
    found = (last.prompt_token_count, last.cached_content_token_count, last.candidates_token_count)
    assert (*found, last.thoughts_token_count, last.total_token_count) == (100, 40, 20, 10, 130)
    assert [one.candidates[0].finish_reason for one in chunks if one.candidates][-1] is types.FinishReason.STOP


def test_broken_arguments_are_a_malformed_call() -> None:
    with GeminiProvider(Call("add", '{"a": ')) as fake:
        google = client(fake)
        *_, chunk = google.models.generate_content_stream(model=PRO, contents="hi", config=config())
    assert chunk.candidates and chunk.candidates[0].finish_reason is types.FinishReason.MALFORMED_FUNCTION_CALL


def test_signatures_come_back_where_they_were_given() -> None:
    with GeminiProvider([Think("deep"), Call("add", {"a": 1})], "fine", "no", "no") as fake:
        post, history = poster(fake), [USER]
        history.append(post(contents=history, tools=[ADD])["candidates"][0]["content"])
        history.append({"role": "user", "parts": [response("add")]})
        assert post(contents=history, tools=[ADD])["candidates"][0]["finishReason"] == "STOP"
        assert fake.requests[-1].thoughts == ["deep"]
        signature = history[1]["parts"][0]["thoughtSignature"]
        for change in (
            {**call(), "thoughtSignature": signature[:-4] + "AAA="},
            {"text": "a", "thoughtSignature": signature},
        ):
            changed = copy.deepcopy(history)
            changed[1]["parts"].insert(0, change)
            changed[2]["parts"] *= len([part for part in changed[1]["parts"] if "functionCall" in part])
            assert post(contents=changed, tools=[ADD])["error"]["message"] == "Corrupted thought signature."
        changed = copy.deepcopy(history)
        changed[1]["parts"][0] = call("add", {})
        assert "missing a thought_signature" in post(contents=changed, tools=[ADD])["error"]["message"]
        later = [*changed, {"role": "model", "parts": [{"text": "3"}]}, USER]  # of an earlier turn: not looked at
        assert "candidates" in post(contents=later, tools=[ADD])
        assert "candidates" in post(OLD, contents=changed, tools=[ADD])


def test_keys() -> None:
    with GeminiProvider(*"ab") as fake:
        url = f"{fake.url}/v1beta/models/{PRO}:generateContent"
        assert sent(url)[0] == 403
        status, said = sent(url, key="other")
        assert (status, said["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
        assert sent(f"{url}?key=sk-upstream")[0] == 200
        assert sent(url, key="sk-upstream")[0] == 200


def sent(url: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    """Status and body of the answer."""
    headers = {"Content-Type": "application/json"} | ({"x-goog-api-key": key} if key else {})
    call = urllib.request.Request(url, json.dumps(body or {"contents": [USER]}).encode(), headers)
    try:
        with urllib.request.urlopen(call, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_models_counts_and_scripted_errors() -> None:
    with GeminiProvider(Fault(429, "slow down"), Reply((Say("one"),), error="broken")) as fake:
        google = client(fake)
        assert f"models/{PRO}" in [model.name for model in google.models.list()]
        assert (google.models.count_tokens(model=PRO, contents="hi").total_tokens or 0) > 0
        with pytest.raises(errors.ClientError) as caught:
            google.models.generate_content(model=PRO, contents="hi")
        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        with pytest.raises(errors.APIError):
            list(google.models.generate_content_stream(model=PRO, contents="hi"))
        with pytest.raises(errors.ClientError, match="not found for API version"):
            google.models.generate_content(model="gpt-5", contents="hi")


def call(name: str = "add", args: Any = None, signature: str | None = None) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"name": name, "args": args or {}}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def response(name: str = "add", **fields: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "3"}, **fields}}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def declared(name: str = "add", **fields: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": name, **fields}]}]}


def parameters(**schema: Any) -> dict[str, Any]:
    return declared(parameters={"type": "OBJECT", "properties": {"a": schema}})


def thinking(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": {"thinkingConfig": fields}}


def poster(fake: GeminiProvider) -> Any:
    def post(name: str = PRO, **body: Any) -> Any:
        url = f"{fake.url}/v1beta/models/{name}:generateContent"
        return sent(url, {"contents": [USER], **body}, "sk-upstream")[1]

    return post


ASKED, SIGNED = model(call()), model(call(signature=SENTINEL))
CHOICE = {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["add"]}}}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (PRO, {"unheard_of": 1}, 'Unknown name "unheard_of": Cannot find field'),
    (PRO, {"contents": [user({"text": "a", "x": 1})]}, "Unknown name \"x\" at 'contents[0].parts[0]'"),
    (PRO, {"generationConfig": {"maxOutputTokens": "many"}}, "Invalid value at 'generation_config.max_output_tokens'"),
    (PRO, {"generationConfig": {"audioTimestamp": True}}, 'Unknown name "audioTimestamp" at'),
    (PRO, {"contents": []}, "contents is not specified"),
    (PRO, {"contents": [user()]}, "parts must not be empty"),
    (PRO, {"contents": [user({"text": ""})]}, "required oneof field 'data'"),
    (PRO, {"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "valid role: user, model"),
    (PRO, {"contents": [model({"text": "a"}), USER]}, "alternate between user and model"),
    (PRO, {"systemInstruction": {"parts": []}}, "system_instruction.parts"),
    (PRO, {"contents": [user({"inlineData": {"mimeType": "image/bmp", "data": "aaaa"}})]}, "Unsupported MIME type"),
    (PRO, {"contents": [USER, SIGNED]}, "number of function response parts"),
    (PRO, {"contents": [USER, SIGNED, USER, user(response())]}, "number of function response parts"),
    (PRO, {"contents": [USER, SIGNED, user(response(), response())]}, "number of function response parts"),
    (PRO, {"contents": [USER, SIGNED, user(response("other"))]}, "other names"),
    (PRO, {"contents": [USER, user(response())]}, "immediately after a function call turn"),
    (PRO, {"contents": [USER, model({"text": "a"}), SIGNED, user(response())]}, "immediately after a user turn"),
    (PRO, {"contents": [USER, ASKED, user(response())]}, "missing a thought_signature"),
    (PRO, {"contents": [USER, model(call(signature="AAAA")), user(response())]}, "Corrupted thought signature"),
    (PRO, {"contents": [USER, model({"text": "a", "thoughtSignature": "AAAA"}), USER]}, "Corrupted"),
    (PRO, declared("1st"), "Invalid function name"),
    (PRO, declared("a" * 129), "Invalid function name"),
    (PRO, {"tools": [*declared()["tools"], *declared()["tools"]]}, "Duplicate function declaration"),
    (PRO, {"tools": []} | CHOICE, "without function_declarations"),
    (PRO, {"tools": [{"functionDeclarations": []}]}, "must not be empty"),
    (PRO, {"tools": [ADD, {"googleSearch": {}}]}, "cannot be combined"),
    (PRO, declared(parameters={"type": "OBJECT"}), "should be non-empty for OBJECT type"),
    (PRO, declared(parameters=OBJECT, parametersJsonSchema={"type": "object"}), "only one of"),
    (PRO, declared(parametersJsonSchema={"type": "string"}), "must describe an object"),
    (PRO, parameters(type="text"), 'Type), "text"'),
    (PRO, parameters(type=["string", "null"]), "cannot start list"),
    (PRO, parameters(description="any"), "must be specified"),
    (PRO, parameters(type="INTEGER", enum=["1"]), "only allowed for STRING type"),
    (PRO, parameters(type="STRING", enum=[1]), "Invalid value at"),
    (PRO, parameters(type="STRING", format="uri"), "only 'enum' and 'date-time'"),
    (PRO, parameters(type="ARRAY"), "items: missing field"),
    (PRO, parameters(type="OBJECT", properties=OBJECT["properties"], required=["b"]), "property is not defined"),
    (PRO, parameters(type="STRING", const="a"), 'Unknown name "const"'),
    (PRO, parameters(type="OBJECT", additionalProperties=False), 'Unknown name "additionalProperties"'),
    (PRO, parameters(**{"$ref": "#/$defs/a"}), 'Unknown name "$ref"'),
    (PRO, {"tools": [ADD], **CHOICE}, "ANY or VALIDATED"),
    (PRO, {"tools": [ADD], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, 'Mode), "SOME"'),
    (PRO, thinking(thinkingLevel="MEDIUM"), "MEDIUM is not supported for this model"),
    ("gemini-3.1-pro-preview", thinking(thinkingLevel="MINIMAL"), "MINIMAL is not supported for this model"),
    (PRO, thinking(thinkingLevel="LOW", thinkingBudget=1024), "only one of thinking budget and thinking level"),
    (OLD, thinking(thinkingLevel="LOW"), "Thinking level is not supported for this model"),
    (OLD, thinking(thinkingBudget=30000), "between 0 and 24576"),
    ("gemini-2.5-pro", thinking(thinkingBudget=0), "only works in thinking mode"),
    (PRO, {"generationConfig": {"responseJsonSchema": {"type": "object"}}}, "application/json"),
    (OLD, {"tools": [ADD], "generationConfig": {"responseMimeType": "application/json"}}, "is unsupported"),
    (PRO, {"generationConfig": {"stopSequences": list("abcdef")}}, "at most 5"),
    (PRO, {"generationConfig": {"temperature": 2.5}}, "range [0.0, 2.0]"),
]


@pytest.mark.filterwarnings("ignore:.* is not a valid:UserWarning")  # the SDK's own, on unknown words
@pytest.mark.parametrize(("name", "body", "words"), REFUSED)
def test_refusals(name: str, body: dict[str, Any], words: str) -> None:
    with GeminiProvider("never said") as fake:
        answer = poster(fake)(name, **body)
    assert words in answer["error"]["message"]
    assert fake.refusals == [answer["error"]["message"]]
    assert (answer["error"]["code"], answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


TAKEN: list[dict[str, Any]] = [
    {"tools": [ADD], "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["add"]}}},
    {"tools": [{"function_declarations": [{"name": "mcp.a-b:c"}]}], "generation_config": {"top_k": 3}},
    declared(parametersJsonSchema={"type": "object", "additionalProperties": False, "$defs": {}}),
    {"contents": [USER, SIGNED, user(response(), {"inlineData": {"mimeType": "image/png", "data": "aaaa"}})]},
    {"generationConfig": {"responseMimeType": "application/json", "responseSchema": OBJECT}},
]


@pytest.mark.parametrize("body", TAKEN)
def test_what_is_taken(body: dict[str, Any]) -> None:
    with GeminiProvider("said") as fake:
        assert poster(fake)(**body)["candidates"][0]["content"]["parts"] == [{"text": "said"}]
