"""Listens to a Gemini stream that passes by untouched, and parses only the few chunks that say something new."""

from __future__ import annotations

import re

import msgspec

from axonhub_cli.protocols.base import Watch
from axonhub_cli.protocols.gemini.errors import error_inside
from axonhub_cli.protocols.gemini.finish import blocked
from axonhub_cli.protocols.gemini.usage import UsageReader
from axonhub_cli.protocols.gemini.wire import WireChunk, decode_lenient, decode_strict

MAX_HELD = 16 * 1024 * 1024
_EVERY = 16  # reads: how often the counts are read before the end (pitfall 180)
# A key inside a JSON string has a backslash before its quotes, so these match keys only.
_OUTPUT = re.compile(
    rb'"text"\s*:\s*"[^"]|"(?:functionCall|inlineData|executableCode|codeExecutionResult|thoughtSignature)"\s*:'
)


class GeminiStreamWatcher:
    """See `base.StreamWatcher`."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._held = b""
        self._usage = UsageReader()
        self._reads = 0

    def feed(self, data: bytes) -> None:
        """See `base.StreamWatcher`."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        if end < 0:
            self._held = (self._held + data)[-MAX_HELD:]
            return
        lines, self._held = self._held + data[: end + 1], data[end + 1 :]
        if not self.watch.output and _OUTPUT.search(lines):
            self.watch.output = True
        self._reads += 1
        if self._reads % _EVERY == 1 or self.watch.finish or self.watch.model is None or _telling(lines):
            for line in lines.splitlines():
                if line.startswith(b"data:") and self.watch.error is None:
                    self._line(line[5:])

    def _line(self, data: bytes) -> None:
        try:
            chunk = decode_strict(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                chunk = decode_lenient(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return
        self._chunk(chunk, data)

    def _chunk(self, chunk: WireChunk, data: bytes) -> None:
        watch = self.watch
        watch.model = watch.model or chunk.modelVersion
        if chunk.error is not None:
            if watch.finish is None:
                watch.error = error_inside(data.strip())
            return
        if not watch.ended:
            self._usage.read(chunk.usageMetadata)
            watch.usage = self._usage.usage()
        feedback = chunk.promptFeedback
        if isinstance(feedback, dict) and feedback.get("blockReason") and not chunk.candidates:
            # It is the API's own end of the stream: the client knows what it means.
            watch.error = blocked(str(feedback["blockReason"]))
            watch.ended = True
        for candidate in chunk.candidates or ():
            word = candidate.finishReason
            if not candidate.index and word and word != "FINISH_REASON_UNSPECIFIED":
                watch.finish = watch.finish or word
        if watch.finish and chunk.usageMetadata is not None and watch.usage is not None:
            watch.ended = True


def _telling(lines: bytes) -> bool:
    return b'"finishReason"' in lines or b'"error"' in lines or b'"blockReason"' in lines
