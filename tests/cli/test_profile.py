import pytest


def rules(row):
    return [(rule["pattern"], rule["target"], rule["regex"], rule["enabled"]) for rule in row["rules"]]


@pytest.fixture
def work(cli):
    cli("profile", "add", "work", "--map", "a=1", "--map", "b=2", "--map", "c=3")

    def edit(*arguments, code=0):
        done = cli("profile", "edit", "work", *arguments, code=code)
        return (
            done
            if code
            else "".join(rule["pattern"] for rule in cli("profile", "show", "work", "--json").json["rules"])
        )

    return edit


def test_rules_keep_their_order_across_both_options(cli):
    done = cli(
        *("profile", "add", "work", "--map-regex", r"gpt-5(\.\d+)?=x\1", "--map", "gpt-4=deepseek-reasoner"),
        *("--unmapped", "deny", "--map-regex=o[0-9]=y", "--allow-model", "m", "--map=z=w"),
    )
    assert done == (0, "", "profile work added with 4 rules\nhint: axonhub profile activate work\n")
    row = cli("profile", "show", "work", "--json").json
    assert rules(row) == [
        (r"gpt-5(\.\d+)?", r"x\1", True, True),
        ("gpt-4", "deepseek-reasoner", False, True),
        ("o[0-9]", "y", True, True),
        ("z", "w", False, True),
    ]
    assert (row["unmapped"], row["allowed_models"], row["active"], row["active_for"]) == ("deny", ["m"], False, [])


def test_show_counts_the_rules(cli):
    cli("profile", "add", "work", "--map", "gpt-5=m", "--map-regex", "x.*=y")
    cli("profile", "edit", "work", "--disable-rule", "1")
    assert cli("profile", "show", "work").out.split("changed")[0] == (
        "name        work\n"
        "active for  nobody\n"
        "rules       1. gpt-5 → m  (disabled)\n"
        "            2. /x.*/ → y\n"
        "unmapped    pass on as they are\n"
        "channels    any\n"
        "tags        any\n"
        "models      any may be asked for\n"
    )


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("gpt-(=x", "missing )"), ("(?=a)b=x", "(?="), (r"(a)\1=x", r"\1"), (r"gpt=\1", "uses \\1")],
)
def test_a_bad_pattern_is_refused_when_it_is_added(cli, pattern, reason):
    done = cli("profile", "add", "work", "--map-regex", pattern, code=1)
    assert done.err.startswith("error: ")
    assert reason in done.err
    assert cli("profile", "list", "--json").json == []


@pytest.mark.parametrize("rule", ["gpt-5", "=x", "gpt-5=", "a b=c"])
def test_a_rule_without_two_sides_is_wrong_usage(cli, rule):
    done = cli("profile", "add", "work", "--map", rule, code=2)
    assert done.err.startswith(f"error: Invalid value for --map: {rule!r} " if rule != "a b=c" else "error: ")
    assert cli("profile", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (("--map", "d=4"), "abcd"),
        (("--map", "d=4", "--at", "1"), "dabc"),
        (("--map", "d=4", "--map-regex", "e=5", "--at", "2"), "adebc"),
        (("--drop", "b"), "ac"),
        (("--drop", "1", "--drop", "2"), "c"),
        (("--move", "3:1"), "cab"),
        (("--move", "a:3"), "bca"),
        (("--drop", "1", "--map", "d=4", "--move", "c:1"), "cbd"),
    ],
)
def test_edit_single_rules(work, arguments, order):
    assert work(*arguments) == order


def test_edit_disables_and_enables(work, cli):
    work("--disable-rule", "b", "--disable-rule", "3")
    assert [rule["enabled"] for rule in cli("profile", "show", "work", "--json").json["rules"]] == [True, False, False]
    work("--enable-rule", "2", "--move", "2:1")
    assert rules(cli("profile", "show", "work", "--json").json)[0] == ("b", "2", False, True)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--drop", "9"), 1, "there is no rule '9'\nhint: its rules: 1 a, 2 b, 3 c"),
        (("--drop", "²"), 1, "there is no rule '²'\nhint: its rules"),
        (("--drop", "9" * 5000), 1, f"there is no rule '{'9' * 79}…'\nhint: its rules"),
        (("--move", "1"), 2, "does not say where to"),
        (("--move", "1:" + "9" * 5000), 2, "does not say where to"),
        (("--move", "1:9"), 2, "there is no position 9"),
        (("--move", "1:2", "--drop", "1"), 2, "rule 1 cannot be moved: it is dropped"),
        ((), 2, "nothing to change was given"),
    ],
)
def test_edit_refusals(work, arguments, code, error):
    assert error in work(*arguments, code=code).err
    assert work("--map", "d=4") == "abcd"


