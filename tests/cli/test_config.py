def test_path_needs_no_file(cli, home):
    assert cli("config", "path").out == f"{home}/config.yml\n"
    assert not home.exists()
    assert cli("config", "path", "--json").json == {"path": f"{home}/config.yml", "exists": False}


def test_show_says_where_each_value_comes_from(cli, home, monkeypatch):
    home.mkdir()
    (home / "config.yml").write_text("server:\n  port: 9000\n")
    monkeypatch.setenv("AXONHUB_SERVER_TRACE_EXTRA_TRACE_HEADERS", "Conversation_id,X-Foo")
    rows = {row["key"]: (row["value"], row["source"]) for row in cli("config", "show", "--json").json}
    assert rows["server.port"] == (9000, "config.yml:2")
    assert rows["server.host"] == ("127.0.0.1", "default")
    assert rows["server.trace.extra_trace_headers"] == (
        ["Conversation_id", "X-Foo"],
        "AXONHUB_SERVER_TRACE_EXTRA_TRACE_HEADERS",
    )
    lines = cli("config", "show").out.splitlines()
    assert lines[2].split() == ["server.port", "9000", "config.yml:2"]


def test_check_finds_every_mistake(cli, home):
    home.mkdir()
    (home / "config.yml").write_text("server:\n  port: eighty\n  hots: x\n")
    done = cli("config", "check", code=1)
    assert len(done.out.splitlines()) == 2
    assert all(line.startswith(f"{home}/config.yml:") for line in done.out.splitlines())
    assert done.err.startswith("error: 2 problems found\nhint: ")
    rows = cli("config", "check", "--json", code=1).json
    assert [(row["line"], row["key"]) for row in rows] == [(2, "server.port"), (3, "server.hots")]
    assert cli("channel", "list", code=1).err.startswith("error: ")


def test_check_of_a_good_one(cli, home):
    assert cli("config", "check") == (0, "", f"there is no {home}/config.yml; the defaults are in force\n")
    assert cli("config", "check", "--json").json == []
