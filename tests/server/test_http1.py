"""The law: however an answer is cut, the same head, the same body and the same end come out."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.server.http1 import BadHTTP, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[]}\n\n'

# name: (bytes, status, body, whether the end is told, whether the connection may serve again)
ANSWERS = {
    "a length": (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True, True),
    "a length of none": (OK + b"content-length: 0\r\n\r\n", 200, b"", True, True),
    "the same length twice": (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True, True),
    "until the connection ends": (OK + b"Content-Type: text/plain\r\n\r\nall of it", 200, b"all of it", False, True),
    "no body at all": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, True),
    "no body whatever it says": (b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", 304, b"", True, True),
    "no words after the status": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, True),
    "an older version": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, False),
    "an older version that stays": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, True,
    ),
    "it will close": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, False),
    "an error": (b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}", 429, b"{}", True, True),
    "interim answers first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
        + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True, True,
    ),
    "another protocol": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 101, b"", True, False),
    "chunks": (CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200, b"hello world", True, True),
    "chunks with ends of lines inside": (
        CHUNKED + b"7\r\na\r\nb\r\nc\r\n2\r\n\r\n\r\n3\r\n2\r\n\r\n0\r\n\r\n", 200, b"a\r\nb\r\nc\r\n2\r\n", True, True,
    ),
    "a chunk for each event": (
        CHUNKED + b"%x\r\n%s\r\n" % (len(EVENT), EVENT) * 30 + b"0\r\n\r\n", 200, EVENT * 30, True, True,
    ),
    "no chunk": (CHUNKED + b"0\r\n\r\n", 200, b"", True, True),
    "extensions, zeros and capitals": (
        CHUNKED + b"00A ; a=b\r\n0123456789\r\n000\r\n\r\n", 200, b"0123456789", True, True,
    ),
    "trailers": (CHUNKED + b"1\r\nx\r\n1\r\ny\r\n0\r\nDigest: 1\r\nOther: 2\r\n\r\n", 200, b"xy", True, True),
    "bare ends of lines": (
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nab\n1\nc\n0\n\n", 200, b"abc", True, True,
    ),
    "a coding and a length": (
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", True, True,
    ),
    "two codings": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", True, True),
    "another coding": (OK + b"Transfer-Encoding: gzip\r\n\r\nxyz", 200, b"xyz", False, True),
}  # fmt: skip
BROKEN = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "another version": b"HTTP/2 200\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a line that is no header": OK + b"nonsense\r\n\r\n",
    "a header with a space in its name": OK + b"Content Length: 1\r\n\r\n",
    "a folded header": OK + b"A: b\r\n c\r\n\r\n",
    "a length that is none": OK + b"Content-Length: +5\r\n\r\n",
    "a length below zero": OK + b"Content-Length: -1\r\n\r\n",
    "a length in other digits": OK + "Content-Length: ٣\r\n\r\n".encode(),
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length without end": OK + b"Content-Length: " + b"9" * 20 + b"\r\n\r\n",
    "a size that is none": CHUNKED + b"xyz\r\n",
    "a size with a sign": CHUNKED + b"+5\r\nhello\r\n",
    "a size with a line between": CHUNKED + b"1_0\r\n" + b"x" * 16 + b"\r\n",
    "a size with a sign, later": CHUNKED + b"1\r\nx\r\n+1\r\ny\r\n0\r\n\r\n",
    "an empty size": CHUNKED + b"\r\n",
    "a size without end": CHUNKED + b"1" * 17 + b"\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\nabc\r\n",
    "a later chunk longer than it says": CHUNKED + b"1\r\nx\r\n2\r\nabc\r\n0\r\n\r\n",
    "an extension without end": CHUNKED + b"5;" + b"x" * 5000,
    "a head without end": OK + b"A: " + b"x" * 70_000,
    "trailers without end": CHUNKED + b"0\r\n" + b"A: b\r\n" * 20_000,
}


def run(pieces):
    parser = ResponseParser()
    body = b"".join(parser.feed(piece) for piece in pieces)
    return parser, body


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(name):
    data, status, expected, told, persistent = ANSWERS[name]
    for pieces in ([data], bytewise(data), *([data[:at], data[at:]] for at in range(len(data)))):
        parser, body = run(pieces)
        assert (parser.head.status, body, parser.ended) == (status, expected, told)
        assert parser.head.persistent is persistent and not parser.excess
        parser.close()
        assert parser.ended


@pytest.mark.parametrize("name", ANSWERS)
def test_one_that_is_cut_has_not_ended(name):
    data, _, _, told, _ = ANSWERS[name]
    whole_head = data.rfind(b"\n\n" if name == "bare ends of lines" else b"\r\n\r\n")
    for at in range(len(data)):
        parser, body = run([data[:at]])
        if not told and at >= whole_head + 4:
            continue
        with pytest.raises(BadHTTP):
            parser.close()
        assert ANSWERS[name][2].startswith(body) and not parser.ended


@pytest.mark.parametrize("name", [name for name, row in ANSWERS.items() if row[3]])
def test_what_follows_it_is_no_part_of_it(name):
    data, _, expected, _, _ = ANSWERS[name]
    for pieces in ([data + b"HTTP/1.1 200"], [data, b"H"]):
        parser, body = run(pieces)
        assert body == expected and parser.ended and parser.excess


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer(name):
    data = BROKEN[name]
    for pieces in ([data], bytewise(data) if len(data) < 200 else [data[:100], data[100:]]):
        with pytest.raises(BadHTTP):
            run(pieces)


def test_no_read_costs_more_than_its_bytes():
    """Ends of lines inside, as some servers write events: each chunk is read by itself, and the rest only then."""
    looked = []

    class Looked(bytes):
        def __getitem__(self, at):
            found = super().__getitem__(at)
            looked.append(len(found))
            return found

    event = b"data: x\r\n\r\n"
    raw = Looked(CHUNKED + b"%x\r\n%s\r\n" % (len(event), event) * 2000 + b"0\r\n\r\n")
    parser = ResponseParser()
    parser.feed(CHUNKED)
    assert parser.feed(Looked(raw[len(CHUNKED) :])) == event * 2000 and parser.ended
    assert sum(looked) < 10 * len(raw)


def test_headers_have_one_spelling():
    parser, _ = run([OK + b"X-Request-ID:  a b \t\r\nSet-Cookie: 1\r\nset-cookie: 2\r\nX: \xff\xc3\xa9\r\n\r\n"])
    assert parser.head.headers == {"x-request-id": "a b", "set-cookie": "1, 2", "x": "\udcffé"}


@given(st.lists(st.binary(min_size=1, max_size=40) | st.sampled_from([EVENT, b"\r\n", b"1\r\nx"])), st.data())
def test_any_chunks_in_any_pieces(chunks, data):
    raw = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)))))
    parser, body = run([raw[a:b] for a, b in itertools.pairwise([0, *cuts, len(raw)])])
    assert body == b"".join(chunks) and parser.ended and not parser.excess


@given(st.binary(max_size=300), st.sampled_from([b"", OK, CHUNKED, CHUNKED + b"3\r\nabc\r\n"]))
def test_noise_raises_nothing_else(noise, before):
    with contextlib.suppress(BadHTTP):
        run([before + noise])
