"""What a user's message holds besides text, where the upstream wants it otherwise."""

from __future__ import annotations

from axonhub_cli.llm.content import FilePart, OpaquePart, TextPart


def file_name(part: FilePart) -> str | None:
    """The name of a file. OpenAI refuses bytes without one (https://github.com/laravel/ai/issues/321, 2026-03)."""
    if part.filename or part.data is None:
        return part.filename
    kind = part.data[5:].partition(";")[0].rpartition("/")[2] if part.data.startswith("data:") else "pdf"
    return f"file.{kind}"


def left_out(part: OpaquePart) -> TextPart:
    """Words for something that a user showed and this upstream cannot see."""
    return TextPart(f"[{part.kind} left out: this model cannot read it]")
