"""Channels of clouds: an account's own facts as options, keys that are documents, extras that are missing."""

import json

import pytest
from msgspec.structs import replace

from axonhub_cli.vendors import EXTRAS

AWS = ("--type", "bedrock", "--option", "region=us-east-1")
GCP = ("--type", "vertex", "--option", "project=p-1", "--option", "location=global")


def show(cli, name="a"):
    return cli("channel", "show", name, "--json").json


def test_options_make_the_address(cli):
    cli("channel", "add", "a", *AWS)
    assert show(cli)["base_url"] == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert show(cli)["keys"] == []  # the standard chain
    cli("channel", "edit", "a", "--option", "region=eu-west-1")
    assert show(cli)["base_url"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    cli("channel", "edit", "a", "--base-url", "https://vpce-1.example.com")
    cli("channel", "edit", "a", "--option", "region=eu-central-1")
    assert show(cli)["base_url"] == "https://vpce-1.example.com"


def test_a_key_does_not_follow_to_another_region(cli):  # reliability S6
    cli("channel", "add", "a", *AWS, "--api-key-stdin", stdin="AKIA1:secret-canary")
    done = cli("channel", "edit", "a", "--option", "region=eu-west-1", code=1)
    assert "not sent to https://bedrock-runtime.eu-west-1.amazonaws.com" in done.err and "canary" not in done.err
    assert show(cli)["options"] == {"region": "us-east-1"}
    cli("channel", "edit", "a", "--option", "region=eu-west-1", "--api-key-stdin", stdin="AKIA1:secret-canary")
    assert show(cli)["keys"][0]["origin"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("--type", "bedrock"), "the type bedrock needs the option 'region'", "--option region=us-east-1"),
        (("--type", "bedrock", "--base-url", "https://x"), "the type bedrock needs the option 'region'", "us-east-1"),
        (("--type", "vertex", "--option", "project=p-1"), "the type vertex needs the option 'location'", "us-east5"),
        (("--type", "azure"), "the type azure needs the option 'resource'", "--option resource=my-resource"),
        (("--type", "azure", "--option", "region=us-east-1"), "the type azure needs the option 'resource'", "resource"),
        (
            ("--type", "bedrock", "--option", "region=us east"),
            "'us east' is no value of the channel option 'region'",
            "region=us-east-1",
        ),
        (
            ("--type", "azure", "--option", "resource=r", "--option", "api_version=soon"),
            "'soon' is no value of the channel option 'api_version'",
            "2024-10-21",
        ),
        (
            ("--type", "azure", "--option", "resource=r", "--option", "protocol=gemini"),
            "'gemini' is no value of the channel option 'protocol'",
            "one of: openai_responses, openai_chat",
        ),
        (("--type", "openai", "--option", "region=us-east-1"), "there is no channel option 'region'", "one of: "),
    ],
)
def test_what_is_expected_is_named(cli, arguments, error, hint):
    done = cli("channel", "add", "a", *arguments, code=1)
    assert f"error: {error}" in done.err and hint in done.err.split("hint: ")[1]
    assert cli("channel", "list", "--json").json == []


def test_a_service_account_is_one_key_however_many_lines_it_has(cli, home):
    words = {"type": "service_account", "client_email": "a@b", "private_key": "-----BEGIN canary KEY-----\nx"}
    account = json.dumps(words, indent=2)
    cli(
        *("channel", "add", "a", "--type", "vertex", "--option", "project=p-1", "--option", "location=global"),
        "--api-key-stdin",
        stdin=account,
    )
    assert len(show(cli)["keys"]) == 1
    done = cli("channel", "test", "a", "--model", "gemini-3-pro", code=1)
    assert "service account's key" in done.err  # it was read again as it was given
    assert "canary" not in done.out + done.err
    assert "no JSON" in cli("channel", "edit", "a", "--api-key-stdin", stdin="{", code=2).err


@pytest.mark.parametrize(
    ("arguments", "key", "error"),
    [
        (AWS, "AKIA1:", "no key of AWS's"),
        (AWS, ":canary", "no key of AWS's"),
        (GCP, "canary", "no key of Google's"),
        (GCP, '{"client_email": "a@b"}', "the service account has no private_key"),
        (GCP, "{}", "the service account has no client_email and no private_key"),
    ],
)
def test_a_key_that_cannot_be_one_is_told_at_once(cli, arguments, key, error):
    done = cli("channel", "add", "a", *arguments, "--api-key-stdin", stdin=key, code=2)
    assert error in done.err and "canary" not in done.err
    assert cli("channel", "list", "--json").json == []


@pytest.mark.parametrize(("type", "auth"), [("bedrock", "aws"), ("vertex", "google")])
def test_a_missing_extra_is_told_when_a_channel_is_added_or_tested(cli, monkeypatch, type, auth):
    options = {
        "bedrock": ("--option", "region=us-east-1"),
        "vertex": ("--option", "project=p-1", "--option", "location=us"),
    }[type]
    cli("channel", "add", "there", "--type", type, *options)
    absent = {**EXTRAS, auth: replace(EXTRAS[auth], module="no_such_module")}
    monkeypatch.setattr("axonhub_cli.vendors.EXTRAS", absent)
    command = f"hint: pip install 'axonhub-cli[{EXTRAS[auth].name}]'\n"
    assert command in cli("channel", "add", "a", "--type", type, *options, code=1).err
    assert command in cli("channel", "test", "there", "--model", "m", code=1).err
    cli("channel", "add", "bearer", "--type", type, *options, "--option", "auth=bearer", "--api-key-env", "X")


def test_the_types_say_which_options_they_need(cli):
    rows = {row["type"]: row for row in cli("channel", "types", "--json").json}
    assert rows["bedrock"]["settings"] == ["region", "aws_profile"]
    assert rows["openai"]["settings"] == []
    assert rows["bedrock"]["protocol"] == "anthropic_messages" and rows["vertex"]["protocol"] == "gemini"


def test_a_cloud_without_a_key_has_credentials_of_its_own(cli):
    cli("channel", "add", "a", *AWS)
    cli("channel", "add", "b", "--type", "vertex", "--option", "project=p-1", "--option", "location=us")
    cli("channel", "add", "c", *AWS, "--option", "auth=bearer")
    listed = cli("channel", "list").out.splitlines()[1:]
    words = (" AWS's own ", " Google's own ", " none ")
    assert [[word for word in words if word in line] for line in listed] == [[word] for word in words]
    assert "keys      AWS's own\n" in cli("channel", "show", "a").out
    kinds = dict(line.split("  ", 1) for line in cli("channel", "types").out.splitlines())
    assert "AWS's own" in kinds["bedrock-converse"] and "Google's own" in kinds["vertex-anthropic"]
    assert show(cli)["keys"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (AWS, "Bedrock's runtime does not list the models an account may use."),
        (
            ("--type", "vertex", "--option", "project=p-1", "--option", "location=us"),
            "Vertex AI has no list of the models a project may use.",
        ),
    ],
)
def test_who_lists_no_models_wants_them_named(cli, options, words):
    cli("channel", "add", "a", *options)
    for command in ("models", "test"):
        done = cli("channel", command, "a", code=1)
        assert done.err == f"error: channel a: {words}\nhint: name its models: axonhub channel edit a --add-model M\n"


def test_missing_credentials_are_told_with_what_to_do(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    cli("channel", "add", "a", *AWS, "--model", "m")
    done = cli("channel", "test", "a", code=1)
    assert "key      AWS's own\n" in done.out
    assert "error: channel a: there are no AWS credentials" in done.err and "hint: run `aws configure`" in done.err
