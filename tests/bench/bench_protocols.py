"""CPU of translating alone: no sockets, no store. One Codex turn to a Chat upstream and 200 chunks back.

    python -m tests.bench.bench_protocols [--repeat 7]

The best of several runs, by the process's own CPU clock, so that a busy machine matters little.
"""

import argparse
import json
import time

import msgspec

from axonhub_cli.protocols import registry
from axonhub_cli.protocols.translator import Translation
from axonhub_cli.vendors import quirks
from tests.bench.bench_exchange import CHUNKS, codex_request
from tests.server.hub import channel

WORDS = ["The", " parser", " reads", " a", " line", "\n", " and", ' "stops"', " at", " the end.", " Grüße", " 🙂"]


def chunk(delta, **more):
    head = {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1763860000, "model": "m-1"}
    return {**head, **more, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}


def text(spaced=False, **more):
    """An answer in words, some of them with characters that JSON escapes."""
    deltas = [{"content": WORDS[n % len(WORDS)]} for n in range(CHUNKS)]
    return stream({"role": "assistant", "content": ""}, deltas, spaced, **more)


def patch(spaced=False):
    """A call whose arguments come in small pieces: most of what Codex is sent."""
    arguments = json.dumps({"input": "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 'two'\n" * 20})
    step = len(arguments) // CHUNKS + 1
    pieces = [arguments[at : at + step] for at in range(0, len(arguments), step)]
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "tool_1", "arguments": ""}}
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    return stream({"role": "assistant", "content": None, "tool_calls": [call]}, deltas, spaced)


def stream(first, deltas, spaced, **more):
    separators = (", ", ": ") if spaced else (",", ":")
    end = chunk({}, usage={"prompt_tokens": 9, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 9})
    end["choices"][0]["finish_reason"] = "stop"
    payloads = [chunk(first), *(chunk(delta, **more) for delta in deltas), end]
    events = [json.dumps(payload, separators=separators, ensure_ascii=spaced).encode() for payload in payloads]
    return [b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"]]


STREAMS = {
    "text, compact JSON (OpenAI, DeepSeek, llama.cpp)": text(),
    "text, spaced JSON, \\u escapes (Python servers)": text(spaced=True),
    "text, one field more at the end (usage: null)": text(usage=None),
    "reasoning_content": [piece.replace(b'"content":', b'"reasoning_content":') for piece in text()],
    "arguments of a tool call": patch(),
    "arguments, spaced JSON": patch(spaced=True),
}


def reads(pieces, per_read):
    """The stream as `per_read` events a read, or, from a fraction, as reads that end inside of events."""
    if per_read >= 1:
        return [b"".join(pieces[at : at + per_read]) for at in range(0, len(pieces), per_read)]
    data, size = b"".join(pieces), 16_000
    return [data[at : at + size] for at in range(0, len(data), size)]


def measure(function, repeat, number):
    """Microseconds a call: the best run."""
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        for _ in range(number):
            function()
        best = min(best, (time.process_time() - start) / number)
    return best * 1e6


class Turn:
    """One request, both ways."""

    def __init__(self):
        self.client, self.upstream = registry.codec("openai_responses"), registry.codec("openai_chat")
        self.quirks = quirks(channel("up", "http://127.0.0.1:1/v1", type="deepseek"))
        self.body = json.dumps(codex_request()).encode()
        self.payload = msgspec.json.decode(self.body)
        self.request = self.client.decode_request(self.payload)
        self.encoded = self.upstream.encode_request(self.request, self.quirks).payload

    def translation(self):
        return Translation(
            self.client,
            self.upstream,
            self.request,
            quirks=self.quirks,
            response_id="r1",
            now=1,
            seal_part=lambda part: part,
        )

    def relay(self, pieces):
        relay = self.translation()
        for piece in pieces:
            relay.feed(piece)
        assert relay.watch.ended, relay.watch

    def decode(self, pieces):
        decoder = self.upstream.stream_decoder(self.quirks)
        for piece in pieces:
            decoder.feed(piece)

    def whole(self, pieces):
        request = self.client.decode_request(msgspec.json.decode(self.body))
        msgspec.json.encode(self.upstream.encode_request(request, self.quirks).payload)
        self.relay(pieces)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    turn = Turn()

    def row(name, function, number=50, per=1):
        print(f"{name:58} {measure(function, options.repeat, number) / per:9.2f} µs", flush=True)

    print(f"a request of {len(turn.body) / 1000:.0f} kB")
    row("  parse JSON", lambda: msgspec.json.decode(turn.body))
    row("  decode_request", lambda: turn.client.decode_request(turn.payload))
    row("  encode_request", lambda: turn.upstream.encode_request(turn.request, turn.quirks))
    row("  write JSON", lambda: msgspec.json.encode(turn.encoded))
    for name, pieces in STREAMS.items():
        print(f"{name}: per event")
        for label, per_read in (("1", 1), ("8", 8), ("50", 50), ("16 kB", 0)):
            cut = reads(pieces, per_read)
            row(f"  decoder, {label} a read", lambda cut=cut: turn.decode(cut), 20, len(pieces))
        cut = reads(pieces, 8)
        row("  both ways, 8 a read", lambda cut=cut: turn.relay(cut), 20, len(pieces))
    print(f"a whole turn, {CHUNKS} chunks, 8 a read")
    cut = reads(STREAMS["text, compact JSON (OpenAI, DeepSeek, llama.cpp)"], 8)
    row("  everything", lambda: turn.whole(cut), 20)


if __name__ == "__main__":
    main()
