"""One client request from end to end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from axonhub_cli.entities import ApiKey, Binding, Body, RequestStatus
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import StreamError
from axonhub_cli.llm.response import Usage
from axonhub_cli.llm.tokens import estimate_request
from axonhub_cli.protocols.base import Operation
from axonhub_cli.routing import affinity, failover, profiles
from axonhub_cli.routing.candidates import Candidates, candidates, unavailable
from axonhub_cli.routing.failover import Action
from axonhub_cli.routing.tries import Tries
from axonhub_cli.server import log
from axonhub_cli.server.attempt import Attempt
from axonhub_cli.server.calls import Asked, Prepared, prepare, protocol_for, speaks
from axonhub_cli.server.client import Beginning, Client, json_response, stream_headers
from axonhub_cli.server.hub import Hub
from axonhub_cli.server.journal import Journal, losses, new_record
from axonhub_cli.server.reloader import Live
from axonhub_cli.server.watchdog import Watchdog

_STOPPING = APIError(
    ErrorKind.OVERLOADED, "axonhub is being stopped.", 503, code="server_is_overloaded", retry_after=1.0
)
_SLOW = APIError(ErrorKind.TIMEOUT, "The answer took longer than axonhub waits.", 504, code="timeout")
_CANCELED = APIError(ErrorKind.CANCELED, "The client hung up.", 499)


class Exchange:
    """Runs once, in the handler's task; the only loop that repeats upstream calls."""

    def __init__(
        self, hub: Hub, live: Live, client: Client, asked: Asked, *, key: ApiKey, record_id: str, path: str
    ) -> None:
        self._hub, self._live, self._client, self._asked, self._key = hub, live, client, asked, key
        self._identity = affinity.identify(asked.headers, asked.payload, hub.config.server.trace)
        record = new_record(record_id, asked, self._identity, key, path=path, server=hub.server, now_ms=hub.now_ms())
        self._journal = Journal(record, hub.recorder, hub.metrics, clock=hub.clock, now_ms=hub.now_ms)
        self._headers = stream_headers(record_id, self._identity.trace_id, asked.media)
        self._attempt: Attempt | None = None
        self._beginning = Beginning(asked, record_id.partition("_")[2], hub.now_ms() // 1000)
        self.task: asyncio.Task[object] | None = None
        self._stopped = False
        self._watchdog = Watchdog(
            asyncio.get_running_loop(),
            on_silence=self._silent,
            on_stall=self._client.abort,
            on_beat=self._beat if asked.stream else None,
            beat_s=hub.limits.keepalive_s,
        )
        self._client.watchdog = self._watchdog

    async def run(self) -> web.StreamResponse:
        """Answers the client, whatever happens, and writes it all down."""
        self.task = asyncio.current_task()
        self._hub.exchanges.add(self)
        try:
            return await self._answer()
        except Failure as failure:
            return await self._fail(failure.error)
        except asyncio.CancelledError:
            if not self._stopped:
                self._finish(RequestStatus.CANCELED, None, _CANCELED)
                raise
            self.task.uncancel()  # type: ignore[union-attr]
            return await self._fail(_STOPPING)
        except ConnectionError:
            self._finish(RequestStatus.CANCELED, None, _CANCELED)
            raise
        finally:
            self._hub.exchanges.discard(self)
            self._watchdog.close()
            self._finish(RequestStatus.FAILED, 500, APIError(ErrorKind.SERVER_ERROR, "internal error", 500))

    def stop(self) -> None:
        """The server ends: the client is told, and the upstream call goes."""
        if self.task is not None and not self._stopped:
            self._stopped = True
            self.task.cancel()

    async def _answer(self) -> web.StreamResponse:
        found, model = self._route()
        if self._asked.operation is Operation.COUNT_TOKENS:
            return await self._count(found, model)
        if self._asked.stream:
            return await self._tries(found, model)
        try:
            async with asyncio.timeout(self._hub.limits.whole_s):
                return await self._tries(found, model)
        except TimeoutError:
            raise Failure(_SLOW) from None

    def _route(self) -> tuple[Candidates, str]:
        hub, live, identity, journal = self._hub, self._live, self._identity, self._journal
        compiled = live.profile_of(self._key)
        resolution = profiles.resolve(compiled, self._asked.model, live.snapshot.channels)
        profile = compiled.profile if compiled else None
        journal.note(profile=profile.name if profile else None, rule=resolution.rule, upstream_model=resolution.model)
        journal.begin()
        found = candidates(
            live.snapshot,
            resolution,
            profile,
            binding=hub.bindings.get(self._key.id, identity.trace_id),
            health=hub.health,
            now=hub.clock(),
            seed=identity.trace_id or journal.record.id,
            protocols=live.protocols if self._asked.operation is Operation.EMBED else None,
        )
        if not found.chosen:
            raise Failure(unavailable(found, resolution, self._asked.model))
        return found, resolution.model

    async def _count(self, found: Candidates, model: str) -> web.StreamResponse:
        """By the first channel where that counts in the client's protocol, else by our own guess (pitfalls 81, 101).
        A channel that cannot count is none the worse for it."""
        asked, headers, attempt = self._asked, dict(self._headers), None
        data = b""
        name = found.chosen[0].channel.name
        if speaks(asked, protocol_for(asked, self._live.protocols[name]), self._live.quirks[name]):
            try:
                async with asyncio.timeout(self._hub.limits.first_byte_s):
                    attempt = self._begin(self._cursor(found, model), model, False)
                    data = await attempt.count(self._hub.transports, headers)
                self._journal.attempt_done(RequestStatus.COMPLETED)
            except (Failure, TimeoutError) as problem:
                error = problem.error if isinstance(problem, Failure) else _SLOW
                self._journal.attempt_done(RequestStatus.FAILED, error)
            finally:
                if attempt is not None:
                    attempt.close()
        if not data:
            tokens = max(1, estimate_request(asked.request()))
            data = msgspec.json.encode(asked.codec.encode_count(tokens))
        self._journal.finish(RequestStatus.COMPLETED, http_status=200, usage=None, bodies=self._kept(()))
        return json_response(200, data, headers)

    async def _tries(self, found: Candidates, model: str) -> web.StreamResponse:
        tries, delay, fresh = self._cursor(found, model), 0.0, False
        while True:
            if delay:
                await asyncio.sleep(delay)
            attempt = None
            try:
                attempt = self._attempt = self._begin(tries, model, fresh)
                response = await self._run(attempt)
            except Failure as failure:
                delay = self._failed(failure.error, attempt, tries, model)
                fresh = True  # whoever failed may have left pooled connections that are dead
            else:
                await self._succeeded(attempt, tries, model)
                return response
            finally:
                if attempt is not None:
                    attempt.close()

    def _cursor(self, found: Candidates, model: str) -> Tries:
        hub = self._hub
        return Tries(found.chosen, lambda channel: hub.refusals.known(channel, model, hub.clock()))

    def _begin(self, tries: Tries, model: str, fresh: bool) -> Attempt:
        hub, asked, channel = self._hub, self._asked, tries.candidate.channel
        protocol = protocol_for(asked, self._live.protocols[channel.name])
        tries.begin()
        self._journal.note(channel=channel.name, upstream_protocol=protocol, attempts=tries.number)
        self._journal.attempt(
            channel=channel.name,
            upstream_protocol=protocol,
            upstream_model=model,
            upstream_key_id=tries.key.id if tries.key else None,
            reason=tries.reason,
        )
        prepared: Prepared = prepare(
            asked,
            channel,
            tries.key,
            model,
            protocol=protocol,
            quirks=self._live.quirks[channel.name],
            seal=hub.seal,
            read_key=hub.read_key,
            fresh=fresh,
            remedies=tries.remedies,
        )
        self._journal.attempt_note(url_path=prepared.path, losses=losses(prepared.losses))
        return Attempt(
            asked,
            prepared,
            client=self._client,
            watchdog=self._watchdog,
            journal=self._journal,
            limits=hub.limits,
        )

    async def _run(self, attempt: Attempt) -> web.StreamResponse:
        """The client has its answer, or an error event. Raises Failure while another call may still serve."""
        headers = {**self._headers, **attempt.headers}
        if not self._asked.stream:
            whole = await attempt.whole(self._hub.transports, headers)
            self._journal.lost(whole.watch.losses)
            self._journal.attempt_done(RequestStatus.COMPLETED)
            bodies = (whole.body,) if whole.body else ()
            self._complete(200, whole.watch.usage, whole.watch.model, whole.watch.finish, bodies)
            return json_response(200, whole.data, headers)
        await attempt.stream(self._hub.transports, headers, self._beginning)
        if attempt.error is not None:
            response = await self._client.end_after_error()
        else:
            response = await self._client.end(attempt.tail, headers)
        return response

    async def _succeeded(self, attempt: Attempt, tries: Tries, model: str) -> None:
        """Also where the answer broke halfway: then it counts against the channel."""
        hub, channel, key = self._hub, tries.candidate.channel, tries.key
        key_id = key.id if key else None
        if attempt.error is not None:
            self._journal.attempt_done(RequestStatus.FAILED, attempt.error)
            self._learn(attempt.error, tries, model, committed=True)
            self._finish(RequestStatus.FAILED, 200, attempt.error)
            return
        hub.health.success(channel, key_id, model)
        if tries.mended:
            self._remember(tries, model)
        # Who embeds says nothing about who answers, where the cache of the trace's prompts is.
        if self._identity.trace_id is not None and self._asked.operation is not Operation.EMBED:
            hub.bindings.bind(Binding(self._key.id, self._identity.trace_id, channel.id, key_id, model, hub.now_ms()))
        if (watch := attempt.watch) is not None:
            self._journal.lost(watch.losses)
            self._journal.attempt_done(RequestStatus.COMPLETED)
            body = attempt.body()
            self._complete(200, watch.usage, watch.model, watch.finish, (body,) if body else ())
        await attempt.drain()

    def _remember(self, tries: Tries, model: str) -> None:
        hub, channel = self._hub, tries.candidate.channel
        for remedy in hub.refusals.learn(channel, model, tries.mended, hub.clock()):
            log.learned(channel.name, model, remedy.name)

    def _failed(self, error: APIError, attempt: Attempt | None, tries: Tries, model: str) -> float:
        """Follows what failover says; the seconds to wait. Raises Failure where no call is left to make."""
        self._watchdog.relax()
        self._journal.attempt_done(RequestStatus.FAILED, error)
        summing = error.kind is ErrorKind.CONTEXT_LENGTH and self._asked.sums_up()
        if attempt is not None and tries.mend(error, attempt.upstream, attempt.sent, summing=summing):
            return 0.0
        decision = self._learn(error, tries, model, committed=False)
        if decision.action is Action.STOP:
            raise Failure(error)
        tries.move(decision.action)
        return decision.delay

    def _learn(self, error: APIError, tries: Tries, model: str, *, committed: bool) -> failover.Decision:
        hub, channel = self._hub, tries.candidate.channel
        key_id = tries.key.id if tries.key else None
        state = tries.state(
            elapsed=self._journal.elapsed,
            committed=committed,
            strikes=hub.health.strikes(channel, key_id, model),
            extra=self._asked.operation is Operation.EMBED,
            chance=hub.chance(),
        )
        decision = failover.decide(error, state)
        hub.health.learn(decision, channel, key_id, model, now=hub.clock(), reason=error.message)
        return decision

    async def _fail(self, error: APIError) -> web.StreamResponse:
        """Nothing is left to try, or the server stops: the client is told, in the way its protocol wants."""
        told = failover.client_error(error)
        attempt = self._attempt
        status = 200
        try:
            await self._client.settle()
            if not self._client.started:
                status, response = await self._client.refuse(self._asked.codec, told, self._headers)
                return response
            if attempt is not None and attempt.committed:
                last = attempt.fail(told)
            else:
                last = self._beginning.encoder().encode([StreamError(told)])
            await self._client.send(last, self._headers)
            return await self._client.end_after_error()
        finally:
            self._finish(RequestStatus.FAILED, status, error)

    def _finish(
        self, status: RequestStatus, http_status: int | None, error: APIError | None, bodies: Sequence[Body] = ()
    ) -> None:
        """Only the first call counts."""
        if self._journal.over:
            return
        attempt = self._attempt
        self._journal.end_attempts(status, error)
        usage = attempt.counted() if attempt is not None else None
        if attempt is not None and attempt.watch is not None:
            self._journal.note(served_model=attempt.watch.model)
        body = attempt.body() if attempt is not None else None
        kept = (*bodies, *((body,) if body else ()))
        self._journal.finish(status, http_status=http_status, error=error, usage=usage, bodies=self._kept(kept))

    def _complete(
        self, http_status: int, usage: Usage | None, model: str | None, finish: str | None, bodies: Sequence[Body]
    ) -> None:
        self._journal.note(served_model=model, finish_reason=finish)
        self._journal.finish(RequestStatus.COMPLETED, http_status=http_status, usage=usage, bodies=self._kept(bodies))

    def _kept(self, answers: Sequence[Body]) -> Sequence[Body]:
        if not self._hub.config.traces.store_bodies:
            return ()
        return (Body("request", self._asked.body), *answers)

    def _silent(self) -> None:
        if self._attempt is not None:
            self._attempt.silent()

    def _beat(self) -> None:
        """Nothing for the client for a while: headers may go now, with an event that counts as life."""
        attempt = self._attempt
        if attempt is not None and attempt.committed:
            data = attempt.keepalive()
        else:
            data = self._beginning.keepalive(translated=attempt is not None and attempt.translated)
        self._client.beat(data, self._headers)
