"""Free text through wires that know only functions: pitfall 103."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.content import CustomTool
from axonhub_cli.protocols.patch import SAMPLE, InputStream, lower_custom, unwrap_input, wrap_input
from axonhub_cli.protocols.unescape import InputReader

PATCH = '*** Begin Patch\n*** Update File: a.py\n@@\n-print("a\\n")\n+print("b\\n")  # é😀\n*** End Patch\n'
BODY = PATCH.removeprefix("*** Begin Patch\n").removesuffix("*** End Patch\n")


def wrapped(text: str, key: str = "input") -> str:
    return json.dumps({key: text})


MALFORMED = {
    "as it should be": wrapped(PATCH),
    "other field": wrapped(PATCH, "patch"),
    "command with the text": wrapped(PATCH, "command"),
    "command list": json.dumps({"command": ["apply_patch", PATCH]}),
    "bare list": json.dumps(["apply_patch", PATCH]),
    "shell command list": json.dumps({"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}EOF"]}),
    "list inside input": json.dumps({"input": ["apply_patch", PATCH]}),
    "lines": json.dumps({"input": PATCH.split("\n")}),
    "object inside input": json.dumps({"input": {"patch": PATCH}}),
    "object beside others": json.dumps({"workdir": "/", "patch": PATCH}),
    "fences": wrapped(f"```diff\n{PATCH}```"),
    "fences in prose": wrapped(f"Here it is:\n```\n{PATCH}```\nDone."),
    "fenced json": f"```json\n{wrapped(PATCH)}\n```",
    "starred markers": wrapped(PATCH.replace("Begin Patch", "Begin Patch ***").replace("End Patch", "End Patch ***")),
    "lower-case markers": wrapped(PATCH.replace("Begin Patch", "begin patch")),
    "starred header": wrapped(PATCH.replace("a.py", "a.py ***")),
    "heredoc": wrapped(f"apply_patch <<'EOF'\n{PATCH}EOF\n"),
    "heredoc through cat": wrapped(f'cat <<"PATCH" | apply_patch\n{PATCH}PATCH'),
    "encoded twice": json.dumps(wrapped(PATCH)),
    "object as string": wrapped(wrapped(PATCH)),
    "escaped twice": wrapped(json.dumps(PATCH)[1:-1]),
    "raw text": PATCH,
    "raw text in fences": f"```\n{PATCH}```",
    "raw heredoc": f"apply_patch <<'EOF'\n{PATCH}EOF",
    "no begin": wrapped(BODY + "*** End Patch\n"),
    "no end": wrapped("*** Begin Patch\n" + BODY),
    "neither": wrapped(BODY),
    "indented markers": wrapped("  *** Begin Patch\n" + BODY + "  *** End Patch"),
    "crlf": wrapped(PATCH.replace("\n", "\r\n")),
    "raw line breaks in json": '{"input": "'
    + json.dumps(PATCH, ensure_ascii=False)[1:-1].replace("\\\\n", "\0").replace("\\n", "\n").replace("\0", "\\\\n")
    + '"}',
    "brackets too many": wrapped(PATCH) + "}",
    "no closing quote": wrapped(PATCH)[:-2],
    "no closing bracket": wrapped(PATCH)[:-1],
    "line breaks escaped twice": wrapped(PATCH.replace("\\", "\\\\").replace("\n", "\\n")),
    "bare quotes": '{"input": "' + json.dumps(PATCH)[1:-1].replace('\\"', '"') + '"}',
    "prose after": wrapped(PATCH + "That should do it."),
}


@pytest.mark.parametrize("arguments", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_patch_is_mended(arguments: str) -> None:  # pitfall 103
    text = unwrap_input(arguments, "apply_patch")
    assert text is not None and text.strip() == PATCH.strip()


@pytest.mark.parametrize("arguments", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_was_streamed_begins_the_final_text(arguments: str, size: int) -> None:
    stream = InputStream("ns__apply_patch")
    sent = "".join(stream.feed(arguments[i : i + size]) for i in range(0, len(arguments), size))
    final = stream.close(arguments)
    assert final is not None and final.startswith(sent) and final.strip() == PATCH.strip()


def test_a_right_patch_is_untouched_and_streamed() -> None:
    stream = InputStream("apply_patch")
    assert stream.feed(wrapped(PATCH)[:-20]) == PATCH[: PATCH.index("+")]
    assert stream.close(wrapped(PATCH)) == PATCH


@pytest.mark.parametrize(
    "arguments",
    ["", "{", '{"input":', '{"input": "*** Begin Patch\\n*** Add File: a\\n+x', "{}", '{"a": 1}', "[]", "null", "7",
     "*** Begin Patch\n*** Add File: a\n+x"],
)  # fmt: skip
def test_a_broken_patch_is_a_clear_failure(arguments: str) -> None:  # pitfall 46
    assert unwrap_input(arguments, "apply_patch") is None


@pytest.mark.parametrize("text", ["hello", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "*** End Patch", ""])
def test_what_is_no_patch_reaches_the_client(text: str) -> None:
    assert unwrap_input(wrapped(text), "apply_patch") == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (wrapped("```js\nx\n```"), "```js\nx\n```"),  # never touched: it may be meant
        (wrapped('{"input": "x"}'), '{"input": "x"}'),
        (wrapped("const x = 1", "code"), "const x = 1"),
        ("const x = 1", "const x = 1"),
        ('{"input": "a\nb"}', "a\nb"),
        ('{"input": "a\\d"}', "a\\d"),
        ('{"input": "\\ud800"}', "�"),
        ('{"input": "a", "timeout": 3}', "a"),
        ('{"input": "a"', "a"),
        ('{"input": "a\\d" ', "a\\d"),
        ('{"code": "a", "timeout": "3"}', None),
        ('{"input": "a', None),
        ("{}", None),
        ("", None),
    ],
)
def test_other_tools(arguments: str, text: str | None) -> None:  # pitfall 112
    assert unwrap_input(arguments, "exec") == text


@given(st.text(), st.booleans(), st.lists(st.integers(0, 80)), st.sampled_from(["exec", "apply_patch"]))
def test_any_cut_reads_the_same(text: str, ascii_only: bool, cuts: list[int], name: str) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=ascii_only)
    points = [0, *sorted(min(cut, len(arguments)) for cut in cuts), len(arguments)]
    stream = InputStream(name)
    sent = "".join(stream.feed(arguments[a:b]) for a, b in pairwise(points))
    assert stream.close(arguments) == unwrap_input(arguments, name)
    assert sent == text if name == "exec" else text.startswith(sent)


@given(st.text(alphabet='{}[]"\\ud8cDC:0123abn \n', max_size=30), st.sampled_from(["exec", "apply_patch"]))
def test_no_arguments_raise(garbage: str, name: str) -> None:
    for arguments in (garbage, '{"input":"' + garbage, '{"input":"' + garbage + '"}', '{"a":' + "[" * 3000 + garbage):
        stream = InputStream(name)
        sent = "".join(stream.feed(character) for character in arguments)
        final = stream.close(arguments)
        assert final is None or final.startswith(sent)
        assert final is None or final.encode() is not None


@pytest.mark.parametrize("arguments", ['{"input":"\\ud83d\\ude00\\u00e9\\n"}', '{ "input" :\n"\\uD83D\\uDE00é\\n"}'])
def test_escapes_cut_anywhere(arguments: str) -> None:
    for cut in range(len(arguments)):
        reader = InputReader()
        assert reader.feed(arguments[:cut]) + reader.feed(arguments[cut:]) == "😀é\n"
        assert reader.closed and not reader.failed


def test_a_repeated_field_does_not_contradict_what_was_shown() -> None:
    stream = InputStream("exec")
    arguments = '{"input": "a", "input": "b"}'
    assert stream.feed(arguments) == "a" and stream.close(arguments) == "a"


def test_lowering_tells_the_grammar_and_a_valid_sample() -> None:
    tool = CustomTool("apply_patch", "Edits files.", {"type": "grammar", "syntax": "lark", "definition": "start: x"})
    lowered = lower_custom(tool, "ns__apply_patch")
    assert lowered.name == "ns__apply_patch" and lowered.parameters is not None
    assert lowered.parameters["required"] == ["input"]
    assert "start: x" in (lowered.description or "") and SAMPLE in (lowered.description or "")
    assert SAMPLE not in (lower_custom(CustomTool("exec"), "exec").description or "")
    assert unwrap_input(wrap_input(SAMPLE), "apply_patch") == SAMPLE
    assert msgspec.json.decode(wrap_input('é"')) == {"input": 'é"'}
