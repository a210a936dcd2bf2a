"""The network: its sizes, what is left out of it while it trains, what it begins with."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from training.config.places import address_in
from training.config.section import Section

DropoutRate = Annotated[float, Field(ge=0.0, le=0.95)]
"""In `models/dropout.py` 8 bits decide: near 1 they could not."""

Architecture = Literal["lstm", "gru", "peephole-lstm", "layernorm-lstm", "tanh-rnn"]
"""Each is a file of `training/models`, with its equations and where they come from."""


class ModelConfig(Section):
    """Sizes of the network, and what is left out while it trains (`training/models/dropout.py`)."""

    architecture: Architecture = "lstm"
    hidden_size: Annotated[int, Field(ge=1, le=8192)] = 512
    num_layers: Annotated[int, Field(ge=1, le=16)] = 2
    embedding_size: Annotated[int, Field(ge=1, le=8192)] = 256
    projection_size: Annotated[int, Field(ge=1, le=8192)] | None = None
    """Width of an LSTM layer's output, less than hidden_size (Sak et al. 2014)."""
    residual: bool = False
    """Each layer but the first is added to its input."""
    bidirectional: bool = False
    """Knows what comes after a place too: scores texts, cannot write them."""
    dropout_input: DropoutRate = 0.0
    """Of the embedded tokens' numbers; this one and the next two: Zaremba et al. 2014."""
    dropout_between: DropoutRate = 0.0
    """Between the layers; refused for a single layer, where it would do nothing."""
    dropout_output: DropoutRate = 0.0
    dropout_words: DropoutRate = 0.0
    """Of whole words: rows of the embedding (Gal & Ghahramani 2016)."""
    locked_dropout: bool = False
    """Input, between, output: the same numbers in the whole window (Gal & Ghahramani 2016)."""
    weight_drop: DropoutRate = 0.0
    """Of the recurrent weights (Merity et al. 2018)."""
    tied: bool = False
    """Output projection = embedding table (Press & Wolf 2017, arXiv:1608.05859)."""
    adaptive_cutoffs: Annotated[tuple[PositiveInt, ...], Field(strict=False)] = ()
    """Adaptive softmax (Grave et al. 2017): ids at which the clusters of rarer words begin."""
    adaptive_division: Annotated[float, Field(ge=1.0, le=64.0)] = 4.0
    """Each cluster sees the hidden state so many times narrower than the one before.

    Not if tied: the embedding's rows have one width (Baevski & Auli 2019, arXiv:1809.10853).
    """

    @property
    def output_size(self) -> int:
        """Width of what the output projection reads."""
        return (self.projection_size or self.hidden_size) * (2 if self.bidirectional else 1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tied and self.embedding_size != self.output_size:
            raise ValueError(
                f"'tied' needs embedding_size == {self.output_size}, the width of the last layer, "
                f"got {self.embedding_size}"
            )
        if self.projection_size is not None and self.architecture != "lstm":
            raise ValueError("'projection_size' is for architecture 'lstm' only")
        if self.projection_size is not None and self.projection_size >= self.hidden_size:
            raise ValueError("'projection_size' must be less than hidden_size")
        cutoffs = self.adaptive_cutoffs
        if list(cutoffs) != sorted(set(cutoffs)):
            raise ValueError(f"'adaptive_cutoffs' must ascend, got {list(cutoffs)}")
        if not self.tied and self.output_size < self.adaptive_division ** len(cutoffs):
            raise ValueError(
                f"'adaptive_cutoffs': no width is left for the last of {len(cutoffs)} clusters; "
                "take fewer, or a smaller 'adaptive_division'"
            )
        return self

    @model_validator(mode="after")
    def _all_have_an_effect(self) -> Self:
        for option in ("dropout_between", "residual"):
            if getattr(self, option) and self.num_layers == 1:
                raise ValueError(f"'{option}' needs at least 2 layers")
        rates = (self.dropout_input, self.dropout_between, self.dropout_output)
        if self.locked_dropout and not any(rates):
            raise ValueError(
                "'locked_dropout' needs 'dropout_input', 'dropout_between' or 'dropout_output'"
            )
        is_of_clusters = bool(self.adaptive_cutoffs) and not self.tied
        if "adaptive_division" in self.chosen and not is_of_clusters:
            raise ValueError("'adaptive_division' needs 'adaptive_cutoffs', without 'tied'")
        return self


class VectorsConfig(Section):
    """Word vectors that the embedding begins with (`training/loop/vectors.py`)."""

    path: str
    """Relative paths are relative to the config file."""
    format: Literal["word2vec", "word2vec-binary", "glove", "fasttext"]
    trainable: bool = True
    """Whether they are trained on; otherwise they stay as they are."""

    @field_validator("path")
    @classmethod
    def _no_address(cls, path: str) -> str:
        if (complaint := address_in(path)) is not None:
            raise ValueError(complaint)
        return path
