"""Noticing that a client has left, whatever the server is doing for it at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from service.api.errors import ClientGone
from service.inference.begun import Begun

_T = TypeVar("_T")


async def unless_client_leaves(receive: Receive, work: Coroutine[Any, Any, _T]) -> _T:
    """Do `work`, and cancel it when the client closes its connection.

    It is done in the task of whoever asks, and so begins at once; nobody looks after the client
    before it has to wait for something.

    Args:
        receive: The request's, with the body already read: what comes next is the disconnect.
        work: What the client is waiting for.

    Raises:
        ClientGone: The client left first.
    """
    begun = Begun(work)
    if not begun.waits:
        return await begun
    try:
        # It has no end by itself: its client's leaving is one.
        async with asyncio.timeout(None) as patience:
            watch = asyncio.get_running_loop().create_task(_watch(receive, patience))
            try:
                return await begun
            finally:
                watch.cancel()
    except TimeoutError as error:
        if patience.expired():
            raise ClientGone("the client has closed the connection") from error
        raise


async def _watch(receive: Receive, patience: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    patience.reschedule(0)  # which is over
