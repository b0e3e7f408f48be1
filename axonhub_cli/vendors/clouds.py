"""The clouds that sell other vendors' models: their addresses hold facts about the account, given as options."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from axonhub_cli.vendors.quirks import ChannelType, Fact, Quirks, Setting
from axonhub_cli.vendors.rows import CHAT, CONVERSE, GEMINI, MESSAGES, RESPONSES, facts

SIGNED = frozenset({"aws", "google"})  # values of `auth` for which no protocol puts a key into its headers

_AZURE_DOCS = "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle"
_INVOKE_DOCS = (
    "https://docs.aws.amazon.com/bedrock/latest/userguide/"
    "model-parameters-anthropic-claude-messages-request-response.html"
)
_CONVERSE_DOCS = "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"
_VERTEX_DOCS = "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference"
_CLAUDE_ON_VERTEX = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude"

_RESOURCE = Setting("resource", r"[a-zA-Z0-9][a-zA-Z0-9-]*", "my-resource")
_AWS = (
    Setting("region", r"[a-z]{2}(?:-[a-z]+)+-\d", "us-east-1", needed=True),
    Setting("aws_profile", r"\S+", "work"),
)
_GOOGLE = (
    Setting("project", r"[a-z][a-z0-9:.-]*[a-z0-9]", "my-project-123"),
    Setting("location", r"[a-z]+(?:-[a-z]+\d+)?", "us-east5"),
)
_BEDROCK = "https://bedrock-runtime.{region}.amazonaws.com"
_PLACE = "/v1/projects/{project}/locations/{location}"
_VERTEX = "https://{location}-aiplatform.googleapis.com" + _PLACE
# Google's own SDKs ask these hosts for what is no single region.
_WIDE = {
    "location=global": "https://aiplatform.googleapis.com" + _PLACE,
    "location=us": "https://aiplatform.us.rep.googleapis.com" + _PLACE,
    "location=eu": "https://aiplatform.eu.rep.googleapis.com" + _PLACE,
}
_BETAS = (
    "computer-use-",
    "context-1m-",
    "context-management-",
    "effort-",
    "interleaved-thinking-",
    "output-128k-",
    "token-efficient-tools-",
    "tool-examples-",
    "tool-search-tool-",
)


def _type(
    name: str,
    protocols: tuple[str, ...],
    url: str,
    told: tuple[Fact, ...],
    settings: tuple[Setting, ...],
    *,
    env: str | None = None,
    families: tuple[str, ...] = (),
    urls: Mapping[str, str] = {},
) -> ChannelType:
    quirks = msgspec.structs.replace(Quirks(), **{fact.field: fact.value for fact in told})
    return ChannelType(name, protocols, url, env, quirks, told, families, settings, urls)


_AZURE_FACTS = facts("2026-11", _AZURE_DOCS, cloud="azure", auth="api-key", custom_tools=True, audio=True)
_BEDROCK_FACTS = (
    *facts("2026-11", _INVOKE_DOCS, cloud="bedrock", auth="aws"),
    *facts("2026-11", _INVOKE_DOCS + ", pitfall 82: any other flag is a 400", betas=_BETAS),
    *facts("2026-11", _INVOKE_DOCS + " lists neither", strict_tools=False, response_format="none"),
)
_CONVERSE_FACTS = (
    *facts("2026-11", _CONVERSE_DOCS, cloud="bedrock", auth="aws"),
    *facts("2026-11", _CONVERSE_DOCS + " (only some models)", strict_tools=False, response_format="none"),
)
_VERTEX_FACTS = (
    *facts("2026-11", _VERTEX_DOCS, cloud="vertex", auth="google", audio=True),
    *facts("2026-11", _VERTEX_DOCS, efforts=("none", "minimal", "low", "medium", "high")),
)
_CLAUDE_FACTS = (
    *facts("2026-11", _CLAUDE_ON_VERTEX, cloud="vertex", auth="google"),
    *facts("2026-11", _CLAUDE_ON_VERTEX + ", pitfall 82: any other flag is a 400", betas=_BETAS),
    *facts("2026-11", _CLAUDE_ON_VERTEX + " lists neither", strict_tools=False, response_format="none"),
)

CLOUDS = (
    _type(
        "azure",
        (RESPONSES, CHAT),
        "https://{resource}.openai.azure.com/openai/v1",
        _AZURE_FACTS,
        (_RESOURCE,),
        env="AZURE_OPENAI_API_KEY",
        urls={"api_version": "https://{resource}.openai.azure.com/openai"},
    ),
    _type("bedrock", (MESSAGES,), _BEDROCK, _BEDROCK_FACTS, _AWS),
    _type("bedrock-converse", (CONVERSE,), _BEDROCK, _CONVERSE_FACTS, _AWS),
    _type("vertex", (GEMINI,), _VERTEX, _VERTEX_FACTS, _GOOGLE, families=("gemini-",), urls=_WIDE),
    _type("vertex-anthropic", (MESSAGES,), _VERTEX, _CLAUDE_FACTS, _GOOGLE, families=("claude-",), urls=_WIDE),
)
