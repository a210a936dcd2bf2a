"""GET /metrics: what Prometheus scrapes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.api.state import State

router = APIRouter(tags=["health"])

_EXAMPLE = (
    "# HELP lstm_serve_requests_running Requests that have a row.\n"
    "# TYPE lstm_serve_requests_running gauge\n"
    'lstm_serve_requests_running{model="shakespeare@3"} 3.0\n'
)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "All metrics, in the text format or in OpenMetrics.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    },
)
async def metrics(request: Request, state: State) -> Response:
    """Counters, gauges and histograms, by model; no text and no id of anybody."""
    if state.metrics is None:
        raise TypeError("this route is for applications that have metrics")
    content, content_type = await state.metrics.scrape(request.headers.get("accept", ""))
    return Response(content, headers={"content-type": content_type, "cache-control": "no-store"})
