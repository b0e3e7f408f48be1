"""The list of models for each client's official SDK, whatever it says about pages (pitfall 164)."""

import anthropic
import openai
import pytest

from axonhub_cli.entities import Profile, Rule
from tests.server.hub import channel, hub
from tests.server.speakers import clients

NAMES = ["gpt-5", "deepseek-chat", "meta/llama-4"]
ROWS = [channel("a", "http://127.0.0.1:9/v1", models=("deepseek-chat", "meta/llama-4"))]
PROFILE = Profile(id="pr_t", name="tests", rules=(Rule("gpt-5", "deepseek-chat"),))


@pytest.fixture
async def h(tmp_path):
    async with hub(tmp_path, ROWS, profile=PROFILE) as opened:
        yield opened


async def test_openais_sdk(h):
    sdk = clients(h).openai
    assert [model.id async for model in sdk.models.list()] == NAMES
    assert [model.id async for model in sdk.models.list(extra_query={"limit": 1, "after": "gpt-5"})] == NAMES
    found = await sdk.models.retrieve("meta/llama-4")
    assert (found.id, found.object, found.owned_by) == ("meta/llama-4", "model", "axonhub")
    with pytest.raises(openai.NotFoundError) as told:
        await sdk.models.retrieve("nope")
    assert told.value.code == "model_not_found"


@pytest.mark.parametrize("page", [{}, {"limit": 1}, {"limit": 2, "after_id": "x"}, {"before_id": "x"}])
async def test_anthropics_sdk(h, page):
    sdk = clients(h).anthropic
    assert [model.id async for model in sdk.models.list(**page)] == NAMES
    first = await sdk.models.list(**page)
    assert (first.has_more, first.first_id, first.last_id) == (False, NAMES[0], NAMES[-1])
    assert (await sdk.models.retrieve("gpt-5")).type == "model"
    with pytest.raises(anthropic.NotFoundError):
        await sdk.models.retrieve("nope")


@pytest.mark.parametrize("page", [{}, {"page_size": 1}, {"page_size": 2, "page_token": "x"}])
async def test_googles_sdk(h, page):
    sdk = clients(h).gemini
    listed = [model async for model in await sdk.models.list(config=page)]
    assert [model.name for model in listed] == [f"models/{name}" for name in NAMES]
    assert all(model.input_token_limit and model.output_token_limit for model in listed)
    assert all("generateContent" in model.supported_actions for model in listed)
    assert (await sdk.models.get(model="models/gpt-5")).display_name == "gpt-5"


async def test_codexs_catalog_and_who_gets_which(h):
    """Codex asks by `client_version`, also where other SDKs' marks are there."""
    shapes = (
        ("/v1/models?client_version=0.169.0", {}, "models", "slug"),
        ("/v1/models?client_version=0.169.0&limit=5", {"anthropic-version": "2023-06-01"}, "models", "slug"),
        ("/models?limit=1000&page=2", {}, "data", "object"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "data", "type"),
        ("/v1beta/models?pageSize=1", {}, "models", "supportedGenerationMethods"),
        ("/v1/models", {"x-goog-api-client": "genai"}, "models", "supportedGenerationMethods"),
    )
    for path, headers, rows, mark in shapes:
        auth = {"Authorization": f"Bearer {h.key}", **headers}
        async with h.session.get(h.url + path, headers=auth) as response:
            listed = (await response.json())[rows]
        assert (response.status, len(listed)) == (200, 3) and all(mark in row for row in listed), path
