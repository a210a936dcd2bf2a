"""GET /models: what is served, where it came from, and what it takes."""

from __future__ import annotations

import asyncio
from pathlib import PurePath

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.errors import responses
from service.api.state import ServiceState, State
from service.artifacts.manifest import Evaluation, Manifest
from service.artifacts.training_record import TrainingRecord
from service.models.documents import document_names, read_document, read_training_record
from service.models.registry import ServedModel
from service.runtime.sampling import SamplingOptions

router = APIRouter(prefix="/models", tags=["models"])
_MEDIA_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
}


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


class ModelBytes(BaseModel):
    """What a model takes."""

    files: int = Field(description="Of its version in the store.")
    loaded: int | None = Field(
        description="By how much the process grew while it was loaded, whatever else ran meanwhile."
    )
    row: int = Field(description="Of one text's row, as caches and paused texts keep it.")
    session: int = Field(description="Of a session's row, once all of the vocabulary was in it.")


class ModelLimits(BaseModel):
    """What may be asked of it."""

    rows: int = Field(description="Texts that run at the same time.")
    max_tokens: int
    default_max_tokens: int
    max_prompt_tokens: int
    max_texts: int
    max_timeout_s: float


class ModelDetails(Manifest):
    """The whole manifest, and what this server adds to it."""

    id: str
    default: bool = Field(description="Whether it answers requests that name no model.")
    aliases: tuple[str, ...] = Field(description="Names of the store's own for it.")
    bytes: ModelBytes
    limits: ModelLimits
    training: TrainingRecord | None = Field(
        description="Curves and samples, if they were published with it."
    )
    documents: dict[str, str] = Field(description="What else was, by name, with its route.")


@router.get("", summary="List the models")
async def list_models(state: State) -> ModelList:
    """Every model that is served."""
    registry = state.inference.models
    summaries = [_summary(model, default=model is registry.default) for model in registry]
    return ModelList(models=summaries, broken=registry.broken, aliases=registry.aliases)


@router.get("/{name}", summary="Look at a model", responses=responses(404, 503))
async def get_model(name: str, state: State) -> ModelDetails:
    """All of `name`, `name@version`, or what an alias means."""
    registry = state.inference.models
    model = registry.resolve(name)
    store = state.inference.live.store
    return ModelDetails.model_construct(
        **dict(model.manifest),
        id=model.ref,
        default=model is registry.default,
        aliases=tuple(alias for alias, ref in registry.aliases.items() if ref == model.ref),
        bytes=_bytes(model),
        limits=_limits(model, state),
        training=await asyncio.to_thread(read_training_record, store, model.manifest),
        documents={
            file: f"/models/{model.ref}/files/{file}" for file in document_names(model.manifest)
        },
    )


@router.get(
    "/{name}/files/{file}",
    summary="Read a model's document",
    response_class=Response,
    responses=responses(404, 503),
)
async def get_document(name: str, file: str, state: State) -> Response:
    """README, curves and the like, as they were published; never the model itself."""
    manifest = state.inference.models.resolve(name).manifest
    content = await asyncio.to_thread(read_document, state.inference.live.store, manifest, file)
    media_type = _MEDIA_TYPES.get(PurePath(file).suffix, "application/octet-stream")
    return Response(content, media_type=media_type)


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


def _bytes(model: ServedModel) -> ModelBytes:
    return ModelBytes(
        files=sum(entry.num_bytes for entry in model.manifest.files.values()),
        loaded=model.loaded_bytes or None,
        row=model.row_bytes,
        session=model.session_bytes,
    )


def _limits(model: ServedModel, state: ServiceState) -> ModelLimits:
    limits = state.inference.limits
    return ModelLimits(
        rows=model.engine.status.num_rows,
        max_tokens=limits.max_tokens,
        default_max_tokens=limits.num_tokens(None),
        max_prompt_tokens=limits.max_prompt_tokens,
        max_texts=limits.max_texts,
        max_timeout_s=limits.max_timeout_s,
    )
