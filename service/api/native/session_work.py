"""/sessions/{id}/...: what a row makes cheap: fork, rewind, read on, write again, compare."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.media import JsonRoute
from service.api.native.etags import etag_of, version_wanted
from service.api.native.generate import ANSWERS, write
from service.api.native.idempotency import idempotency_of
from service.api.native.schemas import GenerateResponse, RegenerateRequest
from service.api.native.session_schemas import (
    Branch,
    Diff,
    DiffQuery,
    ForkRequest,
    Forks,
    RewindRequest,
    SessionResponse,
)
from service.api.native.sessions import session_response
from service.api.state import State, accepts_work
from service.inference.request import TextRequest
from service.inference.session_work import Place

_SHOWN_CHARACTERS = 1000

router = APIRouter(route_class=JsonRoute, prefix="/sessions/{session_id}", tags=["sessions"])


@router.post(
    "/fork",
    status_code=201,
    response_model_exclude_none=True,
    summary="Fork a session",
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 409, 410, 413, 415, 422, 429, 500, 503, 504),
)
async def fork_session(session_id: str, request: Request, state: State, body: ForkRequest) -> Forks:
    """Copies of a session as it is now, or was, which go on each in their own way.

    A copy costs a row: nothing is read again, but for an earlier place that has no row of its own.
    A turn that is running is not part of it.
    """
    at = body.at.place if isinstance(body.at, RewindRequest) else None
    if isinstance(body.at, int):
        at = Place(position=body.at)
    work = state.inference.session_work
    forking = work.fork(session_id, body.n, body.seed, at, identity_of(request))
    forks = await unless_client_leaves(request.receive, forking)
    store = state.inference.sessions
    return Forks(sessions=[session_response(session, store) for session in forks])


@router.post(
    "/rewind",
    summary="Rewind a session",
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 409, 410, 412, 413, 415, 422, 429, 500, 503, 504),
)
async def rewind_session(
    session_id: str, request: Request, response: Response, state: State, body: RewindRequest
) -> SessionResponse:
    """Let a session go on from an earlier place, exactly as it was there.

    What came after it is forgotten: fork first, to keep both.
    """
    work = state.inference.session_work
    rewinding = work.rewind(
        session_id, body.place, version_wanted(request, session_id), identity_of(request)
    )
    session = await unless_client_leaves(request.receive, rewinding)
    response.headers.update(etag_of(session))
    return session_response(session, state.inference.sessions)


@router.post(
    "/regenerate",
    summary="Write the last turn again",
    response_model=GenerateResponse,
    dependencies=[Depends(accepts_work)],
    responses=ANSWERS,
)
async def regenerate(
    session_id: str, request: Request, state: State, body: RegenerateRequest
) -> Any:
    """Write the session's last turn again, with another seed or other options.

    What is not said is as it was in that turn, but for the seed. The turn stays as it is until the
    new one is complete, which then takes its place.
    """
    asked = TextRequest(
        session=session_id,
        session_version=version_wanted(request, session_id),
        idempotency=idempotency_of(request, body),
        again=True,
    )
    return await write(asked, body, request, state)


@router.get(
    "/diff",
    summary="Compare two sessions",
    responses=responses(404, 410, 422, 503),
)
async def diff_sessions(
    session_id: str, request: Request, state: State, asked: Annotated[DiffQuery, Query()]
) -> Diff:
    """Where the texts of two sessions of one model part, for instance of a fork and its origin."""
    num_shared, branches = await state.inference.session_work.diff(
        session_id, asked.other, _SHOWN_CHARACTERS, identity_of(request)
    )
    return Diff(
        position=num_shared,
        branches=[
            Branch(
                id=branch.session.id,
                turn=branch.turn,
                num_tokens=branch.session.num_tokens - num_shared,
                text=branch.text,
            )
            for branch in branches
        ],
    )
