"""POST /admin/...: what changes the server itself, for keys with the scope `admin`."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from service.api.errors import responses
from service.api.identity import require_admin
from service.api.media import JsonRoute
from service.api.state import State, accepts_work

router = APIRouter(
    route_class=JsonRoute,
    prefix="/admin",
    tags=["admin"],
    dependencies=[Depends(require_admin), Depends(accepts_work)],
)


class ReloadReport(BaseModel):
    """What a reload has done; models are `name@version`."""

    added: tuple[str, ...] = Field(description="Served from now on.")
    removed: tuple[str, ...] = Field(
        description="Not served any more, but for sessions and texts that have begun on them."
    )
    kept: tuple[str, ...] = Field(description="Served as before.")
    refused: dict[str, str] = Field(
        description="Should be served and cannot be, with the reason; a good one is served on."
    )
    default: str | None = Field(description="Answers requests that name no model.")
    aliases: dict[str, str]


@router.post(
    "/reload", summary="Serve what the store has now", responses=responses(403, 409, 415, 503)
)
async def reload(state: State) -> ReloadReport:
    """Look for new versions and moved aliases. Running texts and sessions go on as they began."""
    live = state.inference.live
    changes = await live.reload()
    default = live.current.default
    return ReloadReport(
        added=changes.added,
        removed=changes.removed,
        kept=changes.kept,
        refused=changes.refused,
        default=default.ref if default else None,
        aliases=live.current.aliases,
    )
