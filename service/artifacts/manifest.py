"""manifest.json: everything that a server must know of a model, and where the model came from.

The schema is closed (`extra="forbid"`): a field that this version does not know is an error, since
a server that ignores half of a manifest would be guessing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from service.artifacts.chat import ChatTemplate
from service.artifacts.cleaning import Cleaning
from service.artifacts.reference import Reference
from service.runtime.sampling import SamplingOptions

SCHEMA_VERSION: Literal[1] = 1
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MANIFEST_FILE = "manifest.json"

ModelName = Annotated[str, Field(pattern=NAME_PATTERN)]
Version = Annotated[int, Field(ge=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """Checksum and size of one file of the artefact."""

    sha256: Sha256
    num_bytes: Annotated[int, Field(ge=0)]


class StateTensor(_Part):
    """One state tensor: float32[B, width], input `state.<name>`, output `next_state.<name>`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    width: Annotated[int, Field(ge=1, le=1 << 20)]


class SpecialIds(_Part):
    """Token ids with a meaning of their own.

    Attributes:
        start: Read first when a text begins with an empty prompt.
        end: Sampling it finishes the text (finish reason `eos`); None for endless text.
        unknown: Stands for what the tokenizer has never seen; it is never sampled.
        start_before_prompt: Read start in front of every prompt that begins a text, empty or not:
            the model writes items that have a beginning. Then start is never sampled either.
    """

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)] | None = None
    unknown: Annotated[int, Field(ge=0)] | None = None
    start_before_prompt: bool = False

    def opening(self, ids: Sequence[int]) -> list[int]:
        """What is read at the beginning of a text whose prompt has these ids; never nothing."""
        return [*ids] if ids and not self.start_before_prompt else [self.start, *ids]

    @property
    def never_sampled(self) -> tuple[int, ...]:
        """Ids that no text contains."""
        start = self.start if self.start_before_prompt else None
        return tuple(token for token in (self.unknown, start) if token is not None)


class Corpus(_Part):
    """The text that a model was trained on."""

    name: str
    source: str
    licence: str | None = None
    sha256: Sha256
    num_characters: Annotated[int, Field(ge=1)]


class Provenance(_Part):
    """How the weights came to be: enough to train them again.

    Attributes:
        code_version: Of the program that trained.
        precision: Number format of the forward and backward pass; None if it is not known.
        calibrated_temperature: What the logits of the trained network are divided by, inside of the
            graph; 1 if it was not calibrated.
    """

    corpus: Corpus
    config: dict[str, JsonValue]
    seed: int
    code_version: str
    torch_version: str
    precision: Literal["float32", "bfloat16"] | None = None
    num_parameters: Annotated[int, Field(ge=1)]
    num_steps: Annotated[int, Field(ge=0)]
    wall_time_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    num_processes: Annotated[int, Field(ge=1)] = 1
    calibrated_temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    created_at: str


class Evaluation(_Part):
    """Loss of one model on the held-out text, measured one way.

    Attributes:
        method: `stateful` (one pass, the state carried throughout) or `cold-256` (windows of 256
            tokens, each from the start state).
        precision: The precision of the weights that were measured.
        part: `test` where the corpus comes with such a part, which is looked at once; else the
            `validation` text, by which the best moment of the training was chosen too.
        num_tokens: How many predictions the figures average over.
        nats_per_token: Mean cross-entropy, natural logarithm.
        bits_per_character: The same in bits, per character of text.
        perplexity: exp(nats_per_token).
        unknown_share: The share of the held-out tokens that are the sign for everything unknown:
            easy to guess, and nothing is known of what they stand for. None if the tokenizer has
            no such sign, or the model was published before this was counted.
    """

    method: Literal["stateful", "cold-256"]
    precision: Literal["float32", "int8"]
    part: Literal["validation", "test"] = "validation"
    num_tokens: Annotated[int, Field(ge=1)]
    nats_per_token: Finite
    bits_per_character: Finite
    perplexity: Finite
    unknown_share: Annotated[float, Field(ge=0.0, le=1.0)] | None = None


