"""A file from the network, bit by bit: what has arrived is not fetched twice."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from training.disk import flush_descriptor

_TIMEOUT_S = 60.0
_NUM_TRIES = 3
_PIECE = 1 << 16
_PART_OF_FILE, _NOTHING_BEYOND = 206, 416


class BrokenOffError(Exception):
    """The network failed; the message says how far it came."""


def fetch(url: str, part: Path) -> None:
    """Download into `part`, from where an earlier try ended if the server can do that.

    Raises:
        BrokenOffError: it did not arrive whole; what did arrive stays in `part`.
        OSError: `part` cannot be written.
    """
    for attempt in range(1, _NUM_TRIES + 1):
        try:
            _fetch_rest(url, part)
        except BrokenOffError:
            if attempt == _NUM_TRIES or not part.exists():  # nothing came: nobody is there
                raise
        else:
            return


def _fetch_rest(url: str, part: Path) -> None:
    begun = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url)
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if begun and error.code == _NOTHING_BEYOND:  # it is whole, or another file: see its sum
            return
        raise BrokenOffError(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(str(error)) from error
    with response:
        goes_on = begun > 0 and response.status == _PART_OF_FILE
        arrived = begun if goes_on else 0
        length = response.headers.get("Content-Length", "")
        expected = arrived + int(length) if length.isdigit() else None
        with part.open("ab" if goes_on else "wb") as file:
            try:
                while piece := _next(response):
                    file.write(piece)
                    arrived += len(piece)
            finally:
                file.flush()
                flush_descriptor(file.fileno())
    if expected is not None and arrived < expected:
        raise BrokenOffError(_how_far(arrived, expected))


def _next(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(f"it broke off ({error}); the same command goes on with it") from error


def _how_far(arrived: int, expected: int) -> str:
    return f"it broke off after {arrived:,} of {expected:,} bytes; the same command goes on with it"
