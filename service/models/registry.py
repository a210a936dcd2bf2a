"""The models that are served, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn

from service.artifacts.manifest import Manifest
from service.artifacts.reference import Reference
from service.artifacts.tokenizer import Tokenizer
from service.engine.worker import Engine
from service.models.errors import ModelBroken, ModelUnknown
from service.models.inside import Inside
from service.rows.codec import RowUnreadable, decode_row, encode_row, encoded_bytes
from service.rows.row import Row
from service.sessions.errors import SessionUnusable
from service.sessions.session import KeptRow, Lease, Session


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class ServedModel:
    """One model, loaded. Whoever holds it uses it: its engine ends when nobody does any more.

    Attributes:
        manifest: What it says of itself.
        tokenizer: Its own.
        engine: Owns its rows.
        inside: Tells what the model computes; it is loaded when somebody asks.
        loaded_bytes: By how much the process grew when it was loaded; 0: nobody knows.
        prepare_to_hold: Loads what holding texts to patterns takes, the first time; it blocks.
    """

    manifest: Manifest
    tokenizer: Tokenizer
    engine: Engine
    inside: Inside
    loaded_bytes: int = 0
    prepare_to_hold: Callable[[], None] = lambda: None

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref

    @property
    def row_bytes(self) -> int:
        """Memory of one text's row: what caches and paused texts keep."""
        return Row.start(self.engine.row_shape).num_bytes

    @property
    def session_bytes(self) -> int:
        """Of a session's row, once all of the vocabulary was in it; before, it is less."""
        size = self.manifest.vocabulary_size
        return encoded_bytes(self.engine.row_shape, num_present=size, num_generated=size)

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
    """Finds the model that a request means. A value: what is served later is another one.

    Args:
        models: At least one.
        default: Name of the one that is meant when none is named, or why that cannot be told.
        broken: Models that should be served and cannot be, by their references, the newest version
            of a model first; with the reason.
        aliases: Names of the store's own for versions; they go before those of models.

    Attributes:
        served: What there is for everybody, by `name@version`.
        older: Versions on which sessions go on: by their own `name@version` only.
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
        self.served = {model.ref: model for model in models}
        self.older: dict[str, ServedModel] = {}
        newest = sorted(models, key=lambda model: model.manifest.version)
        self._newest = {model.manifest.name: model for model in newest}
        self.broken = dict(broken)
        known = {**self.served, **self.broken}
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
        return chain(self.served.values(), self.older.values())

    def with_older(self, models: Iterable[ServedModel]) -> ModelRegistry:
        """The same, with these versions in place of those that are `older` now."""
        registry = copy(self)
        registry.older = {each.ref: each for each in models if each.ref not in self.served}
        return registry

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
        model = self.served.get(name) or self._newest.get(name) or self.older.get(name)
        if model is None:
            self._refuse(name)
        return model

    def may_mean(self, name: str | None, model: ServedModel) -> bool:
        """Whether a name can be that of the model which a session or a capsule goes on with.

        A version is one model. A name, or an alias, may have meant another version of its model
        when the session began.

        Raises:
            ModelUnknown, ModelBroken: It means nothing that is served.
        """
        if name is None or name in (model.ref, model.manifest.name):
            return True
        names_version = name not in self.aliases and "@" in name
        meant = self.resolve(name)
        return meant is model or (not names_version and meant.manifest.name == model.manifest.name)

    def _refuse(self, name: str) -> NoReturn:
        for reference, reason in self.broken.items():
            if name in (reference, Reference.parse(reference).name):
                raise ModelBroken(f"model {name!r} is damaged: {reason}")
        known = ", ".join([*sorted(self.served), *self.aliases])
        raise ModelUnknown(f"no model {name!r} is served here; there are: {known}")
