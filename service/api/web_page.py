"""GET /: the page for people, whose files are in service/web/.

They are read once and served from memory. All of its links are relative: they hold behind any path
prefix. It may load nothing from elsewhere, and no text can become code in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

FOLDER = Path(str(files("service"))) / "web"
_INDEX = "index.html"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Asked for again each time, and answered with 304: an update of the server is one of the page.
    "Cache-Control": "no-cache",
    # Trusted types: what a model wrote can only be text, whatever a script does with it.
    "Content-Security-Policy": (
        "default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; "
        "object-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def add_web_page(app: FastAPI) -> frozenset[str]:
    """Serve the page at / and its files below /web; returns the paths of all of them."""
    found = {path.name: _read(path) for path in FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}

    async def page(request: Request) -> Response:
        return _answer(request, found[_INDEX])

    async def file(name: str, request: Request) -> Response:
        if name not in found:
            raise HTTPException(404)
        return _answer(request, found[name])

    app.get("/", include_in_schema=False)(page)
    app.get("/web/{name}", include_in_schema=False)(file)
    return frozenset({"/"} | {f"/web/{name}" for name in found})


def _read(path: Path) -> _File:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _File(content, _MEDIA_TYPES[path.suffix], etag)


def _answer(request: Request, file: _File) -> Response:
    headers = _HEADERS | {"ETag": file.etag}
    known = {tag.strip().removeprefix("W/") for tag in _tags(request)}
    if file.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _tags(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
