"""revise: a published model once more, with what has come since."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from service.artifacts.store import ModelStore
from training.commands.arguments import MODEL_STORE, Flat, Process, Store
from training.commands.status import DONE
from training.publishing.revise import revise as publish_revised
from training.served.step_model import find_published


def revise(
    model: Annotated[
        str, Parameter(help="a published model, `name` or `name@version`", metavar="MODEL")
    ],
    /,
    *,
    temperature: Annotated[
        Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None,
        Parameter(help="by default texts are drawn at (default: as before)", metavar="T"),
    ] = None,
    store: Store = MODEL_STORE,
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Publish a published model's next version, of the same weights."""
    found = ModelStore(store)
    artifact = publish_revised(found, find_published(found, model), temperature)
    process.say(f"{artifact.ref}: {artifact.folder}")
    return DONE
