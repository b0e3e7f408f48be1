import stat

import pytest

KEY = "sk-canary-0123456789abcdef"
MISSING = "warning: DEEPSEEK_API_KEY is not set here; it must be where `axonhub serve` runs\n"


def test_add_takes_everything_from_the_type(cli):
    assert cli("channel", "add", "ds", "--type", "deepseek") == (0, "", "channel ds added\n" + MISSING)
    row = cli("channel", "show", "ds", "--json").json
    for name in ("id", "created_at", "updated_at"):
        assert row.pop(name)
    assert row["keys"].pop()["env"] == "DEEPSEEK_API_KEY"
    assert row == {
        "name": "ds",
        "type": "deepseek",
        "base_url": "https://api.deepseek.com/v1",
        "keys": [],
        "models": [],
        "weight": 100,
        "priority": 0,
        "tags": [],
        "proxy": None,
        "options": {},
        "enabled": True,
    }


def test_list_is_aligned_in_a_pipe(cli, monkeypatch):
    monkeypatch.setenv("UP", "x")
    cli("channel", "add", "a", "--type", "openai", "--api-key-env", "UP", "--model", "m1", "--model", "m2")
    cli("channel", "add", "long-name", "--type", "demo", "--tag", "slow", "--weight", "5", "--disabled")
    assert cli("channel", "list").out == (
        "NAME       TYPE    STATE     MODELS  PRIORITY  WEIGHT  TAGS  KEYS  BASE URL\n"
        "a          openai  enabled   m1, m2         0     100  -     UP    https://api.openai.com/v1\n"
        "long-name  demo    disabled  any            0       5  slow  none  demo://\n"
    )
    assert [row["name"] for row in cli("channel", "list", "--json").json] == ["a", "long-name"]


def test_empty_list(cli):
    assert cli("channel", "list") == (0, "", "no channels yet; axonhub channel add NAME --type TYPE\n")
    assert cli("channel", "list", "--json").out == "[]\n"


def test_stored_key_is_never_shown_and_not_readable(cli, home):
    cli("channel", "add", "a", "--type", "openai", "--api-key-stdin", stdin=f"{KEY}\n\n{KEY}2\n")
    shown = [
        cli("channel", "show", "a"),
        cli("channel", "show", "a", "--json"),
        cli("channel", "list"),
        cli("channel", "list", "--json"),
        cli("channel", "edit", "a", "--weight", "1"),
    ]
    assert shown[0].out.count("stored, encrypted\n") == 2
    assert len(shown[1].json["keys"]) == 2
    for done in shown:
        assert "canary" not in done.out + done.err
    for path in home.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_variable_set_or_not(cli, monkeypatch):
    cli("channel", "add", "a", "--type", "openai")
    assert "env OPENAI_API_KEY (not set)" in cli("channel", "show", "a").out
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = cli("channel", "show", "a")
    assert "env OPENAI_API_KEY (set)" in done.out
    assert KEY not in done.out
    assert KEY not in cli("channel", "list").out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--type", "zzz"), "there is no channel type 'zzz'\n"),
        (("--type", "DeepSek"), "there is no channel type 'DeepSek', did you mean 'deepseek'?"),
        (("--type", "openai-compatible"), "the type openai-compatible needs an address"),
        (("--type", "openai", "--base-url", "ftp://x"), "it must be a URL that starts with https:// or http://"),
        (("--type", "openai", "--base-url", "http://api.example.com/v1"), "http:// is only for this machine"),
        (("--type", "openai", "--base-url", "https://u:p@h/v1"), "must not hold a user name or password"),
        (("--type", "openai", "--base-url", "https://h/v1?key=1"), "no query and no fragment"),
        (("--type", "openai", "--option", "vision"), "'vision' has no `=`"),
        (("--type", "openai", "--api-key-env", "sk-not-a-variable"), "not the name of a variable"),
        (("--type", "demo", "--api-key-env", "UP"), "the type demo takes no key"),
        (("--type", "openai", "--weight", "-1"), "-1 is not in the range"),
        (("--type", "openai", "--proxy", "socks5://h:1"), "must be a URL that starts with http:// or https://"),
        (("--type", "openai", "--model", "a b"), "'a b' is no model name"),
        (("--type", "openai", "--api-key-stdin"), "no key came on standard input"),
        ((), "Missing option '--type'"),
    ],
)
def test_wrong_usage_changes_nothing(cli, arguments, error):
    done = cli("channel", "add", "a", *arguments, code=2)
    assert done.out == ""
    assert error in done.err
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert cli("channel", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a", "--option", "nope=1"), "there is no channel option 'nope'"),
        (("a", "--option", "vision=maybe"), "'maybe' is no value of the channel option 'vision'"),
        (("a/b",), "'a/b' cannot be the name of a channel"),
    ],
)
def test_refused_values(cli, arguments, error):
    done = cli("channel", "add", *arguments, "--type", "openai", code=1)
    assert done.err.startswith(f"error: {error}")
    assert cli("channel", "list", "--json").json == []


