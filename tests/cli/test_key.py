import hashlib
import re
import sqlite3

import pytest

from axonhub_cli.store.api_keys import ApiKeys


def test_create_prints_the_key_and_nothing_else(cli, home):
    done = cli("key", "create", "codex")
    key = done.out.strip()
    assert re.fullmatch(r"ah-[A-Za-z0-9_-]{43}", key)
    assert done.out == key + "\n"
    assert done.err == (
        "key codex made; it is not shown again\n"
        "hint: clients look for it in a variable: export AXONHUB_API_KEY=… (the line above)\n"
    )
    for path in home.rglob("axonhub.db*"):
        assert key.encode() not in path.read_bytes()
    with sqlite3.connect(home / "axonhub.db") as database:
        assert database.execute("SELECT digest FROM api_keys").fetchall() == [
            (hashlib.sha256(key.encode()).hexdigest(),)
        ]


def test_list_shows_eight_characters(cli):
    key = cli("key", "create", "codex", "--expires", "30d", "--allow-ip", "10.1.2.3/8").out.strip()
    header, line = cli("key", "list").out.splitlines()
    assert header.split() == ["NAME", "KEY", "STATE", "PROFILE", "EXPIRES", "FROM", "CREATED"]
    assert line.startswith(f"codex  {key[:8]}…  enabled  -        ")
    assert "10.0.0.0/8" in line
    row = cli("key", "show", "codex", "--json").json
    assert (row["prefix"], row["allowed_ips"], row["state"]) == (key[:8], ["10.0.0.0/8"], "enabled")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["expires_at"])
    shown = cli("key", "show", "codex").out + cli("key", "list", "--json").out
    assert key not in shown
    assert key[:9] not in shown
    assert hashlib.sha256(key.encode()).hexdigest() not in shown


def test_list_while_another_command_makes_a_key(cli, monkeypatch):
    cli("key", "create", "a")
    looks = []

    def growing(table, _list=ApiKeys.list):
        looks.append(table)
        return _list(table) * len(looks)

    monkeypatch.setattr(ApiKeys, "list", growing)
    assert cli("key", "list").out.count("enabled") == 1


def test_create_as_json(cli):
    row = cli("key", "create", "codex", "--json").json
    assert row["key"].startswith(row["prefix"])
    assert row["name"] == "codex"


@pytest.mark.parametrize("value", ["30", "0d", "x", "1w", "-1d", "99999999999d", "99999999d", ""])
def test_bad_durations(cli, value):
    assert "is no duration" in cli("key", "create", "a", "--expires", value, code=2).err
    assert cli("key", "list", "--json").json == []


def test_bad_range_and_unknown_profile(cli):
    assert "is no address or range" in cli("key", "create", "a", "--allow-ip", "10.0.0.0/99", code=2).err
    assert "no profile is called 'p'" in cli("key", "create", "a", "--profile", "p", code=1).err
    assert cli("key", "list", "--json").json == []


def test_rotate_disable_revoke(cli):
    first = cli("key", "create", "a").out
    second = cli("key", "rotate", "a").out
    assert re.fullmatch(r"ah-[A-Za-z0-9_-]{43}\n", second)
    assert first != second
    assert cli("key", "disable", "a").err == "key a is disabled\n"
    assert cli("key", "show", "a", "--json").json["state"] == "disabled"
    cli("key", "enable", "a")
    assert cli("key", "revoke", "a").err == "key a is revoked\n"
    for command in ("enable", "disable", "rotate", "revoke"):
        done = cli("key", command, "a", code=1)
        assert done.err == "error: key a is revoked, and that is final\nhint: axonhub key create ANOTHER_NAME\n"
        assert done.out == ""
    assert cli("key", "show", "a", "--json").json["state"] == "revoked"


def test_an_expiry_no_calendar_knows_is_still_listed(cli, home):
    cli("key", "create", "a")
    with sqlite3.connect(home / "axonhub.db") as database:
        database.execute("UPDATE api_keys SET expires_at = 9000000000000000")
    assert "a" in cli("key", "list").out
    assert "a" in cli("key", "show", "a").out
    assert cli("key", "show", "a", "--json").json["expires_at"].startswith("9999-12-31T23:59:59")
