"""POST /sessions/{id}/append: a session reads a text, and tells how probable it was."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.json_bytes import Json
from service.api.json_pieces import JsonInPieces
from service.api.media import JsonRoute, PlainTextRoute
from service.api.native.etags import etag_of, version_wanted
from service.api.native.idempotency import idempotency_of
from service.api.native.logprobs import in_pieces
from service.api.native.plain_text import PlainText
from service.api.native.session_schemas import Appended, AppendRequest
from service.api.native.sessions import session_key, session_response
from service.api.state import ServiceState, State, accepts_work
from service.inference.appending import Appended as AppendedText
from service.inference.appending import Reading
from service.inference.deadline import arriving
from service.inference.errors import InvalidOption

router = APIRouter(prefix="/sessions/{session_id}", tags=["sessions"])


async def append_plain_text(session_id: str, request: Request, state: State) -> Response:
    """Read a text of any length while it comes, a turn for each piece of it."""
    if "idempotency-key" in request.headers:
        raise InvalidOption("Idempotency-Key", "Idempotency-Key is for bodies in JSON")
    version = version_wanted(request, session_id)
    # Now, and not with the first turn: no text is waited for that nobody will read.
    await state.inference.sessions.get(session_key(request, session_id))
    identity = identity_of(request)
    reading, num_turns, last = Reading(), 0, None
    with state.bodies.holding(identity.client) as held:
        text = PlainText(request.receive, state.bodies, held)
        while await text.has_come():
            # A text of any length may take any time, and each part what a request may.
            with arriving():
                last = await state.inference.session_work.append(
                    session_id,
                    text.take(),
                    logprobs=None,
                    version=version,
                    idempotency=None,
                    identity=identity,
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
