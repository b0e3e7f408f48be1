from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axonhub_cli.errors import ConfigError
from axonhub_cli.integrations import codex, codex_undo
from axonhub_cli.integrations.toml_spans import apply, statements

ENV = codex.Wanted("gpt-5", "http://127.0.0.1:8090/v1")
COMMAND = codex.Wanted("gpt-5", "http://127.0.0.1:8090/v1", ("/usr/bin/axonhub", "codex", "token"))

CONTRACT = """\
model = "gpt-5"
model_provider = "axonhub-responses"

[model_providers.axonhub-responses]
name = "AxonHub"
base_url = "http://127.0.0.1:8090/v1"
env_key = "AXONHUB_API_KEY"
wire_api = "responses"
query_params = {}
"""

CORPUS = {
    "empty": "",
    "newline": "\n",
    "comment": "# only words",
    "no final newline": 'approval_policy = "never"',
    "crlf": '# hi\r\nmodel = "o3" # mine\r\n\r\n[tui]\r\nx = 1\r\n',
    "bom": '\ufeffmodel = "o3"\n[a]\nb = 1\n',
    "bom only": "\ufeff",
    "model in single quotes": "model = 'o3'   # why\nmodel_provider='openai'\n",
    "quoted keys": '"model" = "o3"\n\'model_provider\' = "x"\n',
    "model in tables": '[profiles.a]\nmodel = "o3"\nmodel_provider = "x"\n',
    "text that looks like keys": 'note = """\nmodel = "x"\n[model_providers.axonhub-responses]\n"""\n[a]\nb = 1\n',
    "literal text": "note = '''\nmodel = \"x\"\n[t]\n''''\n",
    "arrays over lines": 'notify = [\n  "a", # [x]\n  "b=]",\n]\nmodel = "o3"\n',
    "other providers": '[model_providers.foo]\nname = "Foo" # c\n\n[model_providers.foo.http_headers]\n"a b" = "c"\n',
    "providers table": '[model_providers]\nfoo = { name = "x" }\n',
    "inline providers": 'model_providers = { foo = { name = "x" } } # c\n[a]\nb = 1\n',
    "empty inline providers": "model_providers = {}\n",
    "dotted providers": 'model_providers.foo.name = "x"\n[a]\nb = 1\n',
    "array tables": "[[hooks]]\na = 1\n[[hooks]]\na = 2",
    "numbers": "a = nan\nb = [1.0, inf]\nc = 1979-05-27T07:32:00Z\nd = true\n",
    "indented": '   model = "o3"\n  [a]\n\tb = 1\n',
    "spaces and dots": 'a . "b.c" . d = 1\n[ x . "y" ]\nz=2\n',
    "strings": 'a = "x\\"#[{" # "c"\nb = \'#\'\nc = """a""""\nd = """\\\n  x"""\n',
    "same already": 'model = "gpt-5"\n',
    "own table": (
        '[model_providers.axonhub-responses]\nname = "Mine" # keep\nhttp_headers = { a = "b" }\n'
        'env_key = "OTHER"\n\n[z]\na=1\n'
    ),
    "own table with auth": (
        '[model_providers.axonhub-responses]\nname = "Mine"\n'
        '[model_providers.axonhub-responses.auth]\ncommand = "x"\n[z]\n'
    ),
    "own inline table": '[model_providers]\naxonhub-responses = { name = "x", retries = 3 }\n',
    "own header at the end": "[a]\nb = 1\n[model_providers.axonhub-responses]",
}


def both(text: str, wanted: codex.Wanted) -> tuple[str, codex_undo.Undo]:
    plan = codex.install(text, wanted)
    return plan.text, codex_undo.undo_of(text, plan, wanted)


def test_an_empty_file_gets_exactly_the_contract() -> None:
    assert codex.install("", ENV).text == CONTRACT


def test_command_auth() -> None:
    after = codex.install("", COMMAND).text
    assert "env_key" not in after
    auth = tomllib.loads(after)["model_providers"]["axonhub-responses"]["auth"]
    assert auth == {"command": "/usr/bin/axonhub", "args": ["codex", "token"]}


