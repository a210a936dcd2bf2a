"""Capsules of sessions: out of one server and into another, or into a drawer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from service.api.errors import responses
from service.api.identity import identity_of
from service.api.json_bytes import Json
from service.api.media import JsonRoute
from service.api.native.session_schemas import CapsuleResponse, ImportRequest, SessionResponse
from service.api.native.sessions import session_response
from service.api.state import State, accepts_work
from service.inference.session_capsules import capsule_of_session, session_of_capsule

router = APIRouter(route_class=JsonRoute, prefix="/sessions", tags=["sessions"])
_BYTES = "application/octet-stream"


@router.get(
    "/{session_id}/capsule",
    summary="Take a session with you",
    response_model=CapsuleResponse,
    responses={
        200: {
            "description": "The capsule as text; its bytes if `Accept` says so.",
            "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
        },
        **responses(404, 409, 410, 501, 503),
    },
)
async def session_capsule(session_id: str, request: Request, state: State) -> Any:
    """The past of a session as it is now, sealed; taking it does not count as use."""
    capsule = await capsule_of_session(state.inference, session_id, identity_of(request))
    if _wants_bytes(request.headers.get("accept", "")):
        return Response(capsule, media_type=_BYTES)
    return Json({"capsule": await state.inference.capsules.as_text(capsule)})


@router.post(
    "/import",
    status_code=201,
    response_model_exclude_none=True,
    summary="Make a session of a capsule",
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 409, 410, 413, 415, 422, 500, 501, 503),
)
async def import_session(request: Request, state: State, body: ImportRequest) -> SessionResponse:
    """A new session that goes on from the capsule; it belongs to whoever imports it."""
    session = await session_of_capsule(state.inference, body.capsule, identity_of(request))
    return session_response(session, state.inference.sessions)


def _wants_bytes(accept: str) -> bool:
    return any(kind.partition(";")[0].strip().lower() == _BYTES for kind in accept.split(","))
