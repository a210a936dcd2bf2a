"""The scripts, and the connection that runs them: each one is a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import redis
from pydantic_core import to_json
from redis.asyncio import BlockingConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from service.sessions.errors import StoreTooNew, StoreUnavailable

_log = logging.getLogger(__name__)
_MOST_CONNECTIONS = 32
_CONNECT_S = 2.0
_ANSWER_S = 5.0
_TOO_NEW = b"too new"
_NUM_TRIES = 3
_PAUSE_S = 0.1
_DRIVER = DriverInfo()  # once: it looks into files for it
_LOST = (redis.ConnectionError, redis.TimeoutError, BusyLoadingError, OSError)


class Scripts:
    """Runs scripts in Redis.

    An answer may be lost when the script has been run: it is then sent again, and all scripts give
    the same answer the second time.

    Args:
        url: Of Redis.
    """

    def __init__(self, url: str) -> None:
        self.fault: str | None = None
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=_ANSWER_S,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
            driver_info=_DRIVER,
            retry=Retry(ExponentialWithJitterBackoff(), 0),  # here, where it is known what may be
        )
        self._url = url
        self._redis = Redis.from_pool(pool)
        self._scripts = {name: self._redis.register_script(text) for name, text in _TEXTS.items()}

    def check(self) -> None:
        """See whether Redis answers, before there is an event loop; a `fault` if it does not.

        Raises:
            StoreTooNew: What it holds is of a newer program.
        """
        asked = to_json({"id": "", "fence": "none"})
        options = {"socket_connect_timeout": _CONNECT_S, "socket_timeout": _CONNECT_S}
        try:
            with redis.Redis.from_url(self._url, **options) as client:
                word, *rest = client.register_script(_TEXTS["release"])(args=[asked])
        except (RedisError, OSError) as error:
            self._fail(error)
            return
        if word == _TOO_NEW:
            raise StoreTooNew(_newer(rest))

    async def run(self, name: str, asked: Mapping[str, Any], *content: bytes) -> list[Any]:
        """Run a script.

        Args:
            name: Of the script.
            asked: What it is told, as JSON: without anything that JSON would round.
            content: And as bytes.

        Returns:
            What it answers: one word, and what goes with that.

        Raises:
            StoreUnavailable: Redis does not answer, or cannot write now. If it has run the script
                all the same, that is seen when it is asked again.
        """
        args = [to_json(asked), *content]
        try:
            answer = await self._tried(name, args)
        except (RedisError, OSError) as error:
            self._fail(error)
            raise StoreUnavailable("sessions cannot be read or written now") from error
        word, *rest = answer
        if word == _TOO_NEW:  # since it was started
            self._fail(StoreTooNew(_newer(rest)))
            raise StoreUnavailable("sessions cannot be read or written now")
        self.fault = None
        return [word.decode(), *rest]

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    def _fail(self, error: Exception) -> None:
        if self.fault is None:
            _log.error("sessions cannot be read or written: %s", error)
        self.fault = str(error)

    async def _tried(self, name: str, args: list[bytes]) -> list[Any]:
        for num_left in range(_NUM_TRIES - 1, -1, -1):
            try:
                answer = await self._asked(name, args)
            except _LOST:
                if not num_left:
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return answer
        raise AssertionError("a try ends in an answer or an error")

    async def _asked(self, name: str, args: list[bytes]) -> list[Any]:
        try:
            answer: list[Any] = await self._scripts[name](args=args)
        except RuntimeError as error:
            # uvloop's, of a connection closed while it is made: redis-py does not expect it.
            if "closed" not in str(error):
                raise
            raise redis.ConnectionError(str(error)) from error
        return answer


def _newer(answer: list[bytes]) -> str:
    return f"it has schema {answer[0].decode()}, of a newer program"


def _read_texts() -> dict[str, str]:
    """Every script by its name, after what all of them share."""
    folder = files(__package__) / "scripts"
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }
    common = texts.pop("common")
    return {name: common + text for name, text in texts.items()}


_TEXTS = _read_texts()
