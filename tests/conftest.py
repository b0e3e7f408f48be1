"""No test reads or writes what belongs to the person who runs it, and none leaves this machine by a proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# On a developer's machine properties look further each time; where a change is judged they say the same twice.
# No example is too slow: machines are busy.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("default")
if os.environ.get("CI"):
    settings.load_profile("ci")

_THEIRS = ("AXONHUB_", "CODEX_", "OPENAI_", "DEEPSEEK_", "ANTHROPIC_", "GEMINI_", "AWS_", "GOOGLE_", "AZURE_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(_THEIRS):
                patch.delenv(name)
        patch.setenv("AXONHUB_HOME", str(tmp_path_factory.mktemp("axonhub")))
        patch.setenv("CODEX_HOME", str(tmp_path_factory.mktemp("codex")))
        yield


@pytest.fixture(autouse=True)
def _no_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm and pip may need one; what talks to our own sockets does not."""
    if request.node.get_closest_marker("e2e"):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        return
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
