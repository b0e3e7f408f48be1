"""Every client on every cloud, over sockets, against fakes that check who asks and how."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest

from axonhub_cli.entities import UpstreamKey
from axonhub_cli.llm.content import ToolCallPart
from axonhub_cli.secrets import origin_of
from tests.fakes import azure, bedrock, vertex
from tests.protocols.laws import ROOT
from tests.server.clouds import AWS_KEY, BY_NAME, CALL, CLIENTS, CLOUDS, answered, asking, root, served, spoken
from tests.server.speakers import ASK, TEXT, clients, messages_answer, messages_stream, speaks
from tests.server.upstreams import Upstream, answers

clouds = pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
streamed = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
THINKING = {"type": "thinking", "thinking": "Rome it is.", "signature": "c2lnbmVk"}


@clouds
@streamed
@pytest.mark.parametrize("client", CLIENTS)
async def test_every_official_sdk_on_every_cloud(tmp_path, client, cloud, stream):
    fake = cloud.fake()
    async with served(tmp_path, cloud, fake) as (h, up):
        text, usage = await ASK[client](clients(h), "asked", stream)
        record = await h.finished()
        (attempt,) = h.records.attempts_of_last()
    assert fake.complaints == []
    assert (attempt.upstream_request_id == "aws-1") == cloud.type.startswith("bedrock")
    assert (text.strip(), usage) == (TEXT, (11, 3))
    assert (record.status, record.upstream_protocol) == ("completed", cloud.protocol)
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (11, 5, 3)
    assert h.key not in str(up.calls[-1].headers)


@clouds
@streamed
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_tool_loop_goes_on(tmp_path, client, cloud, stream):
    fake = cloud.fake(CALL, stop="tool_use")
    async with served(tmp_path, cloud, fake) as (h, up):
        path, payload = asking(client, stream=stream)
        status, _, text = await h.ask(path, payload)
    assert fake.complaints == [] and status == 200, text
    (call,) = spoken(answered(client, text, stream=stream))
    assert isinstance(call, ToolCallPart)
    assert (call.name, json.loads(call.input)) == ("weather", {"city": "Rome"})
    assert "rain" in up.calls[-1].body.decode() and "Be brief." in up.calls[-1].body.decode()


CAPTURED = [
    *sorted((ROOT / "openai_responses").glob("codex-*.request.json")),
    ROOT / "anthropic_messages" / "claude-code-turn1.request.json",
]


@clouds
@pytest.mark.parametrize("captured", CAPTURED, ids=lambda path: path.name.partition(".request")[0])
async def test_what_real_agents_ask_is_taken_by_every_cloud(tmp_path, captured, cloud):
    fake = cloud.fake()
    payload = {**json.loads(captured.read_bytes()), "model": "asked", "stream": True}
    path = "/v1/responses" if "codex" in captured.name else "/v1/messages"
    flags = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,unknown-2026-01-01"
    async with served(tmp_path, cloud, fake) as (h, _):
        status, _, text = await h.ask(path, payload, headers={"anthropic-beta": flags})
    assert (fake.complaints, status) == ([], 200)
    assert "Hello" in text


async def test_a_field_that_a_cloud_refuses_is_left_out_once(tmp_path):  # pitfall 82
    cloud, fake = BY_NAME["bedrock"], bedrock.Bedrock(token=bedrock.TOKEN)
    payload = json.loads(CAPTURED[-1].read_bytes())
    async with served(tmp_path, cloud, fake) as (h, up):
        status, _, _ = await h.ask("/v1/messages", payload)
        await h.finished()
        _, second = h.records.attempts_of_last()
    assert status == 200 and len(up.calls) == 2
    assert fake.complaints == ["context_management: Extra inputs are not permitted"]
    assert [loss.field for loss in second.losses] == ["context_management"]


# -- who asks


async def test_a_bedrock_api_key_is_shown_as_it_is(tmp_path):
    cloud, fake = BY_NAME["bedrock"], bedrock.Bedrock()
    async with served(tmp_path, cloud, fake, key=bedrock.API_KEY) as (h, up):
        text, _ = await ASK["anthropic_messages"](clients(h), "asked", True)
    assert text == TEXT and up.calls[0].headers["authorization"] == f"Bearer {bedrock.API_KEY}"


@pytest.mark.parametrize("token", [None, bedrock.TOKEN])
async def test_the_credential_chain_serves_a_channel_without_a_key(tmp_path, monkeypatch, token):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bedrock.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bedrock.SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", token or "")
    fake = bedrock.Bedrock(token=token)
    async with served(tmp_path, BY_NAME["converse"], fake, keys=()) as (h, _):
        assert (await ASK["openai_chat"](clients(h), "asked", True))[0] == TEXT
    assert fake.complaints == []


async def test_a_named_aws_profile_serves(tmp_path, monkeypatch):
    home = tmp_path / "credentials"
    home.write_text(f"[work]\naws_access_key_id={bedrock.KEY}\naws_secret_access_key={bedrock.SECRET}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    options = {"aws_profile": "work"}
    async with served(tmp_path, BY_NAME["bedrock"], bedrock.Bedrock(), keys=(), options=options) as (h, _):
        assert (await ASK["openai_chat"](clients(h), "asked", True))[0] == TEXT


@pytest.mark.parametrize(("place", "cost"), [("us", 1.1), ("global", 1.0)])
async def test_bedrock_has_the_price_of_the_place(tmp_path, place, cost):
    name = "claude-haiku-4-5-20251001"
    answer = {**messages_answer(), "model": name, "usage": {"input_tokens": 1_000_000, "output_tokens": 0}}
    cloud = replace(BY_NAME["bedrock"], model=f"{place}.anthropic.{name}-v1:0")
    async with served(tmp_path, cloud, answers(200, answer)) as (h, _):
        assert (await h.ask(payload={"model": "asked", "input": "hi"}))[0] == 200
        record = await h.finished()
    assert record.served_model == name and record.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize("model", ["arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x-v1:0", "a b~c"])
async def test_the_signature_is_over_the_path_as_it_is_sent(tmp_path, model):
    cloud, fake = BY_NAME["bedrock"], bedrock.Bedrock(token=bedrock.TOKEN)
    async with served(tmp_path, cloud, fake) as (h, up):
        status, _, text = await h.ask("/v1/messages", {**asking("anthropic_messages", stream=False)[1], "model": model})
    assert (status, fake.complaints) == (200, []), text
    assert "/" not in up.calls[0].path.removeprefix("/model/").removesuffix("/invoke")


async def test_a_service_accounts_file_and_the_default_credentials(tmp_path, monkeypatch):
    cloud = BY_NAME["vertex-anthropic"]
    fake = cloud.fake()
    file = tmp_path / "account.json"
    async with Upstream(fake) as other:
        file.write_text(json.dumps(vertex.service_account(root(other))))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        for number, fields in enumerate(({"key": str(file)}, {"keys": ()})):
            (tmp_path / str(number)).mkdir()
            async with served(tmp_path / str(number), cloud, fake, **fields) as (h, _):
                assert (await ASK["anthropic_messages"](clients(h), "asked", True))[0] == TEXT
    assert fake.complaints == []


async def test_one_token_serves_many_and_is_fetched_once(tmp_path):
    cloud = BY_NAME["vertex"]
    fake = cloud.fake()
    async with served(tmp_path, cloud, fake) as (h, _):
        path, payload = asking("gemini", stream=False)
        answers = await asyncio.gather(*(h.ask(path, payload) for _ in range(8)))
        assert [status for status, _, _ in answers] == [200] * 8
    assert fake.exchanges == 1


async def test_a_token_that_runs_out_is_fetched_anew(tmp_path):
    cloud = BY_NAME["vertex"]
    fake = cloud.fake()
    fake.lends = 60  # google-auth renews what is good for less than four minutes
    async with served(tmp_path, cloud, fake) as (h, _):
        for _ in range(2):
            assert (await h.ask(*asking("gemini", stream=False)))[0] == 200
    assert fake.exchanges == 2


# -- what comes back when they refuse


async def told_until_the_end(h, path, payload):
    """All that a client was told, also where its body then breaks, as some protocols want it."""
    told = b""
    async with h.post(path, payload) as response:
        try:
            async for data in response.content.iter_any():
                told += data
        except aiohttp.ClientPayloadError:
            pass
    return told.decode()


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ((403, "ExpiredTokenException", "The security token included in the request is expired"), "authentication"),
        ((403, "AccessDeniedException", "You don't have access to the model"), "permission"),
        ((429, "ThrottlingException", "Too many requests, please wait before trying again."), "rate_limit"),
        ((429, "ServiceQuotaExceededException", "Your request exceeds the service quota."), "quota"),
        ((400, "ValidationException", "The provided model identifier is invalid."), "not_found"),
        ((400, "ValidationException", "Input is too long for requested model."), "context_length"),
        ((503, "ServiceUnavailableException", "Bedrock is unable to process your request."), "overloaded"),
        ((408, "ModelTimeoutException", "Model has timed out in processing the request."), "timeout"),
    ],
)
@pytest.mark.parametrize("name", ["bedrock", "converse"])
async def test_what_bedrock_refuses(tmp_path, name, refusal, kind):
    cloud, fake = BY_NAME[name], bedrock.Bedrock(token=bedrock.TOKEN)
    fake.refuse = refusal
    async with served(tmp_path, cloud, fake) as (h, _):
        status, _, text = await h.ask(*asking("openai_chat", stream=True))
        record = await h.finished()
    assert status >= 400 and record.error_kind == kind
    assert bedrock.SECRET not in text and bedrock.TOKEN not in text


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ["bedrock", "converse"])
@pytest.mark.parametrize(
    ("exception", "kind"),
    [("throttlingException", "rate_limit"), ("modelStreamErrorException", "server_error")],
)
async def test_an_exception_amid_the_stream(tmp_path, name, client, exception, kind):
    """Every client is told in its own protocol, and nobody takes the half answer for a whole one."""
    cloud, fake = BY_NAME[name], bedrock.Bedrock(token=bedrock.TOKEN)
    fake.break_off = (exception, "it broke off")
    async with served(tmp_path, cloud, fake) as (h, _):
        text = await told_until_the_end(h, *asking(client, stream=True))
        record = await h.finished()
    assert (record.status, record.error_kind) == ("failed", kind)
    assert "it broke off" in text
    with pytest.raises(Exception, match="it broke off"):
        answered(client, text, stream=True)


@pytest.mark.parametrize("name", ["bedrock", "converse"])
async def test_a_damaged_stream_is_a_failure(tmp_path, name):
    class Damaging(bedrock.Bedrock):
        def _chunks(self):
            return [piece[:-1] + b"\0" for piece in super()._chunks()]

        def _events(self):
            return [piece[:-1] + b"\0" for piece in super()._events()]

    async with served(tmp_path, BY_NAME[name], Damaging(token=bedrock.TOKEN)) as (h, _):
        status, _, text = await h.ask(*asking("openai_responses", stream=True))
    assert status == 200 or status >= 500
    assert "damaged" in text


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ((429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests per minute"), "rate_limit"),
        ((403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied"), "permission"),
        ((404, "NOT_FOUND", "Publisher Model was not found"), "not_found"),
    ],
)
@pytest.mark.parametrize("name", ["vertex", "vertex-anthropic"])
async def test_what_vertex_refuses(tmp_path, name, refusal, kind):
    cloud = BY_NAME[name]
    fake = cloud.fake()
    fake.refuse = refusal
    async with served(tmp_path, cloud, fake) as (h, _):
        status, _, _ = await h.ask(*asking("openai_responses", stream=True))
        record = await h.finished()
    assert status >= 400 and record.error_kind == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}), "authentication"),
        ((503, {"error": "internal_failure"}), "overloaded"),
    ],
)
async def test_a_token_service_that_refuses_is_the_channels_failure(tmp_path, answer, kind):
    cloud = BY_NAME["vertex"]
    fake = cloud.fake()
    fake.refuse_token = answer
    async with served(tmp_path, cloud, fake) as (h, _):
        status, _, text = await h.ask(*asking("anthropic_messages", stream=True))
        record = await h.finished()
    assert status >= 500 and record.error_kind == kind
    assert "PRIVATE KEY" not in text and "invalid_grant" not in text


async def test_azure_refuses_in_its_own_words(tmp_path):
    async with served(tmp_path, BY_NAME["azure"], azure.Azure(speaks("openai_responses")), key="wrong") as (h, _):
        status, _, text = await h.ask(*asking("openai_responses", stream=True))
        record = await h.finished()
    assert status >= 400 and record.error_kind == "authentication"
    assert "wrong" not in text.replace("wrong API endpoint", "")


async def test_no_secret_that_is_repeated_gets_out(tmp_path):
    """An upstream that tells back all it was shown: signature, session token, access token."""

    async def parrot(wire):
        known = bedrock.SECRET if "x-amz-date" in wire.call.headers else ""
        await wire.answer(403, {"message": json.dumps(wire.call.headers) + known})

    for number, name in enumerate(("bedrock", "vertex")):
        cloud = BY_NAME[name]
        fake = cloud.fake()
        fake.speak = parrot
        (tmp_path / str(number)).mkdir()
        async with served(tmp_path / str(number), cloud, parrot if name == "bedrock" else fake) as (h, up):
            _, _, text = await h.ask(*asking("openai_chat", stream=False))
            await h.finished()
            kept = f"{h.records.requests}{h.records.attempts}{h.records.bodies}{text}"
            shown = up.calls[-1].headers["authorization"]
        secrets = [shown.rpartition("=")[2].rpartition(" ")[2], bedrock.TOKEN, bedrock.SECRET, bedrock.KEY]
        assert "[key]" in kept
        assert not [secret for secret in secrets if secret in kept]


# -- Claude's own wire


async def test_claude_codes_own_request_passes_to_bedrock_and_vertex(tmp_path):
    """Fields nobody knows arrive, flags of the header are in Bedrock's body, and the stream is Anthropic's own."""
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "context-1m-2025-08-07,unknown-2026-01-01"}
    for number, name in enumerate(("bedrock", "vertex-anthropic")):
        cloud = BY_NAME[name]
        fake = cloud.fake(THINKING, CALL, stop="tool_use") if name == "bedrock" else cloud.fake()
        payload = {**asking("anthropic_messages", stream=True)[1], "metadata": {"user_id": "u"}}
        (tmp_path / str(number)).mkdir()
        async with served(tmp_path / str(number), cloud, fake) as (h, up):
            _, _, text = await h.ask("/v1/messages", payload, headers=headers)
        sent = up.calls[-1]
        assert fake.complaints == [] and sent.json["metadata"] == {"user_id": "u"}
        if name == "bedrock":
            assert sent.json["anthropic_beta"] == ["context-1m-2025-08-07"] and "anthropic-beta" not in sent.headers
            expected = b"".join(messages_stream(THINKING, CALL, stop="tool_use")).decode()
            assert [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")] == [
                json.loads(line[6:]) for line in expected.splitlines() if line.startswith("data: ")
            ]
            assert [line for line in text.splitlines() if line.startswith("event: ")] == [
                line for line in expected.splitlines() if line.startswith("event: ")
            ]
        else:
            assert "anthropic_beta" not in sent.json
            assert sent.headers["anthropic-beta"] == "context-1m-2025-08-07"
        assert "anthropic-version" not in sent.headers


@pytest.mark.parametrize("name", ["bedrock", "converse", "vertex-anthropic"])
async def test_tokens_are_guessed_where_the_cloud_does_not_count_them_so(tmp_path, name):  # pitfalls 81, 101
    cloud = BY_NAME[name]
    async with served(tmp_path, cloud, cloud.fake()) as (h, up):
        status, _, text = await h.ask("/v1/messages/count_tokens", asking("anthropic_messages", stream=False)[1])
    assert (status, up.calls) == (200, [])
    assert json.loads(text)["input_tokens"] > 10


@streamed
async def test_signed_thinking_comes_back_to_converse(tmp_path, stream):  # pitfall 63
    """Codex returns what it was given; only Bedrock's own signature goes back, and to it alone."""
    cloud, fake = BY_NAME["converse"], bedrock.Bedrock(THINKING, CALL, stop="tool_use", token=bedrock.TOKEN)
    async with served(tmp_path, cloud, fake) as (h, up):
        first = {"model": "asked", "input": "Weather?", "stream": stream, "reasoning": {"effort": "high"}}
        first["tools"] = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]
        _, _, text = await h.ask("/v1/responses", first)
        if stream:
            text = next(line for line in text.splitlines() if "response.completed" in line and line[:5] == "data:")[5:]
        done = json.loads(text)
        output = (done["response"] if stream else done)["output"]
        result = {"type": "function_call_output", "call_id": CALL["id"], "output": "sun"}
        second = {**first, "input": [{"role": "user", "content": "Weather?"}, *output, result]}
        await h.ask("/v1/responses", second)
    assert fake.complaints == []
    turn = up.calls[1].json["messages"][1]["content"]
    assert turn[0] == {"reasoningContent": {"reasoningText": {"text": "Rome it is.", "signature": "c2lnbmVk"}}}
    thinking = {"type": "enabled", "budget_tokens": 16384}
    assert up.calls[1].json["additionalModelRequestFields"] == {"thinking": thinking}


async def test_two_keys_are_tried_in_turn(tmp_path):
    cloud, fake = BY_NAME["bedrock"], bedrock.Bedrock()
    async with Upstream(fake) as up:
        keys = tuple(UpstreamKey(f"uk_{name}", origin_of(root(up)), env=name) for name in ("OLD", "NEW"))
        environ = {"OLD": AWS_KEY, "NEW": f"{bedrock.KEY}:{bedrock.SECRET}"}
        from tests.server.hub import hub

        async with hub(tmp_path, [cloud.row(up, keys=keys)], environ=environ) as h:
            payload = {**asking("anthropic_messages", stream=False)[1], "model": cloud.model}
            assert (await h.ask("/v1/messages", payload))[0] == 200
    assert up.calls[-1].headers.get("x-amz-security-token") is None
