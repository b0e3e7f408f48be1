"""Takes a candidate's parts apart into pieces for the part writer (pitfalls 88, 91, 102)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import OpaquePart, ReasoningPart
from axonhub_cli.protocols.gemini.media import decode_blob
from axonhub_cli.protocols.gemini.signatures import EMPTY, FIELD, NAME, TEXT, THOUGHT, state
from axonhub_cli.protocols.gemini.wire import METADATA, WireCandidate
from axonhub_cli.protocols.parts import PartWriter


class PieceReader:
    """One answer's parts, in the order in which they come."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._ids: set[str] = set()
        self._calls = 0
        self._metadata: dict[str, Any] = {}

    def read(self, candidate: WireCandidate) -> None:
        """All that one chunk adds to the answer."""
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._part(part)
        for name in METADATA:
            if isinstance(value := getattr(candidate, name), dict) and value:
                self._metadata[name] = value  # each chunk repeats what is known, more of it every time
        if isinstance(candidate.logprobsResult, dict):
            self._writer.annotate(logprobs=_logprobs(candidate.logprobsResult))

    def finish(self) -> None:
        """The answer is complete."""
        for name, value in self._metadata.items():
            self._writer.whole(OpaquePart(NAME, name, {name: value}))
        self._metadata = {}

    def _part(self, part: dict[str, Any]) -> None:
        signature = part.get(FIELD)
        if not isinstance(signature, str):
            signature = ""
        text = part.get("text")
        if isinstance(call := part.get("functionCall"), dict):
            self._call(call, signature)
            return
        if isinstance(text, str) or (signature and len(part) == 1):
            self._text(text or "", part.get("thought") is True, signature)
        elif isinstance(blob := part.get("inlineData"), dict):
            mime, data, name = blob.get("mimeType"), blob.get("data"), blob.get("displayName")
            if isinstance(mime, str) and isinstance(data, str):
                self._writer.whole(decode_blob(mime, data, name if isinstance(name, str) else None))
            if signature:
                self._writer.whole(ReasoningPart(opaque=state(signature, EMPTY)))
        elif kinds := [name for name, value in part.items() if isinstance(value, dict)]:
            self._writer.whole(OpaquePart(NAME, kinds[0], part))

    def _text(self, text: str, thought: bool, signature: str) -> None:
        if thought:
            self._writer.reasoning(text, 0)
            place = THOUGHT
        else:
            self._writer.text(text)
            place = TEXT if text else EMPTY
        if signature:
            self._writer.whole(ReasoningPart(opaque=state(signature, place)))

    def _call(self, call: Mapping[str, Any], signature: str) -> None:
        """One whole call; Gemini does not cut them."""
        name, call_id = call.get("name"), call.get("id")
        arguments = call.get("args")
        text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
        if not isinstance(call_id, str) or not call_id or call_id in self._ids:
            call_id = self._made_up(f"{name}\0{text}\0{signature}")
        self._ids.add(call_id)
        key = self._calls
        self._calls += 1
        opaque = state(signature) if signature else None
        self._writer.call(key, call_id, name if isinstance(name, str) and name else None, text, opaque=opaque)
        self._writer.end_call(key)

    def _made_up(self, call: str) -> str:
        """Deterministic, unlike those of other answers (also where a relay gives all of them one id), short
        (pitfalls 39, 90, 91)."""
        seed = f"{self._writer.prefix}\0{call}".encode("utf-8", "replace")
        return f"call_{hashlib.sha256(seed).hexdigest()[:16]}_{self._calls}"


def _logprobs(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Log probabilities in the words of OpenAI, which are those of the other codecs."""
    chosen, tops = result.get("chosenCandidates"), result.get("topCandidates")
    tops = tops if isinstance(tops, list) else []
    found: list[dict[str, Any]] = []
    for at, entry in enumerate(chosen if isinstance(chosen, list) else ()):
        if (one := _logprob(entry)) is not None:
            top = tops[at].get("candidates") if at < len(tops) and isinstance(tops[at], dict) else None
            others = [_logprob(other) for other in (top if isinstance(top, list) else ())]
            found.append({**one, "top_logprobs": [other for other in others if other is not None]})
    return found


def _logprob(entry: Any) -> dict[str, Any] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        return None
    value = entry.get("logProbability")
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    return {"token": entry["token"], "logprob": number, "bytes": None}
