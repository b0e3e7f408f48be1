"""Who is let in, where keys may go, and what never leaks; names are rows of docs/reliability.md."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from axonhub_cli.entities import UpstreamKey
from axonhub_cli.server import auth
from axonhub_cli.server.endpoints import ROUTES, Need
from tests.server.hub import UPSTREAM_KEY, channel, hub
from tests.server.upstreams import Upstream, answers, chat_stream, responses_events, streams

BODY = b'{"model":"m","input":"hi"}'


def raw(port, key, *, host=None, target="/v1/responses", method="POST", body=BODY, extra=(), media="application/json"):
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {host if host is not None else f'127.0.0.1:{port}'}",
        f"Authorization: Bearer {key}",
        f"Content-Type: {media}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *extra,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def status_of(received):
    return int(received.split(b" ", 2)[1])


HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.0.0.1.:{port}",
    "0.0.0.0:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "[::ffff:7f00:1]:{port}",
    "user@127.0.0.1:{port}",
    "x/?",
    "localhost.evil.example:{port}",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", ["/v1/responses", "/health", "/nowhere"])
async def test_s1_a_foreign_host_is_refused_before_anything(tmp_path, host, target):
    async with hub(tmp_path, demo=True) as h:
        received = await h.raw(raw(h.port, h.key, host=host.format(port=h.port), target=target))
    assert status_of(received) in (400, 403, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
async def test_s1_our_own_names_are_served(tmp_path, host):
    async with hub(tmp_path, demo=True) as h:
        assert status_of(await h.raw(raw(h.port, h.key, host=host.format(port=h.port)))) == 200


SEEN = ["192.0.2.7:{port}", "[fd00::2]:{port}", "[::1]:{port}", "localhost:{port}"]
UNSEEN = ["192.0.2.7", "192.0.2.7:1", "192.0.2.7.evil.example:{port}", "[192.0.2.7]x:{port}", "fd00::2:{port}"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_s1_who_listens_everywhere_is_called_by_any_address_and_by_no_foreign_name(host):
    hosts = auth.allowed_hosts(host, 8090)
    assert [shown for shown in SEEN if shown.format(port=8090) not in hosts] == []
    foreign = {*HOSTS, *UNSEEN} - {"[::ffff:7f00:1]:{port}"}  # an address like any other here
    assert [shown for shown in foreign if shown.format(port=8090) in hosts] == []
    assert "192.0.2.7:8090" not in auth.allowed_hosts("127.0.0.1", 8090)


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "http://evil.example/v1/responses"), ("OPTIONS", "*"), ("CONNECT", "127.0.0.1:1")]
)
async def test_s1_a_target_that_is_no_path_is_refused(tmp_path, method, target):
    async with hub(tmp_path, demo=True) as h:
        assert status_of(await h.raw(raw(h.port, h.key, method=method, target=target))) == 421


@pytest.mark.parametrize(
    "extra",
    [
        ("Origin: https://evil.example",),
        ("Origin: null",),
        ("Origin: http://127.0.0.1:1",),
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
async def test_s2_s3_web_pages_are_refused_and_told_nothing(tmp_path, extra, method):  # pitfall 173
    async with hub(tmp_path, demo=True) as h:
        received = await h.raw(raw(h.port, h.key, method=method, extra=extra, body=b""))
    assert status_of(received) == 403
    assert b"access-control" not in received.lower()


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_s2_only_json_is_taken(tmp_path, media):
    async with hub(tmp_path, demo=True) as h:
        assert status_of(await h.raw(raw(h.port, h.key, media=media))) == 415


async def test_s4_s11_s12_every_wrong_key_gets_the_same_answer(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        key = replace(h.store.keys.get("tester"), updated_at=0)  # whatever has changed since
        wrong = ("", "ah-wrong", h.key[:-1], h.key + "x", "' OR 1=1 --", "é" * 40)
        bodies = [await h.raw(raw(h.port, shown)) for shown in wrong]
        for change in ({"enabled": False}, {"expires_at": 1}, {"revoked_at": 1}, {"allowed_ips": ("10.0.0.0/8",)}):
            h.store.keys.replace(replace(key, **change))
            bodies.append(await h.raw(raw(h.port, h.key)))
        h.store.keys.replace(replace(key, allowed_ips=("127.0.0.0/8",)))
        assert status_of(await h.raw(raw(h.port, h.key))) == 200
    assert {status_of(received) for received in bodies} == {401}
    assert len({received.partition(b"\r\n\r\n")[2] for received in bodies}) == 1


async def test_s4_s9_every_route_but_the_harmless_ones_needs_a_key(tmp_path):
    open_routes = {(route.method, route.path) for route in ROUTES if route.need is Need.NOTHING}
    assert open_routes == {("GET", "/health"), ("HEAD", "/health"), ("HEAD", "/")}
    async with hub(tmp_path, demo=True) as h:
        for route in [*ROUTES, *(replace(ROUTES[0], path=path) for path in ("/x", "/admin", "/v1/messages", "/"))]:
            if route.need is Need.KEY:
                received = await h.raw(raw(h.port, "no", method=route.method, target=route.path.replace("*", "x")))
                assert status_of(received) == 401, route
        assert status_of(await h.raw(raw(h.port, h.key, target="/admin"))) == 404


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "api-key", "x-goog-api-key", "query"])
async def test_the_key_is_taken_wherever_a_protocol_puts_it(tmp_path, name):
    async with hub(tmp_path, demo=True) as h:
        value = f"Bearer {h.key}" if name == "Authorization" else h.key
        headers = {} if name == "query" else {name: value}
        target = h.url + "/v1/models" + (f"?key={h.key}" if name == "query" else "")
        async with h.session.get(target, headers=headers) as response:
            assert response.status == 200


async def test_s5_b11_nothing_of_the_clients_chooses_where_a_request_goes(tmp_path):
    async with Upstream(streams()) as up, Upstream(streams()) as other, hub(tmp_path, [channel("a", up.url)]) as h:
        payload = {"model": "m", "input": "hi", "stream": True, "api_base": other.url, "base_url": other.url}
        forged = {
            "x-portkey-custom-host": other.url,
            "X-Forwarded-Host": "evil",
            "Cookie": "c=1",
            "x-api-key": "sk-ant-oat-mistake",
            "traceparent": "00-1",
            "session-id": "s",
            "x-codex-turn-metadata": "{}",
        }
        assert (await h.ask(payload=payload, headers=forged))[0] == 200
    (call,) = up.calls
    assert other.calls == []
    allowed = {"host", "authorization", "accept", "accept-encoding", "content-type", "content-length", "user-agent"}
    assert set(call.headers) <= allowed
    assert call.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert b"api_base" not in call.body


async def test_s6_a_key_does_not_follow_a_changed_address(tmp_path):
    async with Upstream(streams()) as up:
        key = UpstreamKey("k", "http://127.0.0.1:1", env="UP_KEY")
        async with hub(tmp_path, [channel("a", up.url, keys=(key,))]) as h:
            status, _, text = await h.ask()
    assert status == 502
    assert up.connections == 0
    assert "127.0.0.1:1" not in text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_s7_redirects_are_not_followed(tmp_path, status):
    async with Upstream(streams()) as other:
        moved = answers(status, b"", extra=(f"Location: {other.url}/chat/completions",))
        async with Upstream(moved) as up, hub(tmp_path, [channel("a", up.url)]) as h:
            told, _, _ = await h.ask()
    assert told == 502
    assert other.connections == 0


async def test_s20_headers_of_every_answer(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        for received in (
            await h.raw(raw(h.port, h.key)),
            await h.raw(raw(h.port, "no")),
            await h.raw(raw(h.port, h.key, target="/health", method="GET", body=b"")),
            await h.raw(b"NONSENSE\r\n\r\n"),
        ):
            head = received.partition(b"\r\n\r\n")[0].lower()
            assert b"x-content-type-options: nosniff" in head
            assert b"cache-control: no-store" in head
            assert b"server: axonhub\r\n" in head


async def test_k5_k6_k7_no_secret_comes_out_anywhere(tmp_path, caplog, capfd):
    canary = "canary-41d8cd98f00b204e"
    echo = answers(401, {"error": {"message": f"Incorrect API key provided: {UPSTREAM_KEY}"}})
    async with Upstream(echo) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        outputs = []
        for data in (
            raw(h.port, f"{canary}\x01"),
            raw(h.port, canary + "x" * 200_000),
            raw(h.port, "no", target=f"/v1/models?key={canary}", method="GET", body=b""),
            f"GET /?{canary} HTTP/1.1\r\nHost: a b\r\nAuthorization {canary}\r\n\r\n".encode(),
            f"POST /v1/responses HTTP/9.9\r\nx-api-key: {canary}\r\n\r\n".encode(),
            raw(h.port, h.key, extra=(f"Cookie: {canary}",)),
            raw(h.port, h.key, body=b'{"model": 5}', extra=(f"x-other: {canary}",)),
        ):
            try:
                outputs.append(await h.raw(data))
            except ConnectionError:
                continue
        async with h.session.get(h.url + "/metrics") as response:
            outputs.append(await response.read())
        await asyncio.sleep(0.05)
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "secret.key"]
        records = repr(h.records.__dict__).encode()
    captured = capfd.readouterr()
    everything = b"\n".join([*outputs, *files, records, captured.out.encode(), captured.err.encode()])
    everything += caplog.text.encode()
    for secret in (canary, UPSTREAM_KEY, h.key):
        assert secret.encode() not in everything
    assert up.calls  # the echo did happen


@pytest.mark.parametrize("protocol", ["openai-compatible", "openai"])
@pytest.mark.parametrize("after", [0, 2, 3])
async def test_k5_an_error_in_mid_stream_does_not_tell_the_key(tmp_path, caplog, protocol, after):
    words = f"Incorrect API key provided: {UPSTREAM_KEY}"
    if protocol == "openai":
        failed = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "x", "message": words}}}
        pieces = [*responses_events()[: 2 * after], f"event: response.failed\ndata: {json.dumps(failed)}\n\n".encode()]
    else:
        pieces = [*chat_stream()[:after], f"data: {json.dumps({'error': {'message': words}})}\n\n".encode()]
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [channel("a", up.url, type=protocol)]) as h:
        _, _, text = await h.ask()
        await h.finished()
        records = repr(h.records.__dict__)
    assert "Incorrect API key provided" in text
    assert UPSTREAM_KEY not in records + caplog.text
    if protocol != "openai" or after < 3:  # what has begun to pass untouched stays untouched
        assert UPSTREAM_KEY not in text


async def test_a_listed_error_names_no_address_and_no_path(tmp_path):  # reliability S22
    async with Upstream(streams()) as gone:
        url = gone.url
    async with hub(tmp_path, [channel("dead", url)]) as h:
        status, _, text = await h.ask()
    assert status == 503
    assert "Connection refused" in json.loads(text)["error"]["message"]
    assert "127.0.0.1" not in text
    assert url.split("/")[2].rpartition(":")[2] not in text
    assert str(tmp_path) not in text