@pytest.mark.parametrize("wanted", [ENV, COMMAND], ids=["env", "command"])
@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_in_and_out_again(text: str, wanted: codex.Wanted) -> None:
    after, undo = both(text, wanted)
    parsed = tomllib.loads(after.removeprefix("\ufeff"))
    assert codex.is_set_up(parsed, wanted)
    assert codex.install(after, wanted).text == after, "a second run changes nothing"
    # Everything that was there and is not ours is there still, in its place.
    assert apply(text, undo.edits) == after
    for edit, before in zip(undo.edits, undo.before, strict=True):
        assert before == "" or edit.path is not None or "axonhub" in text
    if "axonhub-responses]" not in text and "axonhub-responses =" not in text:
        assert codex_undo.uninstall(after, undo) == text
    if "\r\n" in text:
        assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("text", [t for n, t in CORPUS.items() if not n.startswith("own")])
def test_what_others_change_meanwhile_stays(text: str) -> None:
    after, undo = both(text, ENV)
    # Codex appends tables, and keys of its own to the top.
    theirs = after + '\n[notices]\nnotice = "seen"\n'
    assert codex_undo.uninstall(theirs, undo) == text + '\n[notices]\nnotice = "seen"\n' or text in (
        "",
        "\n",
        "\ufeff",
        "# only words",
    )
    top = after.replace("model_provider =", 'model_reasoning_effort = "high"\nmodel_provider =', 1)
    if top.count("model_provider =") == 1 and 'model_provider = "axonhub' in top:
        left = tomllib.loads(codex_undo.uninstall(top, undo).removeprefix("\ufeff"))
        assert left["model_reasoning_effort"] == "high"
        assert left.get("model_provider") != codex.PROVIDER


@pytest.mark.parametrize("text", ['model = "o3"', "\ufeffa = 1", "[a]\r\nb = 1\r\n[c]", 'model = "gpt-5"', "# words"])
def test_what_others_write_on_below_a_last_line_without_end_stays(text: str) -> None:
    newline = "\r\n" if "\r\n" in text else "\n"
    after, undo = both(text, ENV)
    theirs = f"[tui]{newline}x = 1{newline}"
    assert codex_undo.uninstall(after + theirs, undo) == text + newline + theirs


def test_a_model_chosen_meanwhile_stays() -> None:
    for text in ("", 'model = "o3"\nmodel_provider = "foo"\n'):
        after, undo = both(text, ENV)
        theirs = after.replace('"gpt-5"', '"gpt-6-sol"')
        left = tomllib.loads(codex_undo.uninstall(theirs, undo))
        assert left["model"] == "gpt-6-sol"
        assert left.get("model_provider") == ("foo" if text else None)


def test_a_changed_block_goes_all_the_same() -> None:
    after, undo = both("[a]\nb = 1 # c\n", ENV)
    theirs = after.replace("8090", "9000").replace("query_params = {}", "stream_max_retries = 1\nquery_params = {}")
    assert tomllib.loads(codex_undo.uninstall(theirs, undo)) == {"a": {"b": 1}}
    assert "b = 1 # c\n" in codex_undo.uninstall(theirs, undo)


@pytest.mark.parametrize("wanted", [ENV, COMMAND], ids=["env", "command"])
def test_websockets_are_the_users_own_choice(wanted: codex.Wanted) -> None:  # pitfall 159
    after = codex.install("", wanted).text
    assert "websocket" not in after
    head = "[model_providers.axonhub-responses]\n"
    chosen = after.replace(head, f"{head}supports_websockets = true\n")
    assert codex.install(chosen, wanted).text == chosen
    other = codex.Wanted("deepseek-chat", "http://127.0.0.1:9000/v1", wanted.command)
    table = tomllib.loads(codex.install(chosen, other).text)["model_providers"]["axonhub-responses"]
    assert table["supports_websockets"] is True and table["base_url"] == other.base_url


def test_a_user_who_went_back_himself() -> None:
    text = 'model = "o3"\n'
    _, undo = both(text, ENV)
    assert codex_undo.uninstall(text, undo) == text
    assert codex_undo.uninstall('model = "other"\n', undo) == 'model = "other"\n'


def test_without_a_receipt_the_model_stays() -> None:
    assert codex_undo.uninstall(CONTRACT, None).strip() == 'model = "gpt-5"'


@pytest.mark.parametrize("bad", ["model = ", "[a", "a = 1\na = 2", 'x = "', "\x00", "a = [1", "=", "[" * 5000])
def test_invalid_toml_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        codex.install(bad, ENV)


@pytest.mark.parametrize("odd", ["[model]\na = 1\n", 'model_providers = "x"\n', "[[model_providers]]\na = 1\n"])
def test_what_cannot_be_edited_safely_is_refused(odd: str) -> None:
    with pytest.raises(ConfigError, match="nothing was changed"):
        codex.install(odd, ENV)


