"""The config of one published model, checked field by field; `config_files.py` reads it.

Every model is frozen and refuses unknown keys, so a misspelt option stops the run instead of
being ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from service.artifacts.manifest import ModelName

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
DropoutRate = Annotated[float, Field(ge=0.0, le=0.95)]
Precision = Literal["auto", "float32", "bfloat16"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def _chosen(self) -> set[str]:
        """Fields that are not as they would be by default."""
        fields = type(self).model_fields
        return {name for name, field in fields.items() if getattr(self, name) != field.default}


ItemKind = Literal["lines", "paragraphs", "documents"]


class CorpusConfig(_Section):
    """Where the text comes from: exactly one of `name` and `path`."""

    name: str | None = None
    """A corpus of the registry in `training/corpora/named.py`."""
    path: str | None = None
    """A file or a folder; relative paths are relative to the config file."""
    format: Literal["text", "jsonl", "wet", "ptb", "wikitext"] = "text"
    """UTF-8 text, JSON lines, Common Crawl's text of pages (these also compressed, `.gz`), or a
    folder in the layout of Penn Treebank (`ptb.train.txt` ...) or WikiText (`wiki.train.tokens`
    ...)."""
    items: ItemKind | None = None
    """Of what each is a text by itself, that the model learns to begin and to end."""
    text_field: str = "text"
    """Of JSON lines: the field that holds the text."""
    languages: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Of WET: only pages whose first language is one of these (ISO 639-3)."""
    min_characters: Annotated[int, Field(ge=0)] = 0
    """Of documents (JSON lines, WET): shorter ones are left out."""
    max_characters: PositiveInt | None = None
    """Of documents: longer ones are left out."""
    shuffled: bool = False
    """Items in a fixed random order; they are then held in memory."""
    held_out: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """The part at the end that is not trained on."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError("give exactly one of 'name' and 'path'")
        if self.name is not None:
            for option in sorted(self._chosen - {"name", "held_out"}):
                raise ValueError(f"{option!r} goes with 'path': a named corpus has its own")
        self._check_items()
        for option, formats in _OPTIONS_OF_FORMATS.items():
            if option in self._chosen and self.format not in formats:
                raise ValueError(f"{option!r} does not go with format {self.format!r}")
        return self

    def _check_items(self) -> None:
        allowed = {"text": ("lines", "paragraphs"), "jsonl": ("documents",), "wet": ("documents",)}
        if self.items is not None and self.items not in allowed.get(self.format, ()):
            raise ValueError(f"items = {self.items!r} does not go with format {self.format!r}")
        if self.shuffled and self.items is None:
            raise ValueError("'shuffled' needs 'items': what should be put into another order?")


_OPTIONS_OF_FORMATS = {
    "text_field": ("jsonl",),
    "languages": ("wet",),
    "min_characters": ("jsonl", "wet"),
    "max_characters": ("jsonl", "wet"),
    "held_out": ("text", "jsonl", "wet"),
}
"""The other two come in parts, and are text."""


class CleaningConfig(_Section):
    """What is done to the text first; nothing by default.

    The tokenizer does the same to prompts, but for `simplified_chinese`, which it cannot do.
    """

    unicode: Literal["NFC", "NFKC"] | None = None
    """Unicode normalisation (Unicode Standard Annex 15)."""
    simplified_chinese: bool = False
    """Traditional characters become simplified ones (OpenCC)."""
    lowercase: bool = False


class TokenizerConfig(_Section):
    """What a token is."""

    kind: Literal["character", "byte", "word", "bpe"] = "character"
    min_count: PositiveInt = 1
    """Of characters and words: rarer ones are unknown."""
    max_size: Annotated[int, Field(ge=3, le=1 << 20)] | None = None
    """Of characters and words: only the most frequent, the unknown one included."""
    split_punctuation: bool = True
    """Of words: punctuation marks are words of their own. Not for texts that are split already."""
    vocabulary_size: Annotated[int, Field(ge=258, le=1 << 20)] = 4096
    """Of byte pairs."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds = {
            "min_count": ("character", "word"),
            "max_size": ("character", "word"),
            "split_punctuation": ("word",),
            "vocabulary_size": ("bpe",),
        }
        for option in sorted(self._chosen & kinds.keys()):
            if self.kind not in kinds[option]:
                raise ValueError(f"{option!r} is not for kind {self.kind!r}")
        return self