def test_a_key_typed_as_a_variable_is_not_repeated(cli):
    done = cli("channel", "add", "a", "--type", "openai", "--api-key-env", KEY, code=2)
    assert "canary" not in done.err


def test_private_http_warns_loopback_does_not(cli):
    plain = ("--type", "openai-compatible", "--base-url")
    assert cli("channel", "add", "a", *plain, "http://127.0.0.1:8000/v1/").err == "channel a added\n"
    assert cli("channel", "show", "a", "--json").json["base_url"] == "http://127.0.0.1:8000/v1"
    assert "warning: http:// to another machine" in cli("channel", "add", "b", *plain, "http://192.168.1.4/v1").err


def test_edit_changes_only_what_is_given(cli):
    cli("channel", "add", "a", "--type", "openai", "--model", "m1", "--tag", "t1", "--option", "vision=false")
    before = cli("channel", "show", "a", "--json").json
    cli("channel", "edit", "a", "--add-model", "m2", "--remove-tag", "t1", "--option", "vision=", "--priority", "-3")
    after = cli("channel", "show", "a", "--json").json
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"models", "tags", "options", "priority", "updated_at"}
    assert (after["models"], after["tags"], after["options"], after["priority"]) == (["m1", "m2"], [], {}, -3)
    cli("channel", "edit", "a", "--model", "m9", "--api-key-env", "A", "--api-key-env", "B")
    cli("channel", "edit", "a", "--add-api-key-env", "C", "--remove-api-key-env", "A")
    row = cli("channel", "show", "a", "--json").json
    assert row["models"] == ["m9"]
    assert [key["env"] for key in row["keys"]] == ["B", "C"]
    cli("channel", "edit", "a", "--any-model", "--no-api-key")
    row = cli("channel", "show", "a", "--json").json
    assert (row["models"], row["keys"]) == ([], [])


def test_edit_refusals(cli):
    cli("channel", "add", "a", "--type", "openai", "--model", "m1")
    assert "nothing to change was given" in cli("channel", "edit", "a", code=2).err
    done = cli("channel", "edit", "a", "--remove-model", "zz", code=1)
    assert done.err == "error: it has no model 'zz' to remove\nhint: it has: m1\n"
    assert "no option 'vision' to remove" in cli("channel", "edit", "a", "--option", "vision=", code=1).err


def test_a_key_does_not_follow_to_another_origin(cli):
    # reliability S6
    cli("channel", "add", "a", "--type", "openai")
    done = cli("channel", "edit", "a", "--base-url", "https://evil.example/v1", code=1)
    assert done.err == (
        "error: channel a's keys were entered for https://api.openai.com and are not sent to https://evil.example\n"
        "hint: enter them again in the same command: --api-key-env VARIABLE or --api-key-stdin\n"
    )
    cli("channel", "edit", "a", "--base-url", "https://api.openai.com/v2")
    cli("channel", "edit", "a", "--base-url", "https://evil.example/v1", "--api-key-env", "OTHER")
    (key,) = cli("channel", "show", "a", "--json").json["keys"]
    assert (key["env"], key["origin"]) == ("OTHER", "https://evil.example")


