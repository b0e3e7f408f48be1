"""Reading what clients send: sizes, encodings, JSON; names are rows of docs/reliability.md."""

import gzip
import json
import time
import zlib

import pytest
from backports import zstd
from msgspec.structs import replace

from axonhub_cli.llm.errors import Failure
from axonhub_cli.server.body import decompress, parse
from axonhub_cli.server.limits import Limits
from tests.server.hub import FAST, hub

PLAIN = json.dumps({"model": "m", "input": "hello " * 500}).encode()
BARE = zlib.compressobj(wbits=-15)
ENCODED = {
    "gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "bare": BARE.compress(PLAIN) + BARE.flush(),
    "zstd": zstd.compress(PLAIN),
}
LIMITS = Limits()


def refusal(call, *args):
    with pytest.raises(Failure) as caught:
        call(*args)
    return caught.value.error.status


@pytest.mark.parametrize("name", ENCODED)
def test_every_encoding_is_undone(name):  # pitfall 156
    assert decompress(ENCODED[name], "deflate" if name == "bare" else name, LIMITS) == PLAIN


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_missing_header_is_seen_by_the_first_bytes(name):  # pitfall 156
    assert decompress(ENCODED[name], "identity", LIMITS) == PLAIN


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
def test_damaged_streams_are_refused(name):
    data = ENCODED[name]
    assert refusal(decompress, data[:-5], name, LIMITS) == 400
    assert refusal(decompress, data + b"tail", name, LIMITS) == 400
    assert refusal(decompress, b"not compressed at all", name, LIMITS) == 400
    assert refusal(decompress, b"", name, LIMITS) == 400
    assert refusal(decompress, data + data, name, LIMITS) == 400  # many members


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
def test_b4_a_bomb_costs_no_more_than_the_limit(name):
    zeros = b"\0" * (192 << 20)
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}[name](zeros)
    del zeros
    start = time.process_time()
    assert refusal(decompress, bomb, name, LIMITS) == 413
    assert time.process_time() - start < 0.3


def test_b4_big_windows_are_refused():
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.enable_long_distance_matching: 1}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(b"ab" * 1000) + compressor.flush()
    assert refusal(decompress, data, "zstd", LIMITS) == 400


def test_parse_takes_objects_only():
    assert parse(b'{"a": 1, "a": 2}', LIMITS) == {"a": 2}
    assert parse(b'{"big": 123456789012345678901234567890}', LIMITS)["big"] == 123456789012345678901234567890
    for data in (b"", b"[]", b'"x"', b"{", b"nope", b"\xff{}", b"{} {}"):
        assert refusal(parse, data, LIMITS) == 400


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "5" * 5000, '"\\ud800"'])
def test_b6_b7_values_that_are_no_json(value):
    assert refusal(parse, f'{{"a": {value}}}'.encode(), LIMITS) == 400


@pytest.mark.parametrize("depth", [257, 900, 100_000, 1_000_000])
def test_b5_deep_json_is_refused(depth):
    assert refusal(parse, b'{"a":' + b"[" * depth + b"]" * depth + b"}", LIMITS) == 400


def test_b5_wide_json_and_brackets_in_strings_are_fine():
    wide = b'{"a":[' + b",".join([b"[]"] * 100_000) + b"]}"
    assert len(parse(wide, LIMITS)["a"]) == 100_000
    assert parse(json.dumps({"a": "[" * 5000}).encode(), LIMITS)
    nested = b'{"a":' + b"[" * 254 + b"]" * 254 + b"}"
    assert parse(nested, LIMITS)


async def post(h, data, **headers):
    headers = {"Authorization": f"Bearer {h.key}", "Content-Type": "application/json", **headers}
    async with h.session.post(h.url + "/v1/responses", data=data, headers=headers) as response:
        return response.status, await response.json()


async def test_compressed_requests_are_served(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        for name in ("gzip", "deflate", "zstd"):
            assert (await post(h, ENCODED[name], **{"Content-Encoding": name}))[0] == 200
        assert (await post(h, ENCODED["zstd"]))[0] == 200
        for name in ("br", "gzip, zstd", "foo"):
            assert (await post(h, PLAIN, **{"Content-Encoding": name}))[0] == 415
        assert (await post(h, PLAIN, **{"Content-Encoding": "identity"}))[0] == 200
        status, body = await post(h, b"\x1f\x8bnonsense")
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")


async def test_b3_sizes_are_bounded(tmp_path):
    small = replace(FAST, body_decoded=2048, body_wire=1024)
    async with hub(tmp_path, demo=True, limits=small) as h:
        big = json.dumps({"model": "m", "input": "x" * 4096}).encode()
        status, body = await post(h, big)
        assert status == 413
        assert "axonhub" in body["error"]["message"]  # pitfall 155: it was us

        async def endless():
            for _ in range(10):
                yield b" " * 500

        assert (await post(h, endless()))[0] == 413


async def test_s14_slow_bodies_and_heads_are_cut_off(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        head = f"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nAuthorization: Bearer {h.key}\r\n"
        whole = f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode()
        start = time.monotonic()
        received = await h.raw(whole)
        assert b" 408 " in received.split(b"\r\n")[0]
        for partial in (b"", b"GET", head.encode()):
            assert await h.raw(partial) == b""
        assert time.monotonic() - start < 4 * (FAST.head_s + FAST.body_start_s)


async def test_expect_continue_is_answered(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        head = (
            f"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nAuthorization: Bearer {h.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(PLAIN)}\r\nExpect: 100-continue\r\n"
            "Connection: close\r\n\r\n"
        )
        received = await h.raw(head.encode() + PLAIN)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize("model", [None, 5, "", " ", "x" * 257, "a\nb", ["m"]])
async def test_b8_an_unusable_model_name_is_named(tmp_path, model):
    async with hub(tmp_path, demo=True) as h:
        status, body = await post(h, json.dumps({"model": model, "input": "hi"}).encode())
    assert (status, body["error"]["param"]) == (400, "model")
