"""`Last-Event-ID` of a stream of several texts: how far each of them is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request

from service.api.native.resuming import Mark, Progress, event_id_of, require_same
from service.api.native.schemas import WritingRequest
from service.inference.delta import Delta
from service.inference.several import SeveralTexts

_TEXT = r"(\d{1,18})-(\d{1,18})-(\d{1,18})(e?)"
_ID = re.compile(rf"(\d{{1,19}})-((?:{_TEXT}-){{2,}})([0-9a-f]{{16}})")


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a stream of several texts was: what a client has of each.

    Attributes:
        seed: Of the first text.
        digest: Of what was asked for, and of the model that writes it.
        texts: Where each of them is.
        are_over: Whether the client has the last event of each.
    """

    seed: int
    digest: str
    texts: list[Mark]
    are_over: list[bool]


def marks_of(request: Request, body: WritingRequest) -> Marks | None:
    """Where the client wants its stream to go on; None: at the beginning.

    Raises:
        InvalidOption: It is none of our ids, or no stream, or one that cannot be written again.
    """
    found = event_id_of(request, body, _ID)
    if found is None:
        return None
    seed, digest = int(found[1]), found[found.re.groups]
    parts = list(re.finditer(_TEXT, found[2]))
    texts = [Mark(seed, int(part[1]), int(part[2]), int(part[3]), digest) for part in parts]
    return Marks(seed, digest, texts, are_over=[bool(part[4]) for part in parts])


class SeveralProgress:
    """How far a stream of several texts is: makes the ids of its events.

    Args:
        several: The texts.
        digest: Of what was asked for, and of the model that writes them.
        marks: What the client has had of them before this stream.

    Raises:
        InvalidOption: The client's marks are of another request, or of another model.
    """

    def __init__(self, several: SeveralTexts, digest: str, marks: Marks | None) -> None:
        num_texts = len(several.texts)
        if marks is not None:
            require_same(f"{marks.digest} {len(marks.texts)}", f"{digest} {num_texts}")
        texts = marks.texts if marks else [None] * num_texts
        self._seed = several.seed
        self._digest = digest
        self._texts = [Progress(several.seed, digest, mark) for mark in texts]
        self._parts = [text.part for text in self._texts]
        # Who has the last event of each gets them again, as that of a single text.
        is_rest = marks is not None and not all(marks.are_over)
        self._left_out = marks.are_over if marks and is_rest else [False] * num_texts
        self.num_to_send = self._left_out.count(False)

    @property
    def id(self) -> str:
        """Of the event that ends here: opaque to clients."""
        return "-".join([str(self._seed), *self._parts, self._digest])

    def leaves_out(self, index: int) -> bool:
        """Whether the client has all of a text."""
        return self._left_out[index]

    def unseen(self, index: int, delta: Delta) -> Delta | None:
        """Go on behind a delta of a text; returns what the client does not have of it."""
        rest = self._texts[index].unseen(delta)
        end = "e" if delta.finish_reason is not None else ""
        self._parts[index] = self._texts[index].part + end
        return None if self._left_out[index] else rest


async def unseen_texts(
    several: SeveralTexts, progress: SeveralProgress
) -> AsyncIterator[tuple[str, int, Delta | Exception]]:
    """What is new of each text, with the id of the event; without what the client has had."""
    async for index, new in several.deltas():
        if isinstance(new, Exception):
            if not progress.leaves_out(index):
                yield "", index, new
            continue
        unseen = progress.unseen(index, new)
        if unseen is not None:
            yield progress.id, index, unseen