# What Codex 0.169 reads and the standard library does not.
NEWER = {
    "over lines": ("a = {\n x = 1, # }\n y.z = [ 2,\n],\n}\n", {"a": {"x": 1, "y": {"z": [2]}}}),
    "crlf": ("[t]\r\na = {\r\n x = 1\r\n}\r\n", {"t": {"a": {"x": 1}}}),
    "a last comma": ("a = [{ x = '\\e,}', }, { }] # {\n", {"a": [{"x": "\\e,}"}, {}]}),
    "escapes": ('a = "\\e\\x41\\\\x41"\nb = """\\e"""\n', {"a": "\x1bA\\x41", "b": "\x1b"}),
    "a model": ('"model" = "\\x6f3"\n[model_providers]\nfoo = {\n name = "x",\n}\n', None),
    "own table": ('[model_providers]\naxonhub-responses = {\n name = "x", # mine\n retries = 3,\n}\n', None),
}


@pytest.mark.parametrize("wanted", [ENV, COMMAND], ids=["env", "command"])
@pytest.mark.parametrize(("text", "means"), NEWER.values(), ids=NEWER)
def test_toml_1_1(text: str, means: dict[str, Any] | None, wanted: codex.Wanted) -> None:
    assert means is None or codex.parse(text) == means
    after, undo = both(text, wanted)
    assert codex.is_set_up(codex.parse(after), wanted)
    assert codex.install(after, wanted).text == after
    assert codex_undo.uninstall(after, undo) == text
    assert codex_undo.uninstall(after + "[new]\nb = {\n}\n", undo) == text + "[new]\nb = {\n}\n"


@pytest.mark.parametrize(
    "bad",
    [
        "a = {,}",
        "a = {x=1,,}",
        "a = {x=1\n y=2}",
        "a = {x=t\nrue}",
        "a = {\n x=1, x=2 }",
        'a = "\\q"',
        'a = "\\xZZ"',
        "a = {\n",
        "a = {\n}]",
        "a = {\n}\na = 1",
        "a = {\n}\nb = 'x",
        "[\na]",
        "a = {\rx=1}",
    ],
)
def test_what_no_toml_is_stays_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        codex.install(bad, ENV)


NAMES = st.sampled_from(["model", "model_provider", "a", "b-c", '"q u"', "'l.t'", "model_providers", "profiles"])
SPACE = st.sampled_from(["", " ", "\t", "  "])
SCALAR = st.sampled_from(
    [
        '"x"',
        "'y'",
        "1",
        "true",
        "1.5",
        "nan",
        '"""\nmodel = "z"\n[t]\n"""',
        "'''\n#'''",
        "[1, 2]",
        '[\n "a", # ]\n]',
        '{ k = "v" }',
        '"[#\\""',
        "{}",
        "1979-05-27",
    ]
)
LINE = st.one_of(
    st.builds("{}{}{}={}{}{}".format, SPACE, NAMES, SPACE, SPACE, SCALAR, st.sampled_from(["", " # c", " "])),
    st.sampled_from(
        ["", "# model = 1", "  # [x]", "[a]", "[ x . y ]", "[[list]]", "[model_providers.foo]", "[profiles.p]", "[tui]"]
    ),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    st.lists(LINE, max_size=9),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([ENV, COMMAND]),
)
def test_any_file_comes_back_to_the_byte(
    lines: list[str], newline: str, final: bool, bom: bool, wanted: codex.Wanted
) -> None:  # D14, D16
    text = (
        ("\ufeff" if bom else "")
        + newline.join(lines).replace("\r\n", "\n").replace("\n", newline)
        + (newline if final else "")
    )
    try:
        before: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError):
            codex.install(text, wanted)
        return
    try:
        after, undo = both(text, wanted)
    except ConfigError:
        odd = {before.get(name).__class__ for name in ("model", "model_provider")} - {str, type(None)}
        providers = before.get("model_providers", {})
        assert odd or not isinstance(providers, dict) or "dotted" in text
        return
    assert codex.is_set_up(tomllib.loads(after.removeprefix("\ufeff")), wanted)
    assert codex.install(after, wanted).text == after
    assert codex_undo.uninstall(after, undo) == text
    # Statement by statement, what is not ours has kept its bytes.
    kept = [
        text[one.start : one.end].strip()
        for one in statements(text)
        if one.path[:1] not in (("model",), ("model_provider",), ("model_providers",))
    ]
    assert all(line in after for line in kept)
