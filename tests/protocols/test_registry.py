"""What a new protocol must not forget."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from axonhub_cli import protocols, vendors
from axonhub_cli.entities import Channel
from axonhub_cli.errors import ConfigError
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS, codec, upstream

PLACE = Path(protocols.__path__[0])
FOLDERS = {path.parent.name for path in PLACE.glob("*/__init__.py")}
FILES = sorted(path for path in PLACE.rglob("*.py") if path != PLACE / "registry.py")


def test_every_folder_is_registered_under_its_name() -> None:
    assert UPSTREAMS.keys() == FOLDERS


def imported(path: Path) -> set[str]:
    """What lies in `protocols/` that a file of it imports, by the first name below it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    below = f"{protocols.__name__}."
    return {name.removeprefix(below).split(".")[0] for name in names if name.startswith(below)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLACE)))
def test_protocols_are_apart_and_what_they_share_knows_none_of_them(path: Path) -> None:
    own = path.relative_to(PLACE).parts[0]
    assert not imported(path) & (FOLDERS - {own})
    assert "registry" not in imported(path)


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
