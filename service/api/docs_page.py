"""GET /docs: the interactive page of every route, with nothing on it from another host.

Its parts come from the package fastapi-offline, and its links are relative: they hold behind any
path prefix, whether the server knows of it or not.
"""

from __future__ import annotations

import mimetypes
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

SERVERS = [{"url": "."}]
"""For the OpenAPI document: routes are where it is, below the same prefix."""

_PARAMETERS = {
    # Swagger UI would show a badge from swagger.io, and tell them the server's address by that.
    "validatorUrl": None,
    "queryConfigEnabled": False,  # nobody's link may lead the page to another document
}
# The browser, too, asks no other host for anything.
_POLICY = (
    "default-src 'self' 'unsafe-inline' data: blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def add_docs_page(app: FastAPI) -> None:
    """Serve the page at /docs and its parts below; `app` must not serve FastAPI's own there."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{app.title}: every route",
        swagger_js_url="docs/parts/swagger-ui-bundle.js",
        swagger_css_url="docs/parts/swagger-ui.css",
        swagger_favicon_url="data:,",
        swagger_ui_parameters=_PARAMETERS,
    )

    async def docs() -> HTMLResponse:
        return HTMLResponse(page.body, headers={"Content-Security-Policy": _POLICY})

    app.get("/docs", include_in_schema=False)(docs)
    mimetypes.init()  # reads files, which the first request for a part would otherwise do
    parts = str(files("fastapi_offline") / "static")
    app.mount("/docs/parts", StaticFiles(directory=parts))
