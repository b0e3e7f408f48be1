"""Google's own SDK reads what we write, over a loopback socket; pitfalls 99-101, 151."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google import genai

from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.tokens import estimate_request
from axonhub_cli.protocols.gemini import CODEC
from axonhub_cli.protocols.gemini.count import encode_count
from tests.protocols.laws import STREAMS, decode, translation

CALLS = next(stream for stream in STREAMS if stream.path.name == "interleaved-calls.stream.sse")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = CODEC.decode_request({**body, "model": "m", "stream": ":stream" in self.path})
        if request.stream:
            relay = translation(CODEC, CALLS.codec, request)
            said = relay.keepalive() + relay.feed(CALLS.data[:400]) + relay.keepalive() + relay.feed(CALLS.data[400:])
            said += relay.close()
        elif ":count" in self.path:
            said = json.dumps(encode_count(estimate_request(request))).encode()
        else:
            said = json.dumps(CODEC.encode_response(fold(decode(CALLS)), request)).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if request.stream else "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


@pytest.fixture
def client() -> Iterator[genai.Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield genai.Client(api_key="k", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})
    server.shutdown()
    server.server_close()


def test_the_sdk(client: genai.Client) -> None:
    whole = client.models.generate_content(model="m", contents="hi")
    chunks = list(client.models.generate_content_stream(model="m", contents="hi", config={"temperature": 0.1}))
    names = [call.name for chunk in chunks for call in chunk.function_calls or ()]
    assert names == [call.name for call in whole.function_calls or ()] == ["shell", "search"]
    assert str(chunks[-1].candidates[0].finish_reason.value) == "STOP"  # type: ignore[index, union-attr]
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert (client.models.count_tokens(model="m", contents="hello there").total_tokens or 0) > 1
