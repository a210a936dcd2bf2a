"""From version folders to models that can be asked. What is damaged is left out, by its name."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from service.artifacts.aliases import read_aliases
from service.artifacts.errors import ArtifactError
from service.artifacts.reference import Reference
from service.artifacts.snapshot import Snapshot, snapshot
from service.artifacts.store import ModelStore
from service.models.errors import CannotServe, ModelBroken, ModelUnknown
from service.models.loading import EngineSizes, load_model
from service.models.registry import ModelRegistry, ServedModel
from service.models.told import Told
from service.models.wanted import first_published, wanted_models
from service.runtime.memory import return_free_memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelLoader:
    """Loads the models that the settings name, as often as the store changes.

    Attributes:
        store: Where they are.
        names: As `load_models` has it, like the next two.
        default: Who answers requests that name no model.
        sizes: What each of them gets.
        told: What the log knows already.
    """

    store: ModelStore
    names: tuple[str, ...]
    default: str | None
    sizes: EngineSizes
    told: Told = field(default_factory=Told)

    def look(self) -> Snapshot:
        """What the store looks like now."""
        return snapshot(self.store.root)

    def load(self, loaded: Collection[ServedModel] = ()) -> ModelRegistry:
        """The models that are to be served now, and older ones of `loaded` that are still there.

        Raises:
            CannotServe: There is nothing to be served, or not what the settings name.
        """
        registry = load_models(self.store, self.names, self.default, self.sizes, loaded, self.told)
        served = set(map(id, registry))
        return registry.with_older(
            model for model in loaded if id(model) not in served and self._is_there(model)
        )

    def load_version(self, reference: Reference) -> ServedModel | None:
        """A version of a model that the settings name, whether it is their newest or not.

        None if the store does not have it.

        Raises:
            ArtifactError: It is damaged, or cannot be run here.
            CannotServe: The store cannot be read.
        """
        wanted = wanted_models(self.store, self.names, _aliases(self.store))
        if reference.name not in {each.name for each in wanted}:
            return None
        if reference.version not in self.store.versions(reference.name):
            return None
        try:
            return load_model(self.store, reference, self.sizes)
        finally:
            return_free_memory()

    def _is_there(self, model: ServedModel) -> bool:
        manifest = model.manifest
        try:
            return self.store.manifest(manifest.name, manifest.version) == manifest
        except ArtifactError:
            return False


def load_models(
    store: ModelStore,
    names: tuple[str, ...],
    default: str | None,
    sizes: EngineSizes,
    loaded: Collection[ServedModel] = (),
    told: Told | None = None,
) -> ModelRegistry:
    """The models that are to be served: of each the version that is named, or the newest whole one.

    Args:
        store: Where they are.
        names: Which of them, `name` or `name@version`; all if empty.
        default: Who answers requests that name no model; without one the first of `names`, or the
            model that was published first. If it is damaged, nobody does.
        sizes: What each of them gets.
        loaded: Models that need not be loaded again; what takes the place of one is whole.
        told: What the log knows of an earlier call.

    Raises:
        CannotServe: There is no model, none that is whole, or not the one that is named.
    """
    (told := told or Told()).begin(snapshot(store.root))
    loading = _Loading(store, sizes, loaded, told)
    aliases = _aliases(store)
    for reference in wanted_models(store, names, aliases):
        loading.load(reference)
    return_free_memory()  # the graphs that were built, of twice the files' size and more
    served = list(loading.served.values())
    if not served:
        reasons = "; ".join(map(str, loading.faults.values())) or f"{store.root} holds no models"
        raise CannotServe(reasons)
    broken = {str(each): fault.below(store.root) for each, fault in loading.faults.items()}
    try:
        named = {name: str(target) for name, target in aliases.items()}
        registry = ModelRegistry(served, default or _default(store, names), broken, named)
    except ModelUnknown as error:
        raise CannotServe(f"default_model: {error}") from error
    if registry.default is None:
        told.error(f"requests that name no model get 503: {registry.default_fault}", store.root)
    return registry


def _aliases(store: ModelStore) -> dict[str, Reference]:
    try:
        return read_aliases(store.root)
    except ArtifactError as error:
        raise CannotServe(str(error)) from error


def _default(store: ModelStore, names: tuple[str, ...]) -> str | ModelBroken:
    try:
        return names[0] if names else first_published(store)
    except ModelBroken as error:
        return error


class _Loading:
    """What is served, and what could not be.

    Attributes:
        served: The models.
        faults: What is wrong with the others, the newest version of a model first; and with what
            was loaded before it was damaged.
    """

    def __init__(
        self,
        store: ModelStore,
        sizes: EngineSizes,
        loaded: Collection[ServedModel],
        told: Told,
    ) -> None:
        self.served: dict[Reference, ServedModel] = {}
        self.faults: dict[Reference, ArtifactError] = {}
        self._store = store
        self._sizes = sizes
        self._told = told
        self._loaded = {Reference.parse(model.ref): model for model in loaded}

    def load(self, wanted: Reference) -> None:
        """Load a version, or the newest whole one; the older ones that are damaged are noted."""
        if wanted.version is not None:
            self._is_served(wanted)
            return
        try:
            versions = self._store.versions(wanted.name)[::-1]
        except ArtifactError as error:
            self._note(wanted, error)
            self._keep_newest(wanted.name)
            return
        candidates = [Reference(wanted.name, version) for version in versions]
        found = next((each for each in candidates if self._is_served(each)), None)
        if found is None:
            return
        if found != candidates[0]:
            folder = self._folder(candidates[0])
            self._told.warning(f"{found} is served in place of {candidates[0]}", folder)
        for older in candidates[candidates.index(found) + 1 :]:
            try:
                self._store.manifest(older.name, older.version or 0)
            except ArtifactError as error:
                self._note(older, error)

    def _is_served(self, wanted: Reference) -> bool:
        """Whether it is whole: load it, unless that was tried already."""
        if wanted not in self.served and wanted not in self.faults:
            try:
                self.served[wanted] = self._as_it_was(wanted) or load_model(
                    self._store, wanted, self._sizes
                )
            except ArtifactError as error:
                self._note(wanted, error)
                if wanted in self._loaded:
                    self.served[wanted] = self._loaded[wanted]
        return wanted in self.served

    def _as_it_was(self, wanted: Reference) -> ServedModel | None:
        """The one that is loaded, if the store says of it what it has said then."""
        model = self._loaded.get(wanted)
        if model is None:
            return None
        manifest = self._store.manifest(wanted.name, wanted.version or 0)
        return model if manifest == model.manifest else None

    def _keep_newest(self, name: str) -> None:
        """Of a model whose versions cannot be read, serve on what is loaded."""
        found = [each for each in self._loaded if each.name == name]
        if found:
            newest = max(found, key=lambda reference: reference.version or 0)
            self.served[newest] = self._loaded[newest]

    def _note(self, reference: Reference, fault: ArtifactError) -> None:
        if reference not in self.faults:
            if self._told.error(f"{reference} cannot be served: {fault}", self._folder(reference)):
                _log.debug("%s cannot be served", reference, exc_info=fault)
            # Its frames hold this very loading, and so all models, until garbage is looked for.
            self.faults[reference] = fault.with_traceback(None)

    def _folder(self, reference: Reference) -> Path:
        """Of the version; of the model, if none is meant."""
        model = self._store.root / reference.name
        return model if reference.version is None else model / str(reference.version)
