"""A unit that is held, as it is asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_CLAMPS = 1024


class ClampedUnit(BaseModel):
    """A unit of a state tensor, and the value that it is held at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(max_length=64)] = Field(
        description="A state tensor of the model, as `layer1.c`."
    )
    unit: int = Field(ge=0, description="Its number.")
    value: float = Field(ge=-1000, le=1000, allow_inf_nan=False, description="Held at this.")


Clamps = Annotated[
    Annotated[list[ClampedUnit], Field(max_length=MOST_CLAMPS)] | None,
    Field(
        description="Hold these units while the prompt is read and the text is written; where the "
        "server allows it. Not with `session` or `receipt`."
    ),
]
