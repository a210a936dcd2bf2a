"""/sessions: texts that remember. They are continued by POST /generate with `session`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from service.api.disconnect import unless_client_leaves
from service.api.errors import responses
from service.api.identity import identity_of
from service.api.media import JsonRoute
from service.api.native.etags import etag_of
from service.api.native.session_schemas import (
    CreatedSession,
    CreateSessionRequest,
    SessionList,
    SessionPage,
    SessionResponse,
    TurnList,
    TurnPage,
    TurnResponse,
)
from service.api.state import State, accepts_work
from service.sessions.session import KeptTurn, Session, SessionKey
from service.sessions.store import SessionStore

router = APIRouter(route_class=JsonRoute, prefix="/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    response_model_exclude_none=True,
    summary="Create a session",
    dependencies=[Depends(accepts_work)],
    responses=responses(400, 404, 413, 415, 422, 429, 500, 503, 504),
)
async def create_session(
    request: Request, state: State, body: CreateSessionRequest
) -> CreatedSession:
    """A new session that has read `prompt`."""
    creating = state.inference.create_session(
        prompt=body.prompt,
        model=body.model,
        seed=body.seed,
        report_unknown=bool(body.report_unknown),
        identity=identity_of(request),
    )
    session, unknown = await unless_client_leaves(request.receive, creating)
    if unknown.num_tokens:
        request.state.log["unknown_tokens"] = unknown.num_tokens
    return CreatedSession(
        **dict(session_response(session, state.inference.sessions)),
        unknown_tokens=unknown.num_tokens,
        unknown=unknown.pieces,
    )


@router.get("", summary="List one's sessions", responses=responses(422, 503))
async def list_sessions(
    request: Request, state: State, asked: Annotated[SessionPage, Query()]
) -> SessionList:
    """Live sessions of whoever asks, the newest first, page by page."""
    store = state.inference.sessions
    owner = identity_of(request).owner
    sessions, are_more = await store.page(owner, older_than_s=asked.after, limit=asked.limit)
    return SessionList(
        sessions=[session_response(session, store) for session in sessions],
        next=repr(sessions[-1].created_s) if are_more else None,
    )


@router.get(
    "/{session_id}",
    summary="Look at a session",
    responses=responses(404, 410, 503),
)
async def get_session(
    session_id: str, request: Request, response: Response, state: State
) -> SessionResponse:
    """One session; looking does not count as use. `ETag` is its version."""
    store = state.inference.sessions
    session = await store.get(session_key(request, session_id))
    response.headers.update(etag_of(session))
    if session.owner != identity_of(request).owner:
        # Who was given a fork's id was not given that of its session, which may be all that
        # protects it.
        session = replace(session, parent=None)
    return session_response(session, store)


@router.get(
    "/{session_id}/log",
    summary="Read a session's log",
    responses=responses(404, 410, 422, 503),
)
async def session_log(
    session_id: str, request: Request, state: State, asked: Annotated[TurnPage, Query()]
) -> TurnList:
    """What was read and written in each of its turns, the oldest that is remembered first."""
    turns, are_more = await state.inference.sessions.log(
        session_key(request, session_id), after=asked.after, limit=asked.limit
    )
    return TurnList(
        turns=[_turn(turn) for turn in turns],
        next=turns[-1].version if are_more else None,
    )


@router.delete(
    "/{session_id}",
    status_code=204,
    summary="Delete a session",
    responses=responses(404, 410, 503),
)
async def delete_session(session_id: str, request: Request, state: State) -> Response:
    """End a session; a turn that runs on it fails with `session_gone`."""
    await state.inference.sessions.delete(session_key(request, session_id))
    return Response(status_code=204)


def session_key(request: Request, session_id: str) -> SessionKey:
    """Which session, and who asks for it."""
    return SessionKey(identity_of(request).owner, session_id)


def _turn(turn: KeptTurn) -> TurnResponse:
    record = turn.record
    return TurnResponse(
        version=turn.version,
        at=turn.at_s,
        generation=record.generation,
        num_tokens=turn.num_tokens,
        num_read=record.num_read,
        num_written=record.num_written,
        seed=record.seed,
        options=json.loads(record.options),
        finish_reason=record.finish_reason,
        prompt=record.prompt,
        text=record.text,
    )


def session_response(session: Session, store: SessionStore) -> SessionResponse:
    """What is told of a session."""
    return SessionResponse(
        id=session.id,
        parent=session.parent,
        model=session.model,
        version=session.version,
        num_tokens=session.num_tokens,
        num_bytes=session.num_bytes,
        seed=session.seed,
        created_at=session.created_s,
        used_at=session.used_s,
        expires_at=store.expires_s(session),
    )
