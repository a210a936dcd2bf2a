"""The models that are served, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from service.artifacts.manifest import Manifest
from service.artifacts.reference import Reference
from service.artifacts.tokenizer import Tokenizer
from service.engine.worker import Engine
from service.models.errors import ModelBroken, ModelUnknown
from service.rows.codec import RowUnreadable, decode_row, encode_row
from service.rows.row import Row
from service.sessions.errors import SessionUnusable
from service.sessions.session import KeptRow, Lease, Session


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model, loaded: its manifest, its tokenizer, and the engine that owns its rows."""

    manifest: Manifest
    tokenizer: Tokenizer
    engine: Engine

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref

    def kept(self, row: Row) -> KeptRow:
        """A row of this model, as sessions keep it."""
        return KeptRow(encode_row(row, self.manifest.fingerprint), row.num_tokens)

    def row_of(self, lease: Lease) -> Row | None:
        """The row that a session's turn goes on from; None before its first token.

        Raises:
            SessionUnusable: It is not of this model, or damaged.
        """
        return self.row_at(lease.session, lease.row, lease.session.num_tokens)

    def row_at(self, session: Session, row: bytes | None, num_tokens: int) -> Row | None:
        """A row of a session, of the place where its text has so many tokens; None: the start.

        Raises:
            SessionUnusable: It is not of this model, or damaged.
        """
        if row is None and num_tokens == 0:
            return None
        try:
            return decode_row(row or b"", self.engine.row_shape, self.manifest.fingerprint)
        except RowUnreadable as error:
            raise SessionUnusable(
                f"session {session.id} cannot go on with {self.ref}: {error}"
            ) from error


class ModelRegistry:
    """Finds the model that a request means.

    Args:
        models: At least one.
        default: Name of the one that is meant when none is named, or why that cannot be told.
        broken: Models that should be served and cannot be, by their references, the newest version
            of a model first; with the reason.
        aliases: Names of the store's own for versions; they go before those of models.

    Attributes:
        default: The one that is meant when none is named; None if it cannot be served.
        default_fault: Why it cannot be.
        broken: As above.
        aliases: As above, those whose version is served or broken.

    Raises:
        ModelUnknown: The default is neither served nor broken.
    """

    def __init__(
        self,
        models: list[ServedModel],
        default: str | ModelBroken,
        broken: Mapping[str, str],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._models = {model.ref: model for model in models}
        newest = sorted(models, key=lambda model: model.manifest.version)
        self._newest = {model.manifest.name: model for model in newest}
        self.broken = dict(broken)
        known = {**self._models, **self.broken}
        self.aliases = {name: ref for name, ref in (aliases or {}).items() if ref in known}
        self.default: ServedModel | None = None
        self.default_fault = ""
        try:
            if isinstance(default, ModelBroken):
                raise default
            self.default = self.resolve(default)
        except ModelBroken as error:
            self.default_fault = str(error)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def resolve(self, name: str | None) -> ServedModel:
        """The model called `name`, or `name@version`, or what an alias means; None: the default.

        A name without a version means the newest version that is whole, never another model.

        Raises:
            ModelUnknown: There is none.
            ModelBroken: It should be served, and is damaged.
        """
        if name is None:
            if self.default is None:
                raise ModelBroken(
                    f"no model is named, and there is no default: {self.default_fault}"
                )
            return self.default
        name = self.aliases.get(name, name)
        model = self._models.get(name) or self._newest.get(name)
        if model is None:
            self._refuse(name)
        return model

    def _refuse(self, name: str) -> NoReturn:
        for reference, reason in self.broken.items():
            if name in (reference, Reference.parse(reference).name):
                raise ModelBroken(f"model {name!r} is damaged: {reason}")
        known = ", ".join([*sorted(self._models), *self.aliases])
        raise ModelUnknown(f"no model {name!r} is served here; there are: {known}")