class Parity(_Part):
    """How far the fp32 step graph in onnxruntime is from the model in torch.

    Attributes:
        batch_sizes: The batch sizes that were compared.
        num_steps: Chained steps of each comparison.
        max_logit_difference: Largest absolute difference of any logit.
        max_state_difference: Largest absolute difference of any state value.
        tolerance: What was allowed.
    """

    batch_sizes: tuple[int, ...]
    num_steps: Annotated[int, Field(ge=1)]
    max_logit_difference: Finite
    max_state_difference: Finite
    tolerance: Finite


class Inventions(_Part):
    """What a model of items (names, poems) writes from nothing.

    Attributes:
        num_texts: How many it wrote; shares are of all of them.
        temperature: Of the draws.
        well_formed: Share that ended by themselves, neither empty nor longer than every text that
            was trained on, nor than 2,000 characters.
        new: Share that is well-formed and was not trained on.
        distinct: Share that is left of the well-formed if each text counts once.
        num_trained_on: Number of texts that the model was trained on.
    """

    num_texts: Annotated[int, Field(ge=1)]
    temperature: Finite
    well_formed: Share
    new: Share
    distinct: Share
    num_trained_on: Annotated[int, Field(ge=1)]


def _cleaning_of_older_model(fields: dict[str, Any]) -> Cleaning:
    """Until 0.1.0 only the provenance said what was done to the text."""
    return Cleaning.of_older_model(fields["provenance"].config)


class Manifest(_Part):
    """The whole of manifest.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: ModelName
    version: Version
    description: str = ""
    architecture: str
    sizes: dict[str, int]
    precision: Literal["float32", "int8"]
    vocabulary_size: Annotated[int, Field(ge=2, le=1 << 20)]
    state: Annotated[tuple[StateTensor, ...], Field(min_length=1)]
    special_ids: SpecialIds
    model_file: str = "model.onnx"
    tokenizer_file: str = "tokenizer.json"
    files: dict[str, FileEntry]
    defaults: SamplingOptions = SamplingOptions()
    provenance: Provenance
    cleaning: Cleaning = Field(default_factory=_cleaning_of_older_model)
    evaluations: tuple[Evaluation, ...]
    inventions: Inventions | None = None
    parity: Parity
    chat_template: ChatTemplate | None = None

    @property
    def ref(self) -> str:
        """`name@version`."""
        return str(Reference(self.name, self.version))

    @property
    def fingerprint(self) -> bytes:
        """Of what is served, 32 bytes: rows go on only in the model that they are of.

        The SHA-256 of a line for each of the two files, as `sha256sum` prints it. Documents beside
        them, and what the manifest says of them, make no difference.
        """
        names = (self.model_file, self.tokenizer_file)
        lines = "".join(f"{self.files[name].sha256}  {name}\n" for name in names)
        return hashlib.sha256(lines.encode()).digest()

    @property
    def state_width(self) -> int:
        """Floats in the whole state of one text; times four, its bytes."""
        return sum(tensor.width for tensor in self.state)

    @field_validator("files")
    @classmethod
    def _paths_stay_inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in files:
            if (
                not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
                or PurePosixPath(name).name != name
            ):
                raise ValueError(f"file name {name!r} is not a plain name inside of the folder")
        return files

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for role, file in (
            ("model_file", self.model_file),
            ("tokenizer_file", self.tokenizer_file),
        ):
            if file not in self.files:
                raise ValueError(f"{role} {file!r} has no entry in files")
        if MANIFEST_FILE in self.files:
            raise ValueError("files cannot list the manifest itself")
        names = [tensor.name for tensor in self.state]
        if len(set(names)) != len(names):
            raise ValueError("two state tensors have the same name")
        ids = self.special_ids
        for role, value in (("start", ids.start), ("end", ids.end), ("unknown", ids.unknown)):
            if value is not None and value >= self.vocabulary_size:
                raise ValueError(f"special id {role}={value} is outside of the vocabulary")
        return self
