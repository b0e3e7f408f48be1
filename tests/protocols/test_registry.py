"""What a new protocol must not forget."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from axonhub_cli import protocols, vendors
from axonhub_cli.entities import Channel
from axonhub_cli.errors import ConfigError
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS, codec, upstream

ROOT = Path(__file__).parents[2]
FOLDERS = {path.parent.name for path in Path(protocols.__path__[0]).glob("*/__init__.py")}


def test_every_folder_is_registered_under_its_name() -> None:
    assert UPSTREAMS.keys() == FOLDERS


def test_no_folder_is_left_out_of_the_contract_that_keeps_them_apart() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (contract for contract in contracts if "containers" in contract)
    assert set(apart["layers"][1].split(" | ")) == FOLDERS


def test_some_channel_type_speaks_each_and_any_channel_may() -> None:
    spoken = {name for row in vendors.CHANNEL_TYPES.values() for name in row.protocols}
    assert spoken == UPSTREAMS.keys()
    for name in UPSTREAMS:
        bent = Channel("c", "c", "openai-compatible", "https://x", options={"protocol": name})
        assert vendors.protocols(bent) == (name,)


def test_clients_speak_fewer() -> None:
    assert PROTOCOLS.keys() < UPSTREAMS.keys()
    with pytest.raises(ConfigError, match="bedrock_converse"):
        codec("bedrock_converse")
    with pytest.raises(ConfigError) as problem:
        upstream("smoke")
    assert "bedrock_converse" in problem.value.hint
