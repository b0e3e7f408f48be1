"""Tools that take free text, on wires that know only functions: down as `{"input": "…"}`, and back up.

What models send back is often not quite that (pitfall 103); `unwrap_input` mends what can be mended without guessing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import CustomTool, FunctionTool
from axonhub_cli.protocols.unescape import InputReader

APPLY_PATCH = "apply_patch"
BEGIN, END = "*** Begin Patch", "*** End Patch"
SAMPLE = (
    "*** Begin Patch\n"
    "*** Add File: notes/hello.txt\n"
    "+Hello\n"
    "*** Update File: src/app.py\n"
    "@@ def greet():\n"
    '-    print("Hi")\n'
    '+    print("Hello")\n'
    "*** Delete File: old.txt\n"
    "*** End Patch\n"
)
_BEGIN = re.compile(r"^[ \t]*\*{3} ?begin patch(?: ?\*{3})?[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(r"^[ \t]*\*{3} ?end patch(?: ?\*{3})?[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(r"\*\*\* (?:Add|Update|Delete) File: \S")
_CLOSED_HEADER = re.compile(r"^(\*\*\* (?:Add File|Update File|Delete File|Move to): .*?\S) \*{3}$", re.MULTILINE)
_FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\r?\n(.*?)\r?\n?```\s*\Z", re.DOTALL)
_BAD_ESCAPE = re.compile(r'(\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})|\\')
_QUOTED = re.compile(r'\{\s*"\w+"\s*:\s*"(.*)"\s*\}\Z', re.DOTALL)
_BARE_QUOTE = re.compile(r'(\\.)|"', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # takes raw line breaks inside strings, which msgspec refuses
_DEPTH = 4


def lower_custom(tool: CustomTool, flat_name: str) -> FunctionTool:
    """The same tool as a function with one string, its grammar told in words (pitfall 103)."""
    words = [tool.description or "", 'Call it with a JSON object whose only field "input" holds the raw text.']
    form: Mapping[str, Any] = tool.format or {}
    if form.get("type") == "grammar" and form.get("definition"):
        words.append(f"The text must match this {form.get('syntax', 'formal')} grammar:\n{form['definition']}")
    if is_patch(tool.name):
        words.append(f"A valid value of input:\n{SAMPLE}")
    text: dict[str, Any] = {"type": "string", "description": "The raw text for the tool, not wrapped any further."}
    parameters = {"type": "object", "properties": {"input": text}, "required": ["input"], "additionalProperties": False}
    return FunctionTool(flat_name, "\n\n".join(filter(None, words)), parameters)


def wrap_input(text: str) -> str:
    """The arguments that `unwrap_input` takes apart; for calls in the history."""
    return msgspec.json.encode({"input": text}).decode()


def is_patch(tool_name: str) -> bool:
    """Whether a tool takes Codex's patches, under whatever namespace."""
    return re.split(r"__|\.", tool_name)[-1] == APPLY_PATCH


def unwrap_input(arguments: str, tool_name: str) -> str | None:
    """The raw text a custom tool was called with; None where the arguments are broken or hold no such text.

    For apply_patch the frame of the patch is mended; a text that is no patch at all comes back as it is,
    so that the client can tell the model.
    """
    patch = is_patch(tool_name)
    value = _json(arguments)
    if value is None:
        return _broken(arguments, patch)
    text = _text(value, patch, _DEPTH)
    return _mend(text) if text is not None and patch else text


def _json(arguments: str) -> Any:
    """The JSON, however loosely written; None where there is none."""
    if fenced := _FENCE.match(arguments):
        arguments = fenced[1]
    try:
        return msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _loose_json(arguments.strip())


def _loose_json(arguments: str) -> Any:
    """With raw line breaks in strings, backslashes that escape nothing, brackets too many or the last one missing."""
    escaped = _BAD_ESCAPE.sub(lambda match: match[1] or r"\\", arguments)
    for text in (arguments, escaped, arguments + "}", escaped + "}"):
        try:
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            continue
        if not text[end:].strip("}] \r\n\t`"):
            return value
    return None


def _text(value: Any, patch: bool, depth: int) -> str | None:
    """The one text in a value that should be `{"input": text}`."""
    if isinstance(value, str):
        return _inner(_whole_characters(value), patch, depth)
    if depth == 0:
        return None
    if isinstance(value, dict):
        if "input" in value:
            return _text(value["input"], patch, depth - 1)
        return _text(next(iter(value.values())), patch, depth - 1) if len(value) == 1 else _named(value, patch, depth)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        # {"command": ["apply_patch", "…"]}, ["bash", "-lc", "apply_patch <<'EOF' …"], or a text line by line
        whole = [item for item in value if patch and _BEGIN.search(item) and _END.search(item)]
        return _whole_characters(whole[0] if whole else "\n".join(value)) if patch else None
    return None


