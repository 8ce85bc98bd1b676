"""Transports that bring a request to the application, to a function, or lose what they bring."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx2


class Async(httpx2.AsyncBaseTransport):
    """A blocking transport for the client that does not block."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        found = self.inner.handle_request(request)
        content = found.read()
        return httpx2.Response(found.status_code, headers=found.headers, content=content)


class Losing(httpx2.BaseTransport):
    """Lets every request through, and loses the answers whose numbers (from 1) are in `answers`."""

    def __init__(self, inner: httpx2.BaseTransport, answers: Iterable[int], error: type[Exception]) -> None:
        self.inner, self.answers, self.error = inner, set(answers), error
        self.seen: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        number = len(self.seen)
        answer = self.inner.handle_request(request)
        answer.read()
        if number in self.answers:
            raise self.error("lost on the way")
        return answer


Scene = int | Exception | httpx2.Response | Callable[[httpx2.Request], httpx2.Response]


class Scripted(httpx2.BaseTransport):
    """Answers with what it was given, in order: a status, a response, an error, or a function of the request."""

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = list(scenes)
        self.seen: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.seen.append(request)
        scene = self.scenes.pop(0)
        if isinstance(scene, Exception):
            raise scene
        if isinstance(scene, int):
            return problem(scene, "code")
        return scene if isinstance(scene, httpx2.Response) else scene(request)


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {
        "type": f"urn:reviewqueue:error:{code}",
        "title": code,
        "status": status,
        "detail": "So it is.",
        "code": code,
    }
    return httpx2.Response(
        status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def item_json(**changes: Any) -> dict[str, Any]:
    routing = {"rule": 1, "title": "Unsure", "action": "review", "priority": 0, "audit_sample": False,
               "probability": 1.0, "config_version": 1}  # fmt: skip
    return {"id": "01a1", "queue": "q", "state": "queued", "input": 1, "output": 2, "routing": routing,
            "resolution": None, "links": {}, **changes}  # fmt: skip


def resolution_json(verdict: str | None = "approve", output: Any = 2, **changes: Any) -> dict[str, Any]:
    return {"verdict": verdict, "output": output, "by": "people", "revision": 1, "reason": None, "message": None,
            "resolved_at": "2026-11-20T10:00:00.123Z", **changes}  # fmt: skip


def answered(**changes: Any) -> httpx2.Response:
    return httpx2.Response(200, json=item_json(**changes))


def keys(seen: Iterable[httpx2.Request]) -> list[str | None]:
    return [request.headers.get("Idempotency-Key") for request in seen]


def body_of(request: httpx2.Request) -> Any:
    return json.loads(request.content)
