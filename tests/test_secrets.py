"""The secret of an installation, and upstream keys at rest."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from axonhub_cli.entities import Channel, UpstreamKey
from axonhub_cli.errors import AxonHubError, ConfigError
from axonhub_cli.paths import Home
from axonhub_cli.secrets import decrypt, derive, encrypt, key_value, load_secret, origin_of

SECRET = bytes(range(32))
CANARY = "sk-canary-4f9d"
ORIGIN = "https://api.example.com"
CHANNEL = Channel("ch_1", "example", "openai", ORIGIN + "/v1")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "home")


def test_the_secret_is_made_once_and_private(home: Home) -> None:
    first = load_secret(home, {})
    assert len(first) == 32 and load_secret(home, {}) == first == load_secret(home, {}, create=False)
    assert stat.S_IMODE(home.secret_file.stat().st_mode) == 0o600
    assert base64.b64decode(home.secret_file.read_bytes()) == first


def test_nothing_is_made_unless_asked(home: Home) -> None:
    with pytest.raises(ConfigError, match="there is no"):
        load_secret(home, {}, create=False)
    assert not home.data.exists()


def test_the_variable_wins_and_touches_no_file(home: Home) -> None:
    text = base64.b64encode(SECRET).decode()
    assert load_secret(home, {"AXONHUB_SECRET_KEY": f" {text}\n"}) == SECRET
    assert len(load_secret(home, {"AXONHUB_SECRET_KEY": "a long enough phrase"})) == 32
    assert not home.data.exists()
    with pytest.raises(ConfigError, match="AXONHUB_SECRET_KEY is too short") as caught:
        load_secret(home, {"AXONHUB_SECRET_KEY": "tooshort"})
    assert "tooshort" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 40, b"x" * 2000])
def test_a_broken_secret_file_is_named_and_left(home: Home, content: bytes) -> None:
    home.create()
    home.secret_file.write_bytes(content)
    with pytest.raises(AxonHubError, match=str(home.secret_file)):
        load_secret(home, {})
    assert home.secret_file.read_bytes() == content


def test_derived_keys_differ_by_purpose_and_stay_the_same() -> None:
    """reliability K4. The value is fixed: another would make every stored key unreadable."""
    assert derive(SECRET, "a") != derive(SECRET, "b") != derive(bytes(32), "b")
    assert derive(SECRET, "a").hex() == "ce8f482d15af55bf279d331c10675f8ef85e97968fb5953935a025961e619f43"


def test_what_is_encrypted_comes_back_only_where_it_belongs() -> None:
    sealed = encrypt(SECRET, CANARY, "ch_1", ORIGIN)
    assert sealed.startswith("enc:v1:") and CANARY not in sealed and sealed != encrypt(SECRET, CANARY, "ch_1", ORIGIN)
    assert decrypt(SECRET, sealed, "ch_1", ORIGIN) == CANARY
    damaged = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    for secret, value, channel, origin in (
        (bytes(32), sealed, "ch_1", ORIGIN),
        (SECRET, sealed, "ch_2", ORIGIN),
        (SECRET, sealed, "ch_1", "https://evil.example"),
        (SECRET, damaged, "ch_1", ORIGIN),
        (SECRET, "enc:v1:", "ch_1", ORIGIN),
        (SECRET, "enc:v1:!!", "ch_1", ORIGIN),
        (SECRET, "enc:v2:" + sealed[7:], "ch_1", ORIGIN),
        (SECRET, "", "ch_1", ORIGIN),
    ):
        with pytest.raises(ConfigError, match="cannot be decrypted") as caught:
            decrypt(secret, value, channel, origin)
        assert CANARY not in caught.value.message + caught.value.hint


def test_a_key_goes_only_to_where_it_was_entered_for() -> None:
    """reliability S6"""
    key = UpstreamKey("uk_1", ORIGIN, encrypted=encrypt(SECRET, CANARY, "ch_1", ORIGIN))
    assert key_value(key, SECRET, {}, CHANNEL) == CANARY
    assert CANARY not in repr(key)
    for url in ("http://api.example.com/v1", "https://api.example.com:8443", "https://api.example.com.evil.test"):
        for held in (key, UpstreamKey("uk_2", ORIGIN, env="KEY")):
            with pytest.raises(ConfigError, match=f"entered for {ORIGIN}, not for"):
                key_value(held, SECRET, {"KEY": CANARY}, replace(CHANNEL, base_url=url))
    with pytest.raises(ConfigError, match="channel example: a stored upstream key cannot be decrypted"):
        key_value(key, SECRET, {}, replace(CHANNEL, id="ch_2"))


def test_keys_from_variables() -> None:
    key = UpstreamKey("uk_1", ORIGIN, env="EXAMPLE_KEY")
    assert key_value(key, SECRET, {"EXAMPLE_KEY": f" {CANARY}\n"}, CHANNEL) == CANARY
    for environ in ({}, {"EXAMPLE_KEY": " "}):
        with pytest.raises(ConfigError, match="channel example: the variable EXAMPLE_KEY is not set") as caught:
            key_value(key, SECRET, environ, CHANNEL)
        assert "export EXAMPLE_KEY" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot be a key") as caught:
        key_value(key, SECRET, {"EXAMPLE_KEY": f"{CANARY}\r\nX-Evil: 1"}, CHANNEL)  # reliability B11
    assert CANARY not in caught.value.message + caught.value.hint
    with pytest.raises(ConfigError, match="without a value"):
        key_value(UpstreamKey("uk_1", ORIGIN), SECRET, {}, CHANNEL)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.Example.com/v1", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("http://127.0.0.1:8080/x?y", "http://127.0.0.1:8080"),
        ("http://user:pw@host:80", "http://host"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://host./", "https://host"),
    ],
)
def test_origins_have_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["", "api.example.com", "ftp://x", "https://", "http://h:99999", "http://[::1", "file:///x"]
)
def test_urls_without_an_origin(url: str) -> None:
    with pytest.raises(ConfigError):
        origin_of(url)
