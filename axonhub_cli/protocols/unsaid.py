"""What of an upstream's answer a client's protocol has no words for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from axonhub_cli.llm.content import OpaquePart, Part, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.protocols.base import Codec, Loss


def unsaid(client: Codec, parts: Iterable[Part]) -> tuple[Loss, ...]:
    """One loss for each kind of thing; `parts` as the upstream gave them, before they were sealed."""
    return tuple(dict.fromkeys(loss for part in parts for loss in _of(client, part)))


def _of(client: Codec, part: Part) -> Iterator[Loss]:
    manners = client.manners
    match part:
        case OpaquePart(protocol=protocol, kind=kind) if protocol != client.name:
            yield Loss(f"answer.{kind}", f"only {protocol} has a word for it")
        case ReasoningPart() | ToolCallPart() if not manners.returns_state and part.opaque.keys() - {client.name}:
            yield Loss("answer.state", "this protocol's clients have no field to bring it back in")
        case TextPart(annotations=notes) if manners.citations == "none" and notes:
            yield Loss("answer.annotations", "this protocol has no citations for them")
        case TextPart(annotations=notes) if manners.citations == "own" and any(client.name not in n for n in notes):
            yield Loss("answer.annotations", "this protocol cites in its own way only")
