"""GET /v1/models: what is served, as OpenAI's clients list it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from service.api.openai.answers import openai_responses
from service.api.state import State
from service.models.registry import ServedModel

router = APIRouter(prefix="/v1/models", tags=["openai"])
_ANSWERS = openai_responses(404, 500, 503)


class OpenAIModel(BaseModel):
    """One served model; `root` is its name without the version."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "lstm-serve"
    root: str


class OpenAIModelList(BaseModel):
    """All served models, the default one first."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]


@router.get("", summary="List the models (OpenAI)", responses=openai_responses(500))
async def list_openai_models(state: State) -> OpenAIModelList:
    """Every model that is served, as `name@version`."""
    registry = state.inference.models
    models = sorted(registry, key=lambda model: model is not registry.default)
    return OpenAIModelList(data=[_model(model, model.ref) for model in models])


@router.get(
    "/{model}", summary="Look at a model (OpenAI)", responses=openai_responses(404, 500, 503)
)
async def get_openai_model(model: str, state: State) -> OpenAIModel:
    """One of them, by `name` or `name@version`."""
    return _model(state.inference.models.resolve(model), model)


def _model(model: ServedModel, model_id: str) -> OpenAIModel:
    try:
        created = datetime.fromisoformat(model.manifest.provenance.created_at).timestamp()
    except ValueError:  # a manifest may say it in words
        created = 0.0
    return OpenAIModel(id=model_id, created=int(created), root=model.manifest.name)
