"""A frozen list of requests that are no HTTP: each is refused by its status, hung up on, and told nothing back.

In the fixture @PORT@ and @KEY@ are the server's own, @SECRET@ is what must not come back, @LONG@ is 200,000 characters
and @MANY@ 200 headers; bytes are Latin-1.
"""

import json
from pathlib import Path

import pytest

from axonhub_cli.server import endpoints
from tests.server.hub import hub

CASES = json.loads((Path(__file__).parent.parent / "fixtures" / "http" / "malformed.json").read_text())
SECRET = "canary-41d8cd98f00b204e"
SUBSTITUTES = {"@SECRET@": SECRET, "@LONG@": "x" * 200_000, "@MANY@": "a: b\r\n" * 200}


def test_b9_the_list_is_long_and_names_each_once():
    assert len({case["name"] for case in CASES}) == len(CASES) > 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
async def test_b9_malformed_requests_are_refused(tmp_path, monkeypatch, caplog, case):
    routed = []
    monkeypatch.setattr(endpoints, "find_route", lambda *names: routed.append(names))
    async with hub(tmp_path, demo=True) as h:
        text = case["request"].replace("@PORT@", str(h.port)).replace("@KEY@", h.key)
        for mark, substitute in SUBSTITUTES.items():
            text = text.replace(mark, substitute)
        received = await h.raw(text.encode("latin-1"))  # to the end: the connection is closed
        assert h.key.encode() not in received
    head, _, body = received.partition(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) == case["status"]
    assert head.count(b"HTTP/") == 1  # one answer, whatever was smuggled behind
    assert json.loads(body)["error"]["code"] == "bad_http"
    assert routed == []
    assert SECRET.encode() not in received
    assert SECRET not in caplog.text
