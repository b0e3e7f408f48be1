"""A fake provider on a real socket, in a thread of its own: judges each request, then answers by its script."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from aiohttp import web

from tests.fakes.script import Fault, Reply, Script, Steps

Frame = bytes
JSON = dict[str, Any]


class Provider:
    """What all protocols share. A subclass says how to read, judge and answer a request."""

    root = "/v1"  # of the base URL
    path = ""
    models: tuple[str, ...] = ()

    def __init__(self, *steps: Steps, key: str = "sk-upstream") -> None:
        self.key = key
        self.script = Script()
        self.script.then(*steps)
        self.requests: list[Any] = []  # those that were well-formed, as the subclass's own view of them
        self.refusals: list[str] = []  # why requests were refused: a fault of who sent them, or of the script
        self.calls = 0  # all, well-formed or not
        self.hung_up = threading.Event()  # a client went away before its answer was complete
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    # -- for the subclass

    def view(self, body: JSON, headers: dict[str, str]) -> Any:
        raise NotImplementedError

    def judge(self, request: Any) -> Fault | None:
        raise NotImplementedError

    def streamed(self, request: Any) -> bool:
        return request.body.get("stream") is True

    def stream(self, reply: Reply, request: Any) -> Iterable[Frame]:
        raise NotImplementedError

    def whole(self, reply: Reply, request: Any) -> JSON:
        raise NotImplementedError

    @property
    def seals(self) -> list[str]:
        """The opaque state it has given away, which nobody else must ever see."""
        return []

    def stranger(self, headers: Mapping[str, str]) -> Fault | None:
        """The refusal for who does not show the key."""
        if headers.get("Authorization") == f"Bearer {self.key}":
            return None
        return Fault(401, "Incorrect API key provided.", "invalid_api_key")

    def refusal(self, fault: Fault) -> JSON:
        """The body of an error."""
        return fault.body()

    def model_list(self) -> JSON:
        rows = [{"id": name, "object": "model", "created": 1, "owned_by": "fake"} for name in self.models]
        return {"object": "list", "data": rows}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post(f"{self.root}{self.path}", self.answer)
        router.add_get(f"{self.root}/models", self._list_models)

    # -- for the test

    @property
    def url(self) -> str:
        """The base URL, as a client is configured with it."""
        return f"http://127.0.0.1:{self._port}{self.root}"

    def then(self, *steps: Steps) -> Self:
        self.script.then(*steps)
        return self

    def when(self, condition: Callable[[Any], bool], *steps: Steps, forever: bool = False) -> Self:
        self.script.when(condition, *steps, forever=forever)
        return self

    def wait_for(self, count: int, seconds: float = 20) -> None:
        """Until that many requests have come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.calls >= count, seconds):
                raise AssertionError(f"{self.calls} requests came in {seconds} s, not {count}")

    def reset(self) -> None:
        """Forgets script and requests, not what it must recognise when it comes back."""
        self.script = Script()
        self.requests, self.refusals, self.calls = [], [], 0
        self.hung_up.clear()

    def assert_used_up(self) -> None:
        """The script was followed to its end and no request was refused by our own rules."""
        assert not self.refusals, "\n".join(self.refusals)
        assert self.script.left() == 0, f"{self.script.left()} steps of the script were never asked for"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    # -- inside the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 << 20)
        self.add_routes(app.router)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port = runner.addresses[0][1]
        return runner

    async def _list_models(self, request: web.Request) -> web.Response:
        if fault := self.stranger(shown(request)):
            return self._refuse(fault)
        return web.json_response(self.model_list())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer_or_break(request)
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up.set()
            raise

    async def _answer_or_break(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        reply, view = self._decide(request, raw)
        with self._changed:
            self.calls += 1
            self._changed.notify_all()
        if isinstance(reply, Fault):
            return self._refuse(reply)
        if not self.streamed(view):
            if reply.hang is not None:
                await asyncio.sleep(3600)
            return web.json_response(self.whole(reply, view))
        return await self._send(request, reply, list(self.stream(reply, view)))

    def _decide(self, request: web.Request, raw: bytes) -> tuple[Reply | Fault, Any]:
        if fault := self.stranger(shown(request)):
            return fault, None
        try:
            body = json.loads(raw)
            if not isinstance(body, dict):
                raise TypeError
        except (ValueError, TypeError):
            return self._complain(Fault(400, "We could not parse the JSON body of your request.")), None
        view = self.view(body, {name.lower(): value for name, value in shown(request).items()})
        view.at = time.time()
        if fault := self.judge(view):
            return self._complain(fault), None
        self.requests.append(view)
        try:
            reply = self.script.next(view)
            if isinstance(reply, Reply):
                list(self.stream(reply, view))  # a script that cannot be said shows here
        except AssertionError as error:
            return self._complain(Fault(400, f"script: {error}")), None
        if reply is None:
            return self._complain(Fault(400, f"script: nothing left to say to {view.last_user[-200:]!r}")), None
        return reply, view

    def _refuse(self, fault: Fault) -> web.Response:
        return web.json_response(self.refusal(fault), status=fault.status, headers=dict(fault.headers))

    def _complain(self, fault: Fault) -> Fault:
        self.refusals.append(fault.message)
        return fault

    async def _send(self, request: web.Request, reply: Reply, frames: list[Frame]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-request-id": "req_fake"})
        await response.prepare(request)
        for number, frame in enumerate(frames):
            if reply.cut == number:
                assert request.transport is not None
                request.transport.abort()
                return response
            if reply.hang == number:
                await asyncio.sleep(3600)
            await response.write(frame)
        await response.write_eof()
        return response


def shown(request: web.Request) -> Mapping[str, str]:
    """Its headers; `:path` among them is the path with its query."""
    headers = request.headers.copy()
    headers[":path"] = request.path_qs
    return headers


def sse(data: JSON | str, event: str | None = None) -> Frame:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


def pieces(text: str, count: int = 3) -> list[str]:
    """A text in about that many pieces, none empty."""
    size = max(1, -(-len(text) // count))
    return [text[at : at + size] for at in range(0, len(text), size)]