def test_enable_disable_remove(cli):
    cli("channel", "add", "a", "--type", "demo")
    assert cli("channel", "disable", "a").err == "channel a is disabled\n"
    assert cli("channel", "show", "a", "--json").json["enabled"] is False
    assert cli("channel", "enable", "a").err == "channel a is enabled\n"
    assert cli("channel", "remove", "a").err == "channel a removed\n"
    assert cli("channel", "list", "--json").json == []


def test_unknown_and_taken_names(cli):
    cli("channel", "add", "deepseek", "--type", "demo")
    for command in ("show", "edit", "enable", "disable", "remove", "test", "models"):
        done = cli("channel", command, "deepsek", code=1)
        assert done.err.startswith("error: no channel is called 'deepsek'\nhint: Did you mean deepseek?")
        assert done.err.count("\n") == 2
    assert "already" in cli("channel", "add", "deepseek", "--type", "demo", code=1).err


def test_types_has_the_names_of_the_contract(cli):
    rows = {row["type"]: row for row in cli("channel", "types", "--json").json}
    openai = rows["openai"]
    assert (openai["protocol"], openai["api_key_env"]) == ("openai_responses", "OPENAI_API_KEY")
    assert rows["openai-compatible"]["base_url"] is None
    assert rows["deepseek"]["protocol"] == "openai_chat"
    assert cli("channel", "types").out.splitlines()[0].split() == ["TYPE", "PROTOCOL", "KEY", "VARIABLE", "BASE", "URL"]


def test_probe_and_models(cli):
    cli("channel", "add", "a", "--type", "demo")
    row = cli("channel", "test", "a", "--json").json
    assert (row["ok"], row["model"], row["key"], row["error"]) == (True, "demo", None, None)
    assert row["latency_ms"] >= 0
    assert "result        ok\n" in cli("channel", "test", "a", "--model", "other").out
    assert cli("channel", "models", "a", "--json").json == [{"model": "demo", "offered": True}]
    assert cli("channel", "models", "a", "--refresh").err == "channel a offers 1 models\n"
    assert cli("channel", "show", "a", "--json").json["models"] == ["demo"]


def test_a_channel_whose_upstream_names_models_oddly_can_be_edited(cli, monkeypatch):
    async def listed(*_arguments):
        return ["My Model", "m"]

    monkeypatch.setattr("axonhub_cli.server.probe.upstream_models", listed)
    cli("channel", "add", "a", "--type", "demo")
    cli("channel", "models", "a", "--refresh")
    cli("channel", "edit", "a", "--weight", "5", "--remove-model", "m")
    assert cli("channel", "show", "a", "--json").json["models"] == ["My Model"]
    assert "'your model' is no model name" in cli("channel", "edit", "a", "--add-model", "your model", code=2).err


def test_probe_tells_the_upstreams_error_but_no_key(cli):
    nobody = ("--type", "openai-compatible", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    cli("channel", "add", "a", *nobody, "--api-key-stdin", stdin=KEY)
    done = cli("channel", "test", "a", code=1)
    assert "result   failed\n" in done.out
    assert done.err.startswith("error: channel a: ")
    assert "canary" not in done.out + done.err
    assert cli("channel", "test", "a", "--json", code=1).json["ok"] is False
    assert "models cannot be listed" in cli("channel", "models", "a", code=1).err


def test_probe_without_its_variable(cli):
    cli("channel", "add", "a", "--type", "deepseek", "--model", "m")
    assert "the variable DEEPSEEK_API_KEY is not set" in cli("channel", "test", "a", code=1).err
