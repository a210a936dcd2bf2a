"""A model as it is served: a step graph and a tokenizer, of a checkpoint or of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch

from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.reference import Reference
from service.artifacts.store import Artifact, ModelStore
from service.artifacts.tokenizer import Tokenizer as ServedTokenizer
from service.runtime.burst import BurstDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from training.config.files import checked
from training.config.nearby import listed, nearest
from training.config.text import CleaningConfig, CorpusConfig
from training.corpora.cleaning import cleaner
from training.corpora.decoded import Decoding
from training.corpora.folders import is_of_format
from training.corpora.load import at_path
from training.corpora.plain import STRICT, read_pieces
from training.corpora.sources import records_of_file
from training.errors import ConfigError, PublishError
from training.served.writing import write
from training.tokenization.tokenizer import TextTokenizer


@dataclass(frozen=True)
class StepModel:
    """What can be asked to write, and be measured, without torch.

    Attributes:
        name: For people.
        graph: The step graph.
        state_names: Its state tensors, in order.
        tokenizer: Text to ids and back.
    """

    name: str
    graph: onnx.ModelProto
    state_names: tuple[str, ...]
    tokenizer: TextTokenizer

    @classmethod
    def of_artifact(cls, artifact: Artifact) -> StepModel:
        """A published version."""
        manifest = artifact.manifest
        content = artifact.read(manifest.model_file)
        graph = check_step_graph(artifact.folder / manifest.model_file, content, manifest)
        tokenizer = artifact.read(manifest.tokenizer_file).decode("utf-8")
        return cls(
            artifact.ref,
            graph,
            tuple(tensor.name for tensor in manifest.state),
            TextTokenizer.from_json(tokenizer, manifest.special_ids, manifest.cleaning),
        )

    def decoder(self, capacity: int) -> BurstDecoder:
        """The one that serves: for the same seed it draws the same text."""
        ids = self.tokenizer.special_ids
        return BurstDecoder(
            self.graph,
            self.state_names,
            capacity=capacity,
            num_threads=torch.get_num_threads(),
            end_id=ids.end,
            never_drawn=ids.never_sampled,
        )

    def write(self, prompt: str, num_tokens: int, samplings: Sequence[Sampling]) -> list[str]:
        """What the server writes; see `writing.write`."""
        decoder = self.decoder(len(samplings))
        return write(decoder, self.tokenizer, prompt, num_tokens, samplings)

    def unknown(self, prompt: str, at_most: int) -> tuple[str, ...]:
        """The first characters or words of a prompt that the model has never seen."""
        served = ServedTokenizer(
            Path("tokenizer.json"),
            self.tokenizer.to_json().encode(),
            self.tokenizer.vocabulary_size,
            self.tokenizer.cleaning,
            self.tokenizer.special_ids.unknown,
        )
        return served.unknown(served.clean(prompt), at_most)

    def step(self) -> StepGraph:
        """One run for each token."""
        return StepGraph(
            self.graph.SerializeToString(),
            num_threads=torch.get_num_threads(),
            state_names=self.state_names,
        )


def find_published(store: ModelStore, ref: str) -> Artifact:
    """`name@version`, or the newest version of `name`.

    Raises:
        PublishError: there is no such model, or it is damaged.
    """
    name = ref.partition("@")[0]
    try:
        matching = [v for v in store.versions(name) if ref in {name, str(Reference(name, v))}]
        if matching:
            return store.verify(name, matching[-1])
        names = store.names()
    except ArtifactError as error:
        raise PublishError(str(error)) from error
    published = [str(Reference(other, v)) for other in names for v in _versions(store, other)]
    if not store.root.is_dir():
        raise PublishError(f"no model {ref!r}: there is no model store {store.root}; see --store")
    meant = nearest(ref, [*names, *published]) if name not in names else None
    hint = "" if meant is None else f": did you mean {meant}?"
    raise PublishError(
        f"no model {ref!r} in the model store {store.root}; "
        f"there are: {listed(published, none='none')}{hint}"
    )


def _versions(store: ModelStore, name: str) -> list[int]:
    """None of a model whose folder cannot be read: it is not the one that was asked for."""
    try:
        return store.versions(name)
    except ArtifactError:
        return []


def read_as_trained(artifact: Artifact, file: Path, decoding: Decoding = STRICT) -> Iterator[str]:
    """A text as the model was given its own: cleaned, and item by item if it is a model of items.

    Items keep the order of the file: shuffling is for what is to be cut in two. The encoding is a
    matter of this file, not of the one that was trained on; NULs are read if the model knows them.

    Raises:
        ConfigError: the manifest does not say how.
        CorpusError: the file cannot be read so.
    """
    manifest = artifact.manifest
    config = manifest.provenance.config
    source = f"{artifact.ref}, provenance.config"
    clean = cleaner(checked(CleaningConfig, config.get("cleaning", {}), f"{source}.cleaning"))
    allow_nul = _section(config, "corpus").get("allow_nul") is True
    decoding = replace(decoding, allow_nul=allow_nul)
    is_collection = manifest.special_ids.start_before_prompt
    if not is_collection and not _holds_documents(config.get("corpus"), file):
        return map(clean, read_pieces(file, decoding))
    corpus = at_path(checked(CorpusConfig, config.get("corpus", {}), f"{source}.corpus"), file)
    if is_collection and corpus.items is None:
        raise ConfigError(f"{source}.corpus: no 'items', but the model begins every text anew")
    if corpus.format == "wet" and decoding != replace(STRICT, allow_nul=allow_nul):
        raise ConfigError("--encoding and --errors do nothing for WET, whose pages are in UTF-8")
    return map(clean, records_of_file(file, corpus, decoding))


def _section(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _holds_documents(corpus: object, file: Path) -> bool:
    """Whether a model that was trained on such files is shown another one of them."""
    trained_on = corpus.get("format") if isinstance(corpus, dict) else None
    return trained_on in ("jsonl", "csv", "wet") and is_of_format(file, str(trained_on))
