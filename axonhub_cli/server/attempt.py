"""One upstream call and what it brings the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from axonhub_cli.entities import Body
from axonhub_cli.errors import AxonHubError
from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import JSON, UpstreamCodec, Watch
from axonhub_cli.protocols.translator import Relay, Whole
from axonhub_cli.routing.commit_gate import CommitGate
from axonhub_cli.server import faults
from axonhub_cli.server.calls import Asked, Prepared
from axonhub_cli.server.client import Beginning, Client
from axonhub_cli.server.journal import Journal
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.reply import Reply
from axonhub_cli.server.transports import Transports
from axonhub_cli.server.upstream import Outgoing
from axonhub_cli.server.watchdog import Watchdog

_MAX_SHOWN = 1024  # characters
_SILENT = "The upstream sent nothing for too long."
_NO_OUTPUT = "The upstream accepted the request and then sent no output in time."


class Attempt:
    """Runs once. `error` is set where the answer broke after the client had seen some of it."""

    def __init__(
        self,
        asked: Asked,
        prepared: Prepared,
        *,
        client: Client,
        watchdog: Watchdog,
        journal: Journal,
        limits: Limits,
    ) -> None:
        self._asked, self._prepared, self._client = asked, prepared, client
        self._watchdog, self._journal, self._limits = watchdog, journal, limits
        self._reply: Reply | None = None
        self._relay: Relay | None = None
        self._gate: CommitGate | None = None
        self.error: APIError | None = None
        self.tail = b""  # the last bytes, with the protocol's end: they leave in one write with that of HTTP

    @property
    def committed(self) -> bool:
        """The client has seen output: too late for another channel."""
        return self._gate is not None and self._gate.committed

    @property
    def upstream(self) -> UpstreamCodec:
        """Whose words are spoken to the upstream."""
        return self._prepared.upstream

    def sent(self) -> JSON:
        """The payload the upstream was asked with."""
        payload: JSON = msgspec.json.decode(self._prepared.call.body)
        return payload

    @property
    def translated(self) -> bool:
        """The answer is in our words, not in the upstream's."""
        return not self._prepared.raw

    @property
    def watch(self) -> Watch | None:
        """What is known of a stream so far."""
        return self._relay.watch if self._relay else None

    @property
    def headers(self) -> dict[str, str]:
        """For the client, whatever the upstream says."""
        return dict(self._asked.codec.manners.translated_headers) if self.translated else {}

    def fail(self, error: APIError) -> bytes:
        """An error event that fits what the relay has said so far."""
        return self._relay.fail(error) if self._relay else b""

    def body(self) -> Body | None:
        """What a stream has said so far, for the recorder."""
        body = self._relay.body() if self._relay else None
        return self._prepared.scrubbed_body(body) if body else None

    def counted(self) -> Usage | None:
        """The tokens of a stream so far, once nothing more of it will be relayed."""
        return self._relay.counted() if self._relay else None

    def silent(self) -> None:
        """The upstream's time is up: the waiting read fails."""
        if self._reply is not None:
            self._reply.interrupt(faults.slow(_SILENT if self.committed else _NO_OUTPUT))

    def keepalive(self) -> bytes:
        """From the relay, once it speaks to the client."""
        return self._relay.keepalive() if self._relay is not None and self.committed else b""

    async def stream(self, transports: Transports, headers: dict[str, str], beginning: Beginning) -> None:
        """Relays the answer. Raises Failure while another channel may still serve; afterwards sets `error`,
        and the client has been told."""
        reply = await self._open(transports)
        headers |= self._shown(reply.headers)
        self._relay = self._prepared.relay(
            self._asked, beginning.response_id, beginning.created, beginning.encoder, begun=beginning.begun
        )
        self._gate = CommitGate()
        try:
            await self._pump(reply, headers)
        except Failure as failure:
            if not self.committed:
                raise
            self.error = failure.error
            await self._client.send(self._relay.fail(failure.error), headers)
        self._watchdog.relax()

    async def whole(self, transports: Transports, headers: dict[str, str]) -> Whole:
        """The answer in one piece. Raises Failure."""
        data = await self._fetch(transports, headers)
        try:
            answer = self._prepared.whole(self._asked, data)
        except Failure as failure:
            raise Failure(self._prepared.scrubbed(failure.error)) from None
        self._refuse_empty(answer.watch)
        return answer

    async def count(self, transports: Transports, headers: dict[str, str]) -> bytes:
        """An upstream's answer to COUNT_TOKENS. Raises Failure, also for what is no count."""
        data = await self._fetch(transports, headers)
        try:
            payload = msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            payload = {}
        self._asked.codec.decode_count(payload)
        return data

    async def drain(self) -> None:
        """After the client has its answer: lets the upstream finish, so that its connection can be used again."""
        if self._reply is not None:
            await self._reply.drain(self._limits.drain_s)

    def close(self) -> None:
        """Hangs up where the answer was not read to its end."""
        if self._reply is not None:
            self._reply.close()

    async def _fetch(self, transports: Transports, headers: dict[str, str]) -> bytes:
        reply = await self._open(transports)
        headers |= self._shown(reply.headers)
        data = await self._read(reply, self._limits.reply, self._limits.idle_upstream_s)
        self._watchdog.relax()
        return data

    def _refuse_empty(self, watch: Watch) -> None:
        if self._prepared.quirks.retry_empty and not self.committed and (watch.empty or not watch.output):
            raise Failure(faults.empty())

    def _shown(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What a client may learn of the upstream's own headers; little where its answer was translated."""
        shown = {"x-upstream-request-id": request_id} if (request_id := self._request_id(headers)) else {}
        if self._prepared.raw:
            prefixes = self._asked.codec.manners.shown_prefixes
            shown |= {name: value for name, value in headers.items() if name.startswith(prefixes) and self._fits(value)}
        return shown

    def _request_id(self, headers: Mapping[str, str]) -> str | None:
        names = ("x-request-id", "request-id", "x-amzn-requestid")
        return next((found for name in names if (found := headers.get(name)) and self._fits(found)), None)

    def _fits(self, value: str) -> bool:
        """Whether a header of an upstream's can be one of ours: who writes it to the client takes no control
        characters, and it may be a key that the upstream repeats."""
        shown = any(secret in value for secret in self._prepared.call.secrets)
        return len(value) <= _MAX_SHOWN and value.isprintable() and not shown

    async def _open(self, transports: Transports) -> Reply:
        reply = self._reply = await transports.send(await self._signed(transports))
        self._journal.attempt_note(http_status=reply.status, upstream_request_id=self._request_id(reply.headers))
        if error := faults.no_answer(reply.status, reply.headers):
            raise Failure(error)
        if reply.status >= 400:
            raise Failure(await self._refusal(reply))
        return reply

    async def _signed(self, transports: Transports) -> Outgoing:
        channel = self._prepared.call.channel
        try:
            call = await transports.signed(self._prepared.call)
        except AxonHubError as problem:
            # As with keys that cannot be read: the words are for whoever tests the channel (reliability S22).
            words = f"The channel's credentials cannot be used; `axonhub channel test {channel.name}` says why."
            raise Failure(faults.unusable_key(words)) from problem
        if call is not self._prepared.call:
            self._prepared = replace(self._prepared, call=call)
        return call

    async def _refusal(self, reply: Reply) -> APIError:
        chunks: list[bytes] = []
        size = 0
        self._watchdog.expect(self._limits.error_body_s)
        try:
            while size < self._limits.error_body and (data := await reply.read()):
                chunks.append(data)
                size += len(data)
        except Failure:
            reply.close()  # the status says enough
        self._watchdog.relax()
        body = b"".join(chunks)[: self._limits.error_body]
        return self._prepared.scrubbed(self._prepared.upstream.decode_error(reply.status, reply.headers, body))

    async def _pump(self, reply: Reply, headers: Mapping[str, str]) -> None:
        assert self._relay is not None
        relay, gate, watchdog = self._relay, self._gate, self._watchdog
        assert gate is not None
        watch, client, limits = relay.watch, self._client, self._limits
        while True:
            watchdog.expect(limits.idle_upstream_s if gate.committed else limits.first_output_s)
            data = await reply.read()
            out = relay.feed(data) if data else relay.close()
            if watch.error is not None and not gate.committed:
                raise Failure(self._prepared.scrubbed(watch.error))
            if watch.ended:
                self._refuse_empty(watch)
            first = not gate.committed
            ready = gate.add(out, watch.output or watch.ended)
            if ready and first:
                self._journal.output()
            if watch.ended and watch.error is None:
                self.tail = ready
                return
            if ready:
                await client.send(ready, headers)
            if watch.error is not None or not data:
                self.error = self._prepared.scrubbed(watch.error) if watch.error is not None else None
                return

    async def _read(self, reply: Reply, most: int, patience: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            self._watchdog.expect(patience)
            data = await reply.read()
            if not data:
                return b"".join(chunks)
            size += len(data)
            if size > most:
                raise Failure(faults.not_an_api("The upstream's answer is too large."))
            chunks.append(data)
