"""The client of `axonhub demo`: one streamed request in Codex's shape, and what its answer must look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import msgspec
from msgspec import Struct

from axonhub_cli.cli.text import visible_block
from axonhub_cli.protocols.sse import SSEParser

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output

PROMPT = "Say hello"
EXPECTED = "Hello from the AxonHub demo model."
_TIMEOUT = aiohttp.ClientTimeout(total=30)


class Answer(Struct, frozen=True):
    """`problem` is None where everything was as it must be."""

    trace_id: str
    text: str
    problem: str | None


async def ask(url: str, key: str, model: str, out: Output) -> Answer:
    """Sends the request and prints the reply as it arrives."""
    session_id = str(uuid4())
    headers = {
        "Authorization": f"Bearer {key}",
        "Accept": "text/event-stream",
        "session-id": session_id,
        "thread-id": session_id,
        "x-client-request-id": session_id,
        "originator": "codex_exec",
    }
    text, problem = "", "the stream ended without response.completed"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
            call = session.post(f"{url}/v1/responses", json=_body(model, session_id), headers=headers)
            async with call as response:
                if response.status != 200:
                    return Answer(session_id, "", f"HTTP {response.status}: {(await response.text())[:500]}")
                parser = SSEParser()
                async for data in response.content.iter_any():
                    for event in parser.feed(data):
                        delta, ending = _read(msgspec.json.decode(event.data))
                        text += delta
                        out.write(visible_block(delta))
                        problem = ending if ending is not None else problem
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
        return Answer(session_id, text, f"{type(error).__name__}: {error}")
    return Answer(session_id, text, problem or _judged(text))


def _read(event: dict[str, Any]) -> tuple[str, str | None]:
    """(new text, how it ended): "" for a good end, words for a bad one, None while it goes on."""
    match event.get("type"):
        case "response.output_text.delta":
            return str(event.get("delta", "")), None
        case "response.completed":
            return "", ""
        case "response.failed" | "response.incomplete" | "error" as kind:
            return "", f"{kind}: {event.get('response', {}).get('error') or event.get('error')}"
        case _:
            return "", None


def _judged(text: str) -> str | None:
    return None if text == EXPECTED else f"the answer is {text!r}, not {EXPECTED!r}"


def _body(model: str, session_id: str) -> dict[str, Any]:
    """The fields Codex sends, in its order."""
    return {
        "model": model,
        "stream": True,
        "input": [
            _message("developer", "You are a coding agent. Use the tools where they help."),
            _message("user", "<environment_context>\n  <shell>bash</shell>\n</environment_context>"),
            _message("user", PROMPT),
        ],
        "tools": [
            {
                "type": "function",
                "name": "exec_command",
                "description": "Runs a command and returns its output.",
                "strict": False,
                "parameters": {
                    "type": "object",
                    "properties": {"cmd": {"type": "string", "description": "The shell command."}},
                    "required": ["cmd"],
                    "additionalProperties": False,
                },
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": session_id,
    }


def _message(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
