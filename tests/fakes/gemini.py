"""A fake of Google's Gemini API: signs its calls, and is strict about what comes back."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tests.fakes.gemini_request import GeminiRequest
from tests.fakes.gemini_rules import MODELS, Made, Model, judge
from tests.fakes.provider import JSON, Frame, Provider, pieces, shown, sse
from tests.fakes.script import Call, Custom, Fault, Reply, Say, Search, Steps, Summary, Think, as_function

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)


class GeminiProvider(Provider):
    """`POST /v1beta/models/{model}:generateContent`, its stream, its `countTokens`, and the list of models."""

    root = ""
    models = tuple(MODELS)

    def __init__(self, *steps: Steps, key: str = "sk-upstream") -> None:
        super().__init__(*steps, key=key)
        self._made: dict[str, Made] = {}  # by signature
        self._numbers = itertools.count(1)

    @property
    def seals(self) -> list[str]:
        return list(self._made)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1beta/models", self._list_models)
        router.add_post("/v1beta/models/{model}:countTokens", self._count)
        router.add_post("/v1beta/models/{model}:{method}", self.answer)

    def stranger(self, headers: Mapping[str, str]) -> Fault | None:
        query = parse_qs(urlsplit(headers[":path"]).query)
        given = headers.get("x-goog-api-key") or query.get("key", [""])[0]
        if not given:
            return Fault(403, NO_KEY)
        return None if given == self.key else Fault(400, BAD_KEY, "API_KEY_INVALID")

    def refusal(self, fault: Fault) -> JSON:
        error: JSON = {"code": fault.status, "message": fault.message, "status": STATUS[fault.status]}
        if fault.code is not None:
            info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": fault.code}
            error["details"] = [{**info, "domain": "googleapis.com"}]
        return {"error": error}

    def model_list(self) -> JSON:
        methods = ["generateContent", "countTokens"]
        return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in self.models]}

    def view(self, body: JSON, headers: dict[str, str]) -> GeminiRequest:
        return GeminiRequest(body, headers, self._made)

    def judge(self, request: GeminiRequest) -> Fault | None:
        model = MODELS.get(request.model)
        if model is None or request.method not in ("generateContent", "streamGenerateContent"):
            return Fault(404, _not_found(request.model, request.method))
        if self.streamed(request) and "alt=sse" not in request.query.split("&"):
            return Fault(400, "script: only streams with alt=sse are played")
        return judge(request.body, model, self._made)

    def streamed(self, request: GeminiRequest) -> bool:
        return request.method == "streamGenerateContent"

    def whole(self, reply: Reply, request: GeminiRequest) -> JSON:
        said: list[JSON] = []
        for part in self._parts(reply, request):
            if said and "text" in part and part.keys() == said[-1].keys() == {"text"}:
                said[-1] = {"text": said[-1]["text"] + part["text"]}
            elif said and part.get("text") == "" and "text" in said[-1] and "thought" not in said[-1]:
                said[-1] |= {"thoughtSignature": part["thoughtSignature"]}
            else:
                said.append(part)
        return self._answer_of(request, said, _finish(reply), usage(reply, request))

    def stream(self, reply: Reply, request: GeminiRequest) -> Iterator[Frame]:
        parts = self._parts(reply, request)
        counted = usage(reply, request)
        so_far = {name: counted[name] for name in ("promptTokenCount", "totalTokenCount")}
        last = parts.pop() if parts and parts[-1].get("text") == "" else {"text": ""}
        for shown_now in ([], *([part] for part in parts)):  # at first, a chunk that says nothing
            yield sse(self._answer_of(request, shown_now, {}, {**so_far, "thoughtsTokenCount": 0}))
        if reply.error:
            yield sse(self.refusal(Fault(503, reply.error)))
            return
        finish = _finish(reply)
        yield sse(self._answer_of(request, [] if "finishMessage" in finish else [last], finish, counted))

    def _answer_of(self, request: GeminiRequest, parts: list[JSON], finish: JSON, counted: JSON) -> JSON:
        candidate: JSON = {"content": {"parts": parts, "role": "model"}, "index": 0, **finish}
        if not parts:
            candidate["content"] = {"role": "model"}
        head = {"modelVersion": request.model, "responseId": "response-fake"}
        return {"candidates": [candidate], "usageMetadata": counted, **head}

    def _parts(self, reply: Reply, request: GeminiRequest) -> list[JSON]:
        """Thoughts and text in pieces, calls whole. The first call bears the signature; without calls, the end does."""
        model = MODELS[request.model]
        thinking = request.config.get("thinkingConfig", {})
        visible = True in (
            thinking.get("includeThoughts"),
            thinking.get("include_thoughts"),
        )  # the SDK
        thought = "".join(part.text for part in reply.parts if isinstance(part, Think))
        parts: list[JSON] = []
        called = False
        for part in reply.parts:
            match part:
                case Think():
                    parts += [{"text": piece, "thought": True} for piece in pieces(part.text) if visible]
                case Say() | Summary():
                    parts += [{"text": piece} for piece in pieces(part.text)]
                case _ if _finish(reply).get("finishMessage") is None:
                    parts.append(self._call(part, request, model, None if called else thought))
                    called = True
        if thought and not called:
            parts.append({"text": "", "thoughtSignature": self._signed(Made("text", thought=thought))})
        return parts

    def _call(self, part: Call | Custom | Search, request: GeminiRequest, model: Model, thought: str | None) -> JSON:
        name, text = as_function(part)
        assert name in request.tools, f"{name} is called but not offered; there are {request.tools}"
        call: JSON = {"name": name, "args": json.loads(text)} if text else {"name": name}
        if not model.old:
            call["id"] = f"{next(self._numbers):08x}"
        signed = thought is not None and (thought or model.signed)
        if not signed:
            return {"functionCall": call}
        made = Made("call", name, thought=thought or "")
        return {"functionCall": call, "thoughtSignature": self._signed(made)}

    def _signed(self, made: Made) -> str:
        """A new signature: base64 in the alphabet with + and /, as Google's is."""
        digest = hashlib.sha512(f"{next(self._numbers)}{made}".encode()).digest()
        signature = base64.b64encode(b"\xfb\xff\xfe" + digest).decode()
        self._made[signature] = made
        return signature

    async def _count(self, request: web.Request) -> web.Response:
        """`countTokens`: of contents alone, or of a whole request that names its model again."""
        if fault := self.stranger(shown(request)):
            return self._refuse(fault)
        model = MODELS.get(request.match_info["model"])
        if model is None:
            return self._refuse(Fault(404, _not_found(request.match_info["model"], "countTokens")))
        body = await request.json()
        whole = body.get("generateContentRequest")
        if whole is not None and whole.pop("model", None) != f"models/{model.name}":
            return self._refuse(
                Fault(400, "* CountTokensRequest.generate_content_request.model: model is not specified")
            )
        unknown = body.keys() - {"contents", "generateContentRequest"}
        fault = judge(body if whole is None else whole, model, self._made) if not unknown else None
        if unknown:
            name = min(unknown)
            fault = Fault(400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        if fault:
            self.refusals.append(fault.message)
            return self._refuse(fault)
        count = len(json.dumps(body)) // 4
        return web.json_response(
            {"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]}
        )


BAD_KEY = "API key not valid. Please pass a valid API key."


def _not_found(model: str, method: str) -> str:
    return (
        f"models/{model} is not found for API version v1beta, or is not supported for {method}. Call ListModels to "
        "see the list of available models and their supported methods."
    )


def _finish(reply: Reply) -> JSON:
    """Arguments that are no object never get out of Google's servers."""
    for part in reply.parts:
        if isinstance(part, Call | Custom | Search) and not _is_object(as_function(part)[1] or "{}"):
            message = f"Malformed function call: {as_function(part)[1][:200]}"
            return {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": message}
    return {"finishReason": "MAX_TOKENS" if reply.length else "STOP"}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def usage(reply: Reply, request: GeminiRequest) -> JSON:
    """Cached tokens are among those of the prompt; thoughts are not among the candidates'."""
    thought = sum(len(part.text) for part in reply.parts if isinstance(part, Think)) // 4
    given, cached, made, thought = reply.usage or (len(json.dumps(request.body)) // 4, 0, 20 + thought, thought)
    counts = {"promptTokenCount": given, "candidatesTokenCount": made - thought, "totalTokenCount": given + made}
    if cached:
        counts["cachedContentTokenCount"] = cached
    if thought:
        counts["thoughtsTokenCount"] = thought
    return counts
