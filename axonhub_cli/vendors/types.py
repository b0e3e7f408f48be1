"""The channel types: base URL, key variable and accent of each vendor, as rows with a date and a source."""

from __future__ import annotations

import msgspec

from axonhub_cli.vendors.clouds import CLOUDS
from axonhub_cli.vendors.quirks import ChannelType, Fact, Quirks
from axonhub_cli.vendors.rows import CHAT, GEMINI, MESSAGES, RESPONSES
from axonhub_cli.vendors.rows import facts as _facts

# Optional top-level fields that servers built to be compatible took from the beginning; anything newer is refused
# somewhere (pitfall 13).
_CLASSIC = ("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "seed", "n")
_LOGPROBS = ("logprobs", "top_logprobs")

_DEEPSEEK_DOCS = "https://api-docs.deepseek.com/guides/thinking_mode"
_DEEPSEEK_API = "https://api-docs.deepseek.com/api/create-chat-completion"
_KIMI_DOCS = "https://platform.moonshot.ai/docs/api/chat"
_ZAI_DOCS = "https://docs.z.ai/guides/capabilities/thinking-mode"
_ZAI_API = "https://docs.z.ai/api-reference/llm/chat-completion"
_QWEN_DOCS = "https://help.aliyun.com/en/model-studio/deep-thinking"
_MINIMAX_DOCS = "https://platform.minimax.io/docs/api-reference/text-openai-api"
_OPENROUTER_DOCS = "https://openrouter.ai/docs/use-cases/reasoning-tokens"
_DEEPSEEK_MESSAGES = "https://api-docs.deepseek.com/guides/anthropic_api"
_MINIMAX_MESSAGES = "https://platform.minimax.io/docs/api-reference/text-anthropic-api"
_MISTRAL_IDS = "https://github.com/karthink/gptel/issues/1203 (a 400 for any other)"
_MISTRAL_TURNS = "https://github.com/zed-industries/zed/issues/37021 (a 400, seen until 2026-05)"
_OPENAI_DOCS = "https://platform.openai.com/docs/api-reference/chat/create"


# What any server that calls itself compatible is asked to take, and no more.
_COMPATIBLE = (
    *_facts("2026-08", "pitfall 2", system_role="system", merge_system=True),
    *_facts("2026-08", "pitfall 13", fields=_CLASSIC, strict_tools=False, parallel_tool_calls=False),
    *_facts("2026-08", "vLLM, llama.cpp, Ollama and LM Studio all take the older name", max_tokens_field="max_tokens"),
    *_facts("2026-08", "pitfall 16", efforts=("low", "medium", "high")),
    *_facts("2026-11", "wire.md M (thread titles): json_schema is not known everywhere", response_format="json_object"),
    *_facts("2026-08", "pitfall 27", files=False),
)


# How the names of each vendor's own models begin.
_FAMILIES = {
    "openai": ("gpt-", "o1", "o3", "o4", "chatgpt-", "codex-", "computer-use-", "text-embedding-"),
    "anthropic": ("claude-",),
    "gemini": ("gemini-", "gemma-", "learnlm-", "text-embedding-0"),
    "deepseek": ("deepseek-",),
    "moonshot": ("kimi-", "moonshot-"),
    "zhipu": ("glm-", "codegeex-"),
    "zai": ("glm-",),
    "qwen": ("qwen", "qwq-", "qvq-"),
    "minimax": ("minimax-", "abab"),
    "xai": ("grok-",),
    "mistral": ("mistral-", "codestral-", "devstral-", "magistral-", "ministral-", "pixtral-", "open-mi"),
    "demo": ("demo",),
}


def _type(name: str, url: str, env: str | None, *facts: Fact, protocols: tuple[str, ...] = (CHAT,)) -> ChannelType:
    """The last fact about a field stands."""
    quirks = msgspec.structs.replace(Quirks(), **{fact.field: fact.value for fact in facts})
    return ChannelType(name, protocols, url, env, quirks, facts, _FAMILIES.get(name, ()))


_GLM = (
    *_COMPATIBLE,
    *_facts("2026-08", "pitfall 17", effort_style="thinking"),
    *_facts("2026-08", _ZAI_DOCS + " (on or off; levels only on the newest models)", efforts=("none",)),
    *_facts("2026-11", _ZAI_DOCS + " (interleaved thinking), pitfall 125", reasoning_echo="tool_calls"),
    *_facts("2026-11", _ZAI_API, fields=("temperature", "top_p", "stop"), forced_tool_choice=False),
    *_facts("2026-11", _ZAI_API + ": else arguments come in one piece at the end", body={"tool_stream": True}),
)

# What a server is asked to take that speaks Messages and is not Anthropic's.
_LIKE_ANTHROPIC = (
    *_facts("2026-11", "pitfall 82: unknown fields and betas are refused somewhere", betas=(), strict_tools=False),
    *_facts("2026-11", "pitfall 82", fields=("temperature", "top_p", "stop_sequences", "thinking", "metadata")),
    *_facts("2026-11", "QwenLM/Qwen issue 2244: the role system is refused in messages", mid_system="never"),
    *_facts("2026-11", "output_config.format is Anthropic's own", response_format="none"),
)

_TYPES = (
    _type(
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        *_facts("2026-11", _OPENAI_DOCS, custom_tools=True, audio=True),
        *_facts("2026-08", "pitfall 171: nobody else's business", codex_headers=True),
        protocols=(RESPONSES, CHAT),
    ),
    _type("openai-compatible", "", None, *_COMPATIBLE),
    _type(
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        *_COMPATIBLE,
        *_facts("2026-11", _DEEPSEEK_DOCS, effort_style="thinking", efforts=("none", "low", "high", "max")),
        *_facts("2026-11", _DEEPSEEK_DOCS + ", pitfall 117", reasoning_echo="tool_calls"),
        *_facts("2026-08", "pitfall 117 (a 400 without)", reasoning_placeholder="(not recorded)"),
        *_facts("2026-08", "pitfall 11", vision=False),
        *_facts(
            "2026-11",
            _DEEPSEEK_API,
            fields=("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", *_LOGPROBS),
            response_format="json_object",
        ),
    ),
    _type(
        "moonshot",
        "https://api.moonshot.cn/v1",
        "MOONSHOT_API_KEY",
        *_COMPATIBLE,
        *_facts("2026-08", "pitfall 122: real reasoning back, never a placeholder", reasoning_echo="always"),
        *_facts("2026-08", "pitfall 17", effort_style="thinking", efforts=("none",)),
        *_facts(
            "2026-08",
            _KIMI_DOCS,
            fields=("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "n", "prompt_cache_key"),
            forced_tool_choice=False,
        ),
    ),
    _type("zhipu", "https://open.bigmodel.cn/api/paas/v4", "ZHIPU_API_KEY", *_GLM),
    _type("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", *_GLM),
    _type(
        "qwen",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        *_COMPATIBLE,
        *_facts("2026-11", _QWEN_DOCS + ", pitfall 17", effort_style="enable_thinking", efforts=("none",)),
        *_facts(
            "2026-08",
            _QWEN_DOCS,
            fields=("temperature", "top_p", "top_k", "stop", "presence_penalty", "seed", "n", *_LOGPROBS),
            parallel_tool_calls=True,
            forced_tool_choice=False,
        ),
        *_facts("2026-08", "pitfall 57 (GLM leaks a lone closing tag there)", think_tags=True),
    ),
    _type(
        "minimax",
        "https://api.minimaxi.com/v1",
        "MINIMAX_API_KEY",
        *_COMPATIBLE,
        *_facts("2026-08", "pitfall 125", reasoning_echo="always", reasoning_field="reasoning_details"),
        *_facts("2026-11", _MINIMAX_DOCS, body={"reasoning_split": True}, fields=("temperature", "top_p")),
        *_facts("2026-08", "pitfall 57: models that do not know reasoning_split", think_tags=True),
        *_facts("2026-08", "no switch is documented", effort_style="none", efforts=()),
        *_facts("2026-08", "tool_choice is none or auto", forced_tool_choice=False),
        *_facts("2026-11", _MINIMAX_DOCS + ": text models", vision=False, response_format="none"),
    ),
    _type(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        *_COMPATIBLE,
        *_facts("2026-08", "pitfalls 16, 17", effort_style="reasoning"),
        *_facts("2026-08", _OPENROUTER_DOCS, efforts=("none", "minimal", "low", "medium", "high", "xhigh")),
        *_facts(
            "2026-08",
            _OPENROUTER_DOCS + " (preserving reasoning blocks)",
            reasoning_echo="always",
            reasoning_field="reasoning_details",
            reasoning_unsigned=False,
        ),
        *_facts(
            "2026-08",
            "https://openrouter.ai/docs/api-reference/parameters",
            fields=(*_CLASSIC, "top_k", *_LOGPROBS, "user", "verbosity"),
            parallel_tool_calls=True,
            response_format="json_schema",
            files=True,
        ),
    ),
    _type(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://docs.x.ai/docs/guides/reasoning (some Grok models refuse the field)",
            effort_style="none",
            efforts=("low", "high"),
        ),
        *_facts(
            "2026-08",
            "https://docs.x.ai/docs/api-reference",
            fields=("temperature", "top_p", "seed", "n", "user", *_LOGPROBS),
            parallel_tool_calls=True,
            response_format="json_schema",
        ),
    ),
    _type(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://console.groq.com/docs/api-reference",
            fields=("temperature", "top_p", "stop", "seed", "user"),
            max_tokens_field="max_completion_tokens",
            parallel_tool_calls=True,
        ),
        *_facts("2026-08", "https://console.groq.com/docs/reasoning (only some models take it)", effort_style="none"),
    ),
    _type(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://docs.mistral.ai/api (anything else is a 422)",
            fields=("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "n"),
            parallel_tool_calls=True,
            response_format="json_schema",
            stream_usage=False,
        ),
        *_facts("2026-08", "pitfall 13: unknown fields are refused", effort_style="none", efforts=()),
        *_facts("2026-11", _MISTRAL_IDS, short_call_ids=True),
        *_facts("2026-11", _MISTRAL_TURNS, answered_results=True),
    ),
    _type(
        "siliconflow",
        "https://api.siliconflow.cn/v1",
        "SILICONFLOW_API_KEY",
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://docs.siliconflow.cn/en/api-reference/chat-completions/chat-completions",
            effort_style="enable_thinking",
            efforts=("none",),
            fields=("temperature", "top_p", "top_k", "stop", "frequency_penalty", "n"),
        ),
    ),
    _type(
        "ollama",
        "http://127.0.0.1:11434/v1",
        None,
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://docs.ollama.com/api/openai-compatibility",
            fields=("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "seed"),
            efforts=("none", "low", "medium", "high"),
            response_format="json_schema",
        ),
    ),
    _type(
        "lmstudio",
        "http://127.0.0.1:1234/v1",
        None,
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://lmstudio.ai/docs/app/api/structured-output (json_object is refused there)",
            response_format="json_schema",
        ),
    ),
    _type(
        "vllm",
        "http://127.0.0.1:8000/v1",
        None,
        *_COMPATIBLE,
        *_facts(
            "2026-08",
            "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
            fields=(*_CLASSIC, "top_k", *_LOGPROBS),
            parallel_tool_calls=True,
            response_format="json_schema",
        ),
    ),
    _type("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY", protocols=(MESSAGES,)),
    _type("anthropic-compatible", "", None, *_LIKE_ANTHROPIC, protocols=(MESSAGES,)),
    _type(
        "deepseek-anthropic",
        "https://api.deepseek.com/anthropic",
        "DEEPSEEK_API_KEY",
        *_LIKE_ANTHROPIC,
        *_facts("2026-11", _DEEPSEEK_DOCS, thinking_style="enabled", efforts=("low", "high", "max")),
        *_facts("2026-08", "pitfall 124 (a 400 without)", unsigned_thinking=True),
        *_facts(
            "2026-11",
            _DEEPSEEK_MESSAGES,
            fields=("temperature", "top_p", "stop_sequences", "thinking", "output_config"),
            cache_control=False,
        ),
        *_facts("2026-08", "pitfall 11", vision=False, files=False),
        protocols=(MESSAGES,),
    ),
    _type(
        "moonshot-anthropic",
        "https://api.moonshot.cn/anthropic",
        "MOONSHOT_API_KEY",
        *_LIKE_ANTHROPIC,
        *_facts("2026-11", "platform.moonshot.ai/docs: Claude Code is given ANTHROPIC_AUTH_TOKEN", auth="bearer"),
        *_facts("2026-08", "pitfall 122: real reasoning back", unsigned_thinking=True),
        protocols=(MESSAGES,),
    ),
    _type(
        "zai-anthropic",
        "https://api.z.ai/api/anthropic",
        "ZAI_API_KEY",
        *_LIKE_ANTHROPIC,
        *_facts("2026-11", "docs.z.ai: Claude Code is given ANTHROPIC_AUTH_TOKEN", auth="bearer"),
        *_facts("2026-11", _ZAI_DOCS + " (interleaved thinking), pitfall 125", unsigned_thinking=True),
        protocols=(MESSAGES,),
    ),
    _type(
        "zhipu-anthropic",
        "https://open.bigmodel.cn/api/anthropic",
        "ZHIPU_API_KEY",
        *_LIKE_ANTHROPIC,
        *_facts("2026-11", "docs.bigmodel.cn: Claude Code is given ANTHROPIC_AUTH_TOKEN", auth="bearer"),
        *_facts("2026-11", _ZAI_DOCS + " (interleaved thinking), pitfall 125", unsigned_thinking=True),
        protocols=(MESSAGES,),
    ),
    _type(
        "minimax-anthropic",
        "https://api.minimaxi.com/anthropic",
        "MINIMAX_API_KEY",
        *_LIKE_ANTHROPIC,
        *_facts("2026-11", _MINIMAX_MESSAGES + " (the whole content goes back)", unsigned_thinking=True),
        *_facts(
            "2026-11",
            _MINIMAX_MESSAGES,
            fields=("temperature", "top_p", "thinking", "metadata"),
            vision=False,
            files=False,
        ),
        protocols=(MESSAGES,),
    ),
    _type(
        "gemini",
        "https://generativelanguage.googleapis.com",
        "GEMINI_API_KEY",
        *_facts("2026-11", "https://ai.google.dev/gemini-api/docs/audio", audio=True),
        *_facts("2026-11", "pitfall 93 (from Gemini 3 on, which the codec minds)", tool_images=True),
        *_facts(
            "2026-11",
            "https://ai.google.dev/gemini-api/docs/thinking (older models: a number of tokens)",
            efforts=("none", "minimal", "low", "medium", "high"),
        ),
        protocols=(GEMINI,),
    ),
    _type("demo", "demo://", None, *_facts("2026-11", "axonhub itself", system_role="system")),
)

CHANNEL_TYPES: dict[str, ChannelType] = {row.name: row for row in (*_TYPES, *CLOUDS)}