Architecture = Literal["lstm", "gru", "peephole-lstm", "layernorm-lstm", "tanh-rnn"]
"""Each is a file of `training/models`, with its equations and where they come from."""


class ModelConfig(_Section):
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
        if "adaptive_division" in self._chosen and not is_of_clusters:
            raise ValueError("'adaptive_division' needs 'adaptive_cutoffs', without 'tied'")
        return self


class VectorsConfig(_Section):
    """Word vectors that the embedding begins with (`training/vectors.py`)."""

    path: str
    """Relative paths are relative to the config file."""
    format: Literal["word2vec", "word2vec-binary", "glove", "fasttext"]
    trainable: bool = True
    """Whether they are trained on; otherwise they stay as they are."""


class RestartConfig(_Section):
    """One more cycle of the learning rate, after the first."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    """The peak of this cycle."""


class OptimisationConfig(_Section):
    """Batches, schedule, optimiser, and when to look at the validation text."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 11
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Columns: parallel places in the text."""
    window: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Tokens per truncated back-propagation."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-3
    """The peak, reached after the warm-up."""
    warmup_fraction: Probability = 0.1
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.001
    """Learning rate of the last step as a fraction of the peak."""
    restarts: Annotated[tuple[RestartConfig, ...], Field(strict=False)] = ()
    """Further cycles, each warming up and decaying like the first. A run that has ended can be
    resumed with restarts added: it then is the run that had them from the beginning."""
    weight_decay: Annotated[float, Field(ge=0.0, le=10.0)] = 0.02
    """Of matrices, apart from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    betas: Annotated[tuple[Probability, Probability], Field(strict=False)] = (0.9, 0.99)
    clip_norm: Annotated[float, Field(gt=0.0)] = 1.0
    activation_regularisation: Annotated[float, Field(ge=0.0)] = 0.0
    """AR: weight of the mean square of the last layer's dropped output (Merity et al. 2017,
    arXiv:1708.01009)."""
    temporal_regularisation: Annotated[float, Field(ge=0.0)] = 0.0
    """TAR: weight of the mean square of its change from token to token (the same paper)."""
    unknown_rate: Probability = 0.001
    """How often an input is replaced by <unk>, so that <unk> gets a meaning. (Bytes have none.)"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    precision: Precision = "auto"
    evaluations_per_epoch: Annotated[int, Field(ge=1, le=1000)] = 1
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many evaluations in a row without a better validation loss."""
    calibrate: bool = False
    """In the end, divide the best moment's logits by one number that is fitted to the validation
    text: temperature scaling (Guo et al. 2017, arXiv:1706.04599)."""


class SampleConfig(_Section):
    """The text that is generated at every evaluation and for the model card."""

    prompt: str = ""
    num_tokens: Annotated[int, Field(ge=1, le=100_000)] = 300
    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 0.8


class PublishConfig(_Section):
    """What is published, and the gates that can stop it."""

    precision: Literal["int8", "float32"] = "int8"
    max_perplexity_increase: Annotated[float, Field(ge=0.0, le=1.0)] = 0.005
    """int8 over float32, relative: 0.005 is half a per cent."""
    default_temperature: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    """Of requests that name none; without it the server's own default stands."""
    parity_tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 5e-4
    """Largest allowed absolute difference between torch and the serving runtime (float32)."""


class TrainConfig(_Section):
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
        # Manifests write defaults down, so the default does not mean that somebody asked for it.
        is_asked_for = "unknown_rate" in self.training._chosen and self.training.unknown_rate > 0.0
        if is_asked_for and self.tokenizer.kind in ("byte", "bpe"):
            raise ValueError(
                f"training.unknown_rate: tokenizer.kind = {self.tokenizer.kind!r} has no <unk>"
            )
        return self
