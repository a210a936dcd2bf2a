"""The straight way to the routes that write texts.

FastAPI looks for a route twice, keeps two stacks of what it has to close, makes a tree of what the
route depends on, and solves it: for each request that takes more of the event loop than all that is
done for its text. These routes are declared to it as any others, for the documentation and for
whoever asks with another method; a request for one of them is taken past it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from inspect import signature
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticUndefined
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.access import path_of
from service.api.errors import answer_to
from service.api.media import JsonRoute, demand_json, parsed
from service.api.state import require_work_is_taken, state_of

_TAKES = {"body", "request", "state"}
_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}


class DirectRoute(JsonRoute):
    """A route that makes work of one body of JSON, and answers by itself.

    Its function takes `body`, `request` and `state`, and returns a `Response`; the one dependency
    that it has is `accepts_work`.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if set(signature(endpoint).parameters) != _TAKES or self.methods != {"POST"}:
            raise TypeError(f"{path} cannot be gone to directly")

    async def answer(self, request: Request) -> Response:
        """What FastAPI would answer, in its order.

        Raises:
            Exception: What is wrong with the request, as FastAPI raises it, or with the work.
        """
        demand_json(request)
        body = await _json_of(request)
        state = state_of(request)
        require_work_is_taken(state)
        asked, faults = self._validated(body)
        if faults:
            raise RequestValidationError(faults, body=body)
        response: Response = await self.endpoint(body=asked, request=request, state=state)
        return response

    def _validated(self, body: Any) -> tuple[Any, list[dict[str, Any]]]:
        if body is PydanticUndefined or self.body_field is None:
            return None, [_MISSING]
        return self.body_field.validate(body, {}, loc=("body",))


class Direct:
    """Takes requests for some routes there.

    Args:
        app: What all other requests go to.
        routes: Those of them that are a `DirectRoute` are gone to directly.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[object]) -> None:
        self._app = app
        self._routes = {route.path: route for route in routes if isinstance(route, DirectRoute)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        route = None
        if scope["type"] == "http" and scope["method"] == "POST":
            route = self._routes.get(path_of(scope))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request, has_begun = Request(scope, receive), False

        async def send_and_know(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            response = await route.answer(request)
            await response(scope, receive, send_and_know)
        except Exception as error:
            answer = None if has_begun else await answer_to(request, error)
            if answer is None:
                raise
            await answer(scope, receive, send)


async def _json_of(request: Request) -> Any:
    """The body; undefined if there is none.

    Raises:
        RequestValidationError: It is no JSON.
        HTTPException: It cannot be read as text at all.
    """
    message = await request.receive()  # all of it: see `ReadBody`
    content: bytes = message["body"]
    if not content:
        return PydanticUndefined
    try:
        return parsed(content)
    except json.JSONDecodeError as error:
        fault = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([fault], body=error.doc) from error
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error
