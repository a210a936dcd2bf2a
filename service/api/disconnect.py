"""Noticing that a client has left, whatever the server is doing for it at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from service.api.errors import ClientGone

_T = TypeVar("_T")


async def unless_client_leaves(
    receive: Receive, work: Coroutine[Any, Any, _T], *signs: Coroutine[Any, Any, None]
) -> _T:
    """Run `work`, and cancel it when the client closes its connection.

    Args:
        receive: The request's, with the body already read: what comes next is the disconnect.
        work: What the client is waiting for.
        signs: Others that return when the client must be taken for gone.

    Raises:
        ClientGone: The client left first.
    """
    working = asyncio.ensure_future(work)
    leaving = [asyncio.ensure_future(sign) for sign in (_disconnect(receive), *signs)]
    try:
        await asyncio.wait({working, *leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone("the client has closed the connection")
    finally:
        for task in (working, *leaving):
            task.cancel()
        await asyncio.gather(working, *leaving, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
