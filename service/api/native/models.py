"""GET /models: what is served, and where it came from."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from service.api.errors import responses
from service.api.state import State
from service.artifacts.manifest import Evaluation, Manifest
from service.models.registry import ServedModel
from service.runtime.sampling import SamplingOptions

router = APIRouter(prefix="/models", tags=["models"])


class ModelSummary(BaseModel):
    """One served model, with the figures that matter."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    version: int
    default: bool
    description: str
    architecture: str
    precision: str
    vocabulary_size: int
    num_parameters: int
    state_bytes: int
    defaults: SamplingOptions
    evaluations: tuple[Evaluation, ...]


class ModelList(BaseModel):
    """All models that should be served; `broken` are those that cannot be, with the reason.

    `aliases` are names of the store's own for some of these.
    """

    models: list[ModelSummary]
    broken: dict[str, str]
    aliases: dict[str, str]


@router.get("", summary="List the models")
async def list_models(state: State) -> ModelList:
    """Every model that is served."""
    registry = state.inference.models
    summaries = [_summary(model, default=model is registry.default) for model in registry]
    return ModelList(models=summaries, broken=registry.broken, aliases=registry.aliases)


@router.get("/{name}", summary="Look at a model", responses=responses(404, 503))
async def get_model(name: str, state: State) -> Manifest:
    """The whole manifest of `name`, `name@version`, or what an alias means."""
    return state.inference.models.resolve(name).manifest


def _summary(model: ServedModel, *, default: bool) -> ModelSummary:
    manifest = model.manifest
    return ModelSummary(
        id=model.ref,
        name=manifest.name,
        version=manifest.version,
        default=default,
        description=manifest.description,
        architecture=manifest.architecture,
        precision=manifest.precision,
        vocabulary_size=manifest.vocabulary_size,
        num_parameters=manifest.provenance.num_parameters,
        state_bytes=manifest.state_width * 4,
        defaults=manifest.defaults,
        evaluations=manifest.evaluations,
    )
