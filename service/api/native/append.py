"""POST /sessions/{id}/append: a session reads a text, and tells how probable it was."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.api.disconnect import unless_client_leaves
from service.api.errors import ClientGone, responses
from service.api.identity import identity_of
from service.api.json_bytes import Json
from service.api.json_pieces import JsonInPieces
from service.api.media import JsonRoute, PlainTextRoute
from service.api.native.etags import etag_of, version_wanted
from service.api.native.idempotency import idempotency_of
from service.api.native.logprobs import in_pieces
from service.api.native.session_schemas import Appended, AppendRequest
from service.api.native.sessions import session_response
from service.api.state import ServiceState, State, accepts_work
from service.engine.errors import Draining
from service.inference.appending import Appended as AppendedText
from service.inference.appending import Reading
from service.inference.deadline import arriving
from service.inference.errors import InvalidOption

_TURN_CHARACTERS = 256 << 10

router = APIRouter(prefix="/sessions/{session_id}", tags=["sessions"])


async def append_plain_text(session_id: str, request: Request, state: State) -> Response:
    """Read a text of any length while it comes, a turn for each 256 Ki characters of it."""
    if "idempotency-key" in request.headers:
        raise InvalidOption("Idempotency-Key", "Idempotency-Key is for bodies in JSON")
    version = version_wanted(request, session_id)
    reading, num_turns, last = Reading(), 0, None
    async for text in _texts(request, state):
        with arriving():  # a text of any length may take any time, and each part what a request may
            last = await state.inference.session_work.append(
                session_id,
                text,
                logprobs=None,
                version=version,
                idempotency=None,
                identity=identity_of(request),
            )
        # Nobody else's turn may come between two parts of one text.
        version, num_turns = last.session.version, num_turns + 1
        reading += last.reading
    if last is None:
        raise InvalidOption("text", "the text is empty")
    return Json(_fields(last, reading, num_turns, state), headers=etag_of(last.session))


router.add_api_route(
    "/append",
    append_plain_text,
    methods=["POST"],
    route_class_override=PlainTextRoute,
    include_in_schema=False,
    dependencies=[Depends(accepts_work)],
)


async def append(session_id: str, request: Request, state: State, body: AppendRequest) -> Any:
    """Read a text without writing anything, as one turn.

    A text of any length can be sent as `text/plain`: it is read while it comes, in turns of 256 Ki
    characters each, which stay if a later one fails.
    """
    work = state.inference.session_work.append(
        session_id,
        body.text,
        logprobs=body.logprobs,
        version=version_wanted(request, session_id),
        idempotency=idempotency_of(request, body),
        identity=identity_of(request),
    )
    appended = await unless_client_leaves(request.receive, work)
    fields = _fields(appended, appended.reading, 1, state)
    if appended.figures is None:
        return Json(fields, headers=etag_of(appended.session))

    async def close() -> None:
        appended.close()

    pieces = in_pieces(appended.figures, appended.model.tokenizer)
    return JsonInPieces(fields, "logprobs", pieces, state.inference.turnstile, close)


router.add_api_route(
    "/append",
    append,
    methods=["POST"],
    route_class_override=JsonRoute,
    response_model=Appended,
    summary="Read a text",
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 409, 410, 412, 413, 415, 422, 429, 500, 503, 504),
)


async def _texts(request: Request, state: ServiceState) -> AsyncIterator[str]:
    """The body, in parts that end where a line does, if there is a line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    num_bytes, held = 0, ""
    body = request.stream()
    while True:
        content = await _next(body, state)
        try:
            held += decoder.decode(content or b"", final=content is None)
        except UnicodeDecodeError as error:
            raise HTTPException(
                400, f"the text is not UTF-8: {error.reason} near byte {num_bytes + error.start}"
            ) from error
        if content is None:
            break
        num_bytes += len(content)
        while len(held) >= _TURN_CHARACTERS:
            end = held.rfind("\n", 0, _TURN_CHARACTERS) + 1 or _TURN_CHARACTERS
            yield held[:end]
            held = held[end:]
    if held:
        yield held


async def _next(body: AsyncIterator[bytes], state: ServiceState) -> bytes | None:
    """More of the body; None at its end."""
    try:
        async with asyncio.timeout(state.bodies.timeout_s):
            while (content := await anext(body, None)) == b"":
                pass
    except ClientDisconnect as error:
        raise ClientGone("the client left before its text was complete") from error
    except TimeoutError as error:
        raise HTTPException(408, "the body did not come in time") from error
    if state.draining:
        raise Draining("the server is shutting down")
    return content


def _fields(
    last: AppendedText, reading: Reading, num_turns: int, state: ServiceState
) -> dict[str, Any]:
    """An `Appended`, without log-probabilities of each token."""
    bits = reading.surprisal_bits
    return {
        "session": session_response(last.session, state.inference.sessions).model_dump(),
        "generation": last.generation,
        "num_turns": num_turns,
        "num_tokens": reading.num_tokens,
        "num_scored": reading.num_scored,
        "num_characters": reading.num_characters,
        "unknown_tokens": reading.unknown_tokens,
        "logprob": reading.logprob,
        "logprob_per_token": reading.logprob / reading.num_scored if reading.num_scored else None,
        "surprisal_bits": bits,
        "bits_per_token": bits / reading.num_scored if reading.num_scored else None,
        "bits_per_character": bits / reading.num_characters if reading.num_scored else None,
    }
