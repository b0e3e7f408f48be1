"""A request to the Gemini fake, as tests want to look at it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping

from tests.fakes.gemini_rules import Made
from tests.fakes.provider import JSON

_ADDRESS = re.compile(r"/v1(?:beta|alpha)?/models/([^/:]+):(\w+)(?:\?(.*))?$")


class GeminiRequest:
    """One request as a test wants to look at it."""

    def __init__(self, body: JSON, headers: dict[str, str], made: Mapping[str, Made]) -> None:
        self.body, self.headers, self.at = body, headers, 0.0
        self._made = made
        found = _ADDRESS.match(headers[":path"])
        assert found, headers[":path"]
        self.model, self.method, self.query = found[1], found[2], found[3] or ""

    @property
    def parts(self) -> list[JSON]:
        return [part for content in self.body["contents"] for part in content["parts"]]

    @property
    def tools(self) -> list[str]:
        return [str(declared["name"]) for declared in self.declared]

    @property
    def declared(self) -> list[JSON]:
        lists = (tool.get("functionDeclarations", ()) for tool in self.body.get("tools", ()))
        return list(itertools.chain(*lists))

    def tool(self, name: str) -> JSON:
        return next(declared for declared in self.declared if declared["name"] == name)

    @property
    def config(self) -> JSON:
        return dict(self.body.get("generationConfig", {}))

    @property
    def text(self) -> str:
        """All there is to read, in order."""
        system = self.body.get("systemInstruction", {}).get("parts", [])
        return "\n".join(map(_text, system + self.parts))

    @property
    def last_user(self) -> str:
        users = [one["parts"] for one in self.body["contents"] if one["role"] == "user"]
        said = ["\n".join(part["text"] for part in parts if "text" in part) for parts in users]
        return next((text for text in reversed(said) if text), "")

    @property
    def calls(self) -> list[str]:
        """The names of the calls in the history."""
        return [part["functionCall"]["name"] for part in self.parts if "functionCall" in part]

    @property
    def outputs(self) -> list[str]:
        """What tools returned, in order."""
        return [_text(part) for part in self.parts if "functionResponse" in part]

    @property
    def images(self) -> list[str]:
        inner = (part.get("functionResponse", {}).get("parts", ()) for part in self.parts)
        shown = [part["inlineData"] for part in [*self.parts, *itertools.chain(*inner)] if "inlineData" in part]
        return [f"data:{blob['mimeType']};base64,{blob['data']}" for blob in shown]

    @property
    def signatures(self) -> list[str]:
        return [part["thoughtSignature"] for part in self.parts if "thoughtSignature" in part]

    @property
    def thoughts(self) -> list[str]:
        """What was thought, out of the signatures that came back."""
        return [self._made[one].thought for one in self.signatures if one in self._made and self._made[one].thought]


def _text(part: JSON) -> str:
    if "functionResponse" in part:
        values = part["functionResponse"].get("response", {}).values()
        return "\n".join(value if isinstance(value, str) else json.dumps(value) for value in values)
    return str(part.get("text", ""))