def _inner(text: str, patch: bool, depth: int) -> str | None:
    """A text that is itself the JSON once more is opened; only for patches, whose text is never JSON."""
    if patch and depth and text.lstrip().startswith(("{", '"', "[")):
        value = _json(text)
        inner = _text(value, patch, depth - 1) if value is not None else None
        return inner if inner is not None else text
    return text


def _named(value: dict[str, Any], patch: bool, depth: int) -> str | None:
    """Of several fields, the one that holds a patch; no guess for other tools."""
    found = [text for item in value.values() if (text := _text(item, patch, depth - 1)) and _BEGIN.search(text)]
    return found[0] if patch and len(found) == 1 else None


def _broken(arguments: str, patch: bool) -> str | None:
    """Arguments that are no JSON: the raw text itself, or JSON that lacks its end after a whole patch."""
    text = arguments.strip()
    if not patch:
        return None if not text or text.startswith(("{", '"', "[")) else arguments
    if not text.startswith(("{", '"', "[")):
        return _mend(text) if _END.search(text) else None
    reader = InputReader()
    inside = reader.feed(text)
    if not reader.failed and _BEGIN.search(inside) and _END.search(inside):
        return _mend(inside)
    if quoted := _QUOTED.match(text):  # quotes inside the text that nobody escaped
        text = _unescape(quoted[1])
    return _framed(text)


def _framed(text: str) -> str | None:
    """From the first Begin line to the last End line, whatever stands around them: fences, a heredoc, prose."""
    begin, ends = _BEGIN.search(text), list(_END.finditer(text))
    if begin is None or not ends or ends[-1].start() < begin.end():
        return None
    return f"{BEGIN}{text[begin.end() : ends[-1].start()].removesuffix(chr(13))}{END}"


def _mend(text: str) -> str:
    """A patch with its frame as Codex wants it; unchanged where that is not clear."""
    original = text
    if "\n" not in text.strip() and "\\n" in text:  # escaped once too often
        text = _unescape(text)
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    text = _CLOSED_HEADER.sub(r"\1", text)
    lines = text.rstrip().split("\n")
    if lines[0] == BEGIN and lines[-1] == END:
        return text
    if (frame := _framed(text)) is not None:
        return frame + "\n"
    if fenced := _FENCE.match(text):
        text = fenced[1]
    begin = _BEGIN.search(text)
    body = (text[begin.end() :] if begin else text).strip("\r\n")
    body = _END.sub("", body).rstrip("\n")
    return f"{BEGIN}\n{body}\n{END}\n" if _FILE.match(body) else original


def _unescape(text: str) -> str:
    """What stands between the quotes of a JSON string, where quotes inside of it may be bare."""
    try:
        quoted = _BARE_QUOTE.sub(lambda match: match[1] or r"\"", text)
        value = _DECODER.decode(f'"{quoted}"')
    except ValueError:
        return text
    return _whole_characters(value) if isinstance(value, str) else text


def _whole_characters(text: str) -> str:
    """Without lone surrogates, which no UTF-8 can carry."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class InputStream:
    """The raw text of a custom call while its arguments arrive.

    Gives only what is certain to begin the final text: of a patch, whole lines after a right first line and
    before the last; of any other tool, every character of `{"input": "…"}`.
    """

    def __init__(self, tool_name: str) -> None:
        self._name = tool_name
        self._patch = is_patch(tool_name)
        self._reader = InputReader()
        self._sent: list[str] = []
        self._line = ""  # of a patch, not complete
        self._halted = False

    def feed(self, fragment: str) -> str:
        """The text that these arguments add."""
        text = self._reader.feed(fragment)
        if self._patch and text:
            text = self._lines(text)
        if text:
            self._sent.append(text)
        return text

    def close(self, arguments: str) -> str | None:
        """The final text for the whole arguments, which begins with all that was given; None: see `unwrap_input`."""
        sent = "".join(self._sent)
        final = unwrap_input(arguments, self._name)
        if final is None or final.startswith(sent):
            return final
        reader = InputReader()  # an object that says `input` twice, say: the first one has been shown
        first = reader.feed(arguments)
        return first if reader.closed and first.startswith(sent) else None

    def _lines(self, text: str) -> str:
        if self._halted:
            return ""
        *lines, self._line = (self._line + text).split("\n")
        sure: list[str] = []
        for line in lines:
            if not self._sent and not sure and line != BEGIN:
                self._halted = True
                break
            if _END.match(line) or "\r" in line:
                self._halted = True
                break
            sure.append(_CLOSED_HEADER.sub(r"\1", line) + "\n")
        return "".join(sure)
