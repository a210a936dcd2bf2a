"""The models that are served, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.artifacts.manifest import Manifest
from service.artifacts.tokenizer import Tokenizer
from service.engine.pool import EnginePool
from service.models.errors import ModelUnknown


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model, loaded: its manifest, its tokenizer, and the engines that own its rows."""

    manifest: Manifest
    tokenizer: Tokenizer
    engine: EnginePool

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref


class ModelRegistry:
    """Finds the model that a request means.

    Args:
        models: At least one.
        default: Name of the one that is meant when none is named.
        broken: Models that should be served and cannot be, with the reason.
    """

    def __init__(self, models: list[ServedModel], default: str, broken: Mapping[str, str]) -> None:
        self._models = {model.ref: model for model in models}
        newest = sorted(models, key=lambda model: model.manifest.version)
        self._newest = {model.manifest.name: model for model in newest}
        self.default = self.resolve(default)
        self.broken = dict(broken)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def resolve(self, name: str | None) -> ServedModel:
        """The model called `name`, or `name@version`; None means the default.

        Raises:
            ModelUnknown: There is none.
        """
        if name is None:
            return self.default
        model = self._models.get(name) or self._newest.get(name)
        if model is None:
            known = ", ".join(sorted(self._models))
            raise ModelUnknown(f"no model {name!r} is served here; there are: {known}")
        return model
