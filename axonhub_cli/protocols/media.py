"""What a message holds besides text: its true kind, its name, and words for what an upstream cannot take."""

from __future__ import annotations

import base64

from axonhub_cli.llm.content import FilePart, OpaquePart, TextPart

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF": "application/pdf",
}
SHOWN = frozenset({*_MAGIC.values(), "image/webp"})
NO_IMAGE = "[image left out: this model reads text only]"
NO_AUDIO = "[audio left out: this model cannot listen]"


def shown_type(data: str) -> str | None:
    """The media type that the first bytes of base64 show, whatever was said of it (pitfall 78); one of `SHOWN`. Raises
    ValueError where they are no base64."""
    first = base64.b64decode(data[:24], validate=True)
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), None)


def file_name(part: FilePart) -> str | None:
    """The name of a file. OpenAI refuses bytes without one (https://github.com/laravel/ai/issues/321, 2026-03)."""
    if part.filename or part.data is None:
        return part.filename
    kind = part.data[5:].partition(";")[0].rpartition("/")[2] if part.data.startswith("data:") else "pdf"
    return f"file.{kind}"


def no_file(part: FilePart) -> str:
    """Words for a file that this upstream does not take."""
    return f"[file left out: {part.filename or part.url or part.file_id or 'unnamed'}]"


def left_out(part: OpaquePart) -> TextPart:
    """Words for something that a user showed and this upstream cannot see."""
    return TextPart(f"[{part.kind} left out: this model cannot read it]")
