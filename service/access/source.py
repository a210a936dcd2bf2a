"""Where keys come from: the settings, and a file that is read again whenever it has changed."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from service.access.keys import Key, KeysInvalid, parse_keys
from service.access.ring import KeyRing

_log = logging.getLogger(__name__)
_EVERY_S = 1.0
_MAX_BYTES = 4 << 20


class KeySource:
    """All keys.

    Args:
        text: Those of the settings.
        file: Of those that may change.

    Attributes:
        ring: Finds whose a key is.

    Raises:
        KeysInvalid: There is no key, or what is there is none; the message says where.
    """

    def __init__(self, text: str, file: Path | None) -> None:
        self._text = text
        self._file = file
        self._content = self._read()
        self.ring = KeyRing(self._keys(self._content))

    def refresh(self) -> None:
        """Read the file; if it has changed, its keys are those that are let in from now on.

        If they cannot be, those from before are, and `ring.fault` says why.
        """
        self._take(self._look())

    async def watch(self) -> None:
        """Look after the file, for ever."""
        while self._file is not None:
            await asyncio.sleep(_EVERY_S)
            self._take(await asyncio.to_thread(self._look))

    def _look(self) -> tuple[str, list[Key]] | KeysInvalid | None:
        """The file and all keys, what is wrong with it, or None if it is as it was."""
        try:
            content = self._read()
            return None if content == self._content else (content, self._keys(content))
        except KeysInvalid as error:
            return error

    def _take(self, found: tuple[str, list[Key]] | KeysInvalid | None) -> None:
        if isinstance(found, KeysInvalid):
            if self.ring.fault != str(found):
                _log.error("the API keys from before stay: %s", found)
            self.ring.fault = str(found)
            return
        if found is not None:
            self._content, keys = found
            self.ring.replace(keys)
        elif self.ring.fault is None:
            return
        self.ring.fault = None  # also of a file that is again what it was
        _log.info("%s was read again: %d API keys", self._file, len(self.ring))

    def _read(self) -> str:
        if self._file is None:
            return ""
        try:
            with self._file.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise KeysInvalid(f"--api-keys-file {self._file}: {error.strerror}") from error
        if len(content) > _MAX_BYTES:
            raise KeysInvalid(f"--api-keys-file {self._file}: it is larger than {_MAX_BYTES} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError:  # which would show what is there
            raise KeysInvalid(f"--api-keys-file {self._file}: it is not UTF-8") from None

    def _keys(self, content: str) -> list[Key]:
        try:
            keys = parse_keys(self._text)
        except KeysInvalid as error:
            raise KeysInvalid(f"--api-keys: {error}") from None
        if self._file is None:
            where = "--api-keys"
        else:
            where = f"--api-keys-file {self._file}"
            try:
                # An empty one is one that is being written more often than one that locks all out.
                if not parse_keys(content):
                    raise KeysInvalid("there is no key")
                keys = parse_keys(f"{self._text}\n{content}")
            except KeysInvalid as error:
                raise KeysInvalid(f"{where}: {error}") from None
        if not keys:
            raise KeysInvalid(f"{where}: there is no key")
        return keys
