"""All sections together: what one published model is made from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.artifacts.chat import ROLES, ROLES_STOP, ChatTemplate
from service.artifacts.manifest import ModelName
from training.config.model import ModelConfig, VectorsConfig
from training.config.optimisation import OptimisationConfig
from training.config.section import Section
from training.config.text import CleaningConfig, CorpusConfig, TokenizerConfig

TRAINING_SECTIONS = ("cleaning", "tokenizer", "model", "vectors", "training")
"""They decide what a training computes; besides them only the corpus does."""


class SampleConfig(Section):
    """The text that is generated at every evaluation and for the model card."""

    prompt: str = ""
    num_tokens: Annotated[int, Field(ge=1, le=100_000)] = 300
    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 0.8


class PublishConfig(Section):
    """What is published, and the gates that can stop it."""

    precision: Literal["int8", "float32"] = "int8"
    max_perplexity_increase: Annotated[float, Field(ge=0.0, le=1.0)] = 0.005
    """int8 over float32, relative: 0.005 is half a per cent."""
    default_temperature: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    """Of requests that name none; without it the server's own default stands."""
    chat_template: Annotated[str, Field(min_length=1, max_length=1 << 14)] | None = None
    """Of a model of chats: how the server writes one for it, in Jinja; "roles" is how the chats of
    a corpus are written, a line `role: content` for each message."""
    chat_stop: Annotated[tuple[str, ...], Field(strict=False, max_length=16)] = ROLES_STOP
    """What ends an answer of a model of chats: what somebody else's message begins with."""
    parity_tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 5e-4
    """Largest allowed absolute difference between torch and the serving runtime (float32)."""

    @property
    def chat(self) -> ChatTemplate | None:
        """What the manifest says of chats."""
        if self.chat_template is None:
            return None
        template = ROLES if self.chat_template == "roles" else self.chat_template
        return ChatTemplate(template=template, stop=self.chat_stop)

    @model_validator(mode="after")
    def _chats_can_be_written(self) -> Self:
        if self.chat_template is None and "chat_stop" in self.chosen:
            raise ValueError("'chat_stop' goes with 'chat_template'")
        _ = self.chat  # which says what is wrong with it
        return self


class TrainConfig(Section):
    """Everything that one published model is made from."""

    name: ModelName
    description: Annotated[str, Field(max_length=500)] = ""
    corpus: CorpusConfig
    cleaning: CleaningConfig = CleaningConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    vectors: VectorsConfig | None = None
    training: OptimisationConfig = OptimisationConfig()
    sample: SampleConfig = SampleConfig()
    publish: PublishConfig = PublishConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.model.projection_size is not None and self.publish.precision == "int8":
            raise ValueError(
                "publish.precision = 'int8' needs outputs in [-1, 1], and those of "
                "model.projection_size have no bound: set it to 'float32'"
            )
        if self.vectors is not None and not self.vectors.trainable and self.model.tied:
            raise ValueError(
                "vectors.trainable = false with model.tied: the output could not be trained either"
            )
        if self.model.adaptive_cutoffs and self.tokenizer.kind != "word":
            raise ValueError(
                "model.adaptive_cutoffs needs tokenizer.kind = 'word': ids in order of frequency"
            )
        last, size = max(self.model.adaptive_cutoffs, default=0), self.tokenizer.max_size
        if size is not None and last >= size:
            raise ValueError(
                f"model.adaptive_cutoffs: the last is {last}, tokenizer.max_size is {size}"
            )
        # Manifests write defaults down, so the default does not mean that somebody asked for it.
        is_asked_for = "unknown_rate" in self.training.chosen and self.training.unknown_rate > 0.0
        if is_asked_for and self.tokenizer.kind in ("byte", "bpe"):
            raise ValueError(
                f"training.unknown_rate: tokenizer.kind = {self.tokenizer.kind!r} has no <unk>"
            )
        return self
