"""`name` or `name@version`: how people name a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_PATTERN = re.compile(r"([^@]*)(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A model's name, and which version of it; None for the newest."""

    name: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of `str`.

        Raises:
            ValueError: What follows the name is not `@` and a version.
        """
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is neither NAME nor NAME@VERSION")
        name, version = found.groups()
        return cls(name, None if version is None else int(version))

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"
