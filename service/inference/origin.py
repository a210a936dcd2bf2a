"""What a text goes on from."""

from __future__ import annotations

from dataclasses import dataclass

from service.inference.request import TextRequest
from service.inference.turn import Turn
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row


@dataclass(frozen=True, slots=True)
class Origin:
    """What a text goes on from.

    Attributes:
        asked: For the text.
        model: That writes it.
        past: Its row; None: the start.
        seed: What it draws with if the request says nothing.
        turn: Of the session, if it is one.
        prompt_T: What it reads, if that is not the request's prompt.
    """

    asked: TextRequest
    model: ServedModel
    past: Row | None
    seed: int
    turn: Turn | None = None
    prompt_T: Int64 | None = None
