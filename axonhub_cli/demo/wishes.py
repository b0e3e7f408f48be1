"""What a user's words ask the demo model to do."""

from __future__ import annotations

import re

from msgspec import Struct


class RunCommand(Struct, frozen=True, tag="run"):
    """Run a shell command."""

    command: str


class ApplyPatch(Struct, frozen=True, tag="patch"):
    """Change files. `path` and `content` are set where one whole file is written."""

    patch: str
    path: str | None = None
    content: str | None = None


Wish = RunCommand | ApplyPatch

_PATCH = re.compile(r"\*\*\* Begin Patch\n.*?\*\*\* End Patch", re.DOTALL)
_CREATE = re.compile(
    r"\b(?:create|write|add|make)\s+(?:an?\s+|the\s+)?(?:new\s+)?(?:file\s+)(?:named\s+|called\s+)?"
    r"[`'\"]?(?P<path>[^\s`'\"]+)[`'\"]?,?\s+(?:with|containing|that\s+says)\s+"
    r"(?:the\s+)?(?:(?:text|contents?|line)\s*:?\s+)?(?P<content>.+)",
    re.IGNORECASE | re.DOTALL,
)
_REPLACE = re.compile(
    r"\b(?:replace|change)\s+`(?P<old>[^`\n]*)`\s+(?:with|by|to)\s+`(?P<new>[^`\n]*)`\s+in\s+(?:the\s+file\s+)?"
    r"[`'\"]?(?P<path>[^\s`'\"]+)",
    re.IGNORECASE,
)
_QUOTED_RUN = re.compile(r"\b(?:run|execute)\b[^`\n]{0,40}`(?P<command>[^`]+)`", re.IGNORECASE)
_PLAIN_RUN = re.compile(
    r"^[ \t]*(?:please\s+)?(?:run|execute)\s*:?\s+(?:the\s+command\s+)?(?P<command>\S.*)$", re.IGNORECASE | re.MULTILINE
)
_ECHO = re.compile(r"^[ \t]*(?P<command>echo\s+\S.*)$", re.MULTILINE)
_AFTERTHOUGHT = re.compile(
    r"[,;]?\s+(?:and|then)\s+(?:then\s+)?(?:tell|report|show|say|print|give|let)\s+.*$", re.IGNORECASE
)
_SAY = re.compile(
    r"\b(?:say|reply|answer|respond)\b(?:\s+(?:with|only|exactly|just))*\s*:?\s*"
    r"(?:\"(?P<quoted>[^\"]+)\"|`(?P<ticked>[^`]+)`|(?P<plain>[^\n]+))",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bcount\s+(?:from\s+1\s+)?to\s+(\d{1,5})\b", re.IGNORECASE)
_SUMMARY = re.compile(
    r"context checkpoint|\bcompact(?:ion)?\b.*\bsummary|\bsummari[sz]e\s+(?:the|this|our)\s+conversation|"
    r"\bsummary of (?:the|this|our) conversation",
    re.IGNORECASE | re.DOTALL,
)


def wishes(text: str) -> tuple[Wish, ...]:
    """What to do for `text`, in order; nothing for a text that is only to be answered."""
    if patch := _PATCH.search(text):
        return (ApplyPatch(patch.group()),)
    if created := _CREATE.search(text):
        return (create_file(created["path"].rstrip(",."), _unquoted(created["content"])),)
    if replaced := _REPLACE.search(text):
        old, new, path = replaced["old"], replaced["new"], replaced["path"].rstrip(",.")
        return (ApplyPatch(f"*** Begin Patch\n*** Update File: {path}\n@@\n-{old}\n+{new}\n*** End Patch"),)
    if quoted := [RunCommand(match["command"].strip()) for match in _QUOTED_RUN.finditer(text)]:
        return tuple(quoted)
    plain = _PLAIN_RUN.search(text) or _ECHO.search(text)
    if plain:
        command = _AFTERTHOUGHT.sub("", plain["command"]).strip().rstrip(".")
        return (RunCommand(_unquoted(command)),)
    if re.search(r"\bapply[_ ]patch\b", text):
        return (create_file("axonhub-demo.txt", "Hello from the demo model."),)
    return ()


def create_file(path: str, content: str) -> ApplyPatch:
    """A patch that adds one file."""
    lines = content.split("\n")
    added = "\n".join(f"+{line}" for line in lines)
    return ApplyPatch(f"*** Begin Patch\n*** Add File: {path}\n{added}\n*** End Patch", path, content)


def words_to_say(text: str) -> str | None:
    """The answer `text` dictates: `say …`, `reply with …`, `count to …`; None where it does not."""
    if counted := _COUNT.search(text):
        return "\n".join(str(number) for number in range(1, int(counted.group(1)) + 1))
    if said := _SAY.search(text):
        return _unquoted((said["quoted"] or said["ticked"] or said["plain"]).strip())
    return None


def wants_summary(text: str) -> bool:
    """True for the prompts with which agents compact a conversation."""
    return bool(_SUMMARY.search(text[:2000]))


def _unquoted(text: str) -> str:
    text = text.strip()
    for fence in ("```", "`", '"', "'"):
        if len(text) > 2 * len(fence) and text.startswith(fence) and text.rstrip(".").endswith(fence):
            inner = text.rstrip(".")[len(fence) : -len(fence)]
            return inner.strip("\n") if fence == "```" else inner
    return text
