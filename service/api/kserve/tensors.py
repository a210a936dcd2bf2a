"""Tensors behind the JSON of a request or an answer: Triton's extension for binary data.

A body is JSON of as many bytes as `Inference-Header-Content-Length` says, and then the data of the
tensors that have a `binary_data_size`. An element of BYTES is its length, four bytes in little
endian, and so many bytes.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders

from service.api.kserve.tensor_schemas import MOST_TEXTS
from service.api.media import demand_json
from service.inference.errors import InvalidOption

HEADER_LENGTH = "Inference-Header-Content-Length"
_BINARY = "application/octet-stream"


class TensorRoute(APIRoute):
    """A route for JSON with tensors behind it.

    Triton's client says of no body what it is. A web page of others could do that too, but its
    browser says whose page it is, or asks before it sends another type.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, over a request whose JSON has the tensors in it."""
        handle = super().get_route_handler()

        async def handle_tensors(request: Request) -> Response:
            given = request.headers.get("content-type")
            by_program = "origin" not in request.headers and "sec-fetch-site" not in request.headers
            if given != _BINARY and not (given is None and by_program):
                demand_json(request)
            scope = dict(request.scope, headers=list(request.scope["headers"]))
            MutableHeaders(scope=scope)["content-type"] = "application/json"
            reading = _TensorRequest(scope, request.receive)
            await reading.look()
            return await handle(reading)

        return handle_tensors


class _TensorRequest(Request):
    _content: Any = None

    async def look(self) -> None:
        """Read the JSON and the tensors.

        Raises:
            InvalidOption: As `with_tensors`.
        """
        if (length := self.headers.get(HEADER_LENGTH)) is not None:
            with suppress(ValueError):  # `json` says where the fault is
                self._content = with_tensors(await self.body(), length)

    async def json(self) -> Any:
        if self._content is not None:
            return self._content
        body = await self.body()
        return json.loads(body[: int(self.headers.get(HEADER_LENGTH, len(body)))])


def with_tensors(body: bytes, length: str) -> Any:
    """The JSON of a body, with the tensors behind it as `data`.

    Args:
        body: All of it.
        length: Bytes of the JSON, as the header says.

    Raises:
        InvalidOption: A size is wrong, or an element is no UTF-8.
        ValueError: The JSON is none.
    """
    if not (length.isascii() and length.isdecimal()) or int(length[:20]) > len(body):
        raise _refused(f"{HEADER_LENGTH} must be at most the {len(body)} bytes of the body")
    content = json.loads(body[: int(length)])
    place = int(length)
    inputs = content.get("inputs") if isinstance(content, dict) else None
    for tensor in inputs if isinstance(inputs, list) else ():
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        if not isinstance(parameters, dict) or "binary_data_size" not in parameters:
            continue
        size = parameters.pop("binary_data_size")
        if type(size) is not int or not 0 <= size <= len(body) - place:
            raise _refused("binary_data_size is more than the bytes that there are")
        is_text = tensor.get("datatype") == "BYTES"
        tensor["data"] = elements(body[place : place + size]) if is_text else []
        place += size
    if place != len(body):
        raise _refused(f"{len(body) - place} bytes behind the JSON are of no tensor")
    return content


def elements(data: bytes) -> list[str]:
    """The texts of a BYTES tensor.

    Raises:
        InvalidOption: It is none, or there are too many.
    """
    texts: list[str] = []
    place = 0
    while place < len(data):
        if len(texts) == MOST_TEXTS:
            raise _refused(f"text_input may have {MOST_TEXTS} texts")
        if len(data) - place < 4:
            raise _refused("text_input ends within the length of a text")
        [size] = struct.unpack_from("<I", data, place)
        place += 4
        if size > len(data) - place:
            raise _refused(f"text_input: text {len(texts)} is longer than the data that there is")
        try:
            texts.append(data[place : place + size].decode())
        except UnicodeDecodeError as error:
            raise _refused(f"text_input: text {len(texts)} is no UTF-8") from error
        place += size
    return texts


def data_of(texts: Sequence[str]) -> bytes:
    """Texts as the data of a BYTES tensor."""
    contents = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(content)) + content for content in contents)


def _refused(message: str) -> InvalidOption:
    return InvalidOption("inputs", message)