def test_limits_are_replaced_and_lifted(cli):
    cli("channel", "add", "c1", "--type", "demo")
    cli("profile", "add", "p", "--channel", "c1", "--tag", "t", "--allow-model", "m", "--unmapped", "deny")
    cli("profile", "edit", "p", "--any-channel", *("--tag", "u") * 2, "--any-model", "--unmapped", "pass")
    row = cli("profile", "show", "p", "--json").json
    assert (row["channels"], row["tags"], row["allowed_models"], row["unmapped"]) == ([], ["u"], [], "pass")


def test_a_target_that_pins_nothing_is_told(cli):
    cli("channel", "add", "box", "--type", "demo")
    told = cli("profile", "add", "p", "--map", "a=box/m", "--map", "b=bax/m").err
    assert "no channel is called bax: bax/m of rule 2 is sent as a model's whole name\n" in told
    assert "rule 1" not in told


def test_unreachable_rule_is_told(cli):
    assert "warning: rule 2 never matches" in cli("profile", "add", "p", "--map", "a=1", "--map", "a=2").err


def test_activate_for_all_and_for_one_key(cli):
    cli("profile", "add", "work", "--map", "a=1")
    cli("profile", "add", "other")
    cli("key", "create", "codex")
    assert cli("profile", "activate", "work").err == "profile work is active for all keys without their own\n"
    assert cli("profile", "activate", "other", "--key", "codex").err == "profile other is active for key codex\n"
    assert cli("profile", "list").out == (
        "NAME   ACTIVE FOR                  RULES  UNMAPPED  CHANNELS  TAGS\n"
        "work   all keys without their own      1  pass      any       any\n"
        "other  key codex                       0  pass      any       any\n"
    )
    assert "is the active profile of key codex" in cli("profile", "remove", "other", code=1).err
    cli("profile", "deactivate", "--key", "codex")
    assert cli("profile", "deactivate").err == "no profile is active for all keys without their own\n"
    cli("profile", "remove", "other")
    assert cli("profile", "activate", "nope", code=1).err.startswith("error: no profile is called 'nope'")
    assert cli("profile", "activate", "work", "--key", "nope", code=1).err.startswith("error: no key is called 'nope'")


def test_explain(cli):
    cli("channel", "add", "one", "--type", "demo", "--model", "m", "--priority", "2")
    cli("channel", "add", "two", "--type", "ollama", "--priority", "1")
    cli("channel", "add", "off", "--type", "demo", "--disabled")
    cli("profile", "add", "work", "--map", "gpt-5=m", "--map", "pin=one/m")
    cli("profile", "activate", "work")
    assert cli("profile", "explain", "gpt-5").out == (
        "model      gpt-5\n"
        "key        any without a profile of its own\n"
        "profile    work\n"
        "rule       work rule 1: gpt-5 → m\n"
        "target     m\n"
        "tried      1. two: takes any model; priority 1, weight 100\n"
        "           2. one: offers m; priority 2, weight 100\n"
        "not tried  off: disabled\n"
    )
    row = cli("profile", "explain", "pin", "--json").json
    assert (row["pinned_channel"], row["target"], [each["name"] for each in row["channels"]]) == ("one", "m", ["one"])
    assert {each["name"] for each in row["rejected"]} == {"two", "off"}


def test_explain_as_a_key_and_as_if(cli):
    cli("channel", "add", "one", "--type", "demo")
    cli("profile", "add", "strict", "--unmapped", "deny")
    cli("profile", "add", "own", "--map", "gpt-5=x")
    cli("key", "create", "codex", "--profile", "own")
    assert cli("profile", "explain", "gpt-5", "--json").json["target"] == "gpt-5"
    assert cli("profile", "explain", "gpt-5", "--key", "codex", "--json").json["target"] == "x"
    done = cli("profile", "explain", "gpt-5", "--profile", "strict", "--json")
    assert (done.json["denied"], done.json["target"], done.json["channels"]) == (True, None, [])
    assert "404" in done.err
