"""A model whose files are what they should be, ready to be run: verified, checked, warmed up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnx

from service.artifacts.errors import ArtifactError, NotRunnable
from service.artifacts.graph import check_step_graph
from service.artifacts.reference import Reference
from service.artifacts.store import Artifact, ModelStore
from service.artifacts.tokenizer import Tokenizer
from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.decoder import Burst, Decoder
from service.runtime.reading import PromptReader
from service.runtime.sampling import Sampling


@dataclass(frozen=True)
class CheckedModel:
    """The parts of one version, checked."""

    artifact: Artifact
    graph: onnx.ModelProto
    tokenizer: Tokenizer

    @classmethod
    def of(cls, store: ModelStore, reference: Reference) -> Self:
        """Verify and check a version.

        Args:
            store: Where it is.
            reference: With a version.

        Raises:
            ArtifactError: A file is not what it should be.
            ValueError: The reference has no version.
        """
        if reference.version is None:
            raise ValueError(f"{reference} is no version")
        with every_fault_an_artifact_error(store.folder(reference.name, reference.version)):
            artifact = store.verify(reference.name, reference.version)
            manifest = artifact.manifest
            graph = check_step_graph(
                artifact.folder / manifest.model_file, artifact.read(manifest.model_file), manifest
            )
            tokenizer = Tokenizer(
                artifact.folder / manifest.tokenizer_file,
                artifact.read(manifest.tokenizer_file),
                manifest.vocabulary_size,
                manifest.cleaning,
                manifest.special_ids.unknown,
            )
            return cls(artifact, graph, tokenizer)

    def reader(self, *, num_threads: int) -> PromptReader | None:
        """What reads prompts for all decoders; None if its layers cannot be had one by one.

        Args:
            num_threads: That one run may use.

        Raises:
            ArtifactError: The model cannot be loaded.
        """
        manifest = self.artifact.manifest
        with every_fault_an_artifact_error(self.artifact.folder / manifest.model_file):
            names = [tensor.name for tensor in manifest.state]
            return PromptReader.of(self.graph, names, num_threads=num_threads)

    def decoder(
        self,
        *,
        capacity: int,
        num_threads: int,
        constrains: bool = False,
        clamps: bool = False,
        reader: PromptReader | None = None,
    ) -> BurstDecoder:
        """A decoder that has run: what cannot be run is known before anybody asks.

        Args:
            capacity: Number of slots.
            num_threads: That one burst may use.
            constrains: Whether rows can be held to constraints.
            clamps: Whether units can be held.
            reader: Of this model.

        Raises:
            ArtifactError: The model cannot be loaded or run, as one of operators or types that
                onnxruntime does not have.
        """
        manifest = self.artifact.manifest
        with every_fault_an_artifact_error(self.artifact.folder / manifest.model_file):
            decoder = BurstDecoder(
                self.graph,
                [tensor.name for tensor in manifest.state],
                capacity=capacity,
                num_threads=num_threads,
                end_id=manifest.special_ids.end,
                never_drawn=manifest.special_ids.never_sampled,
                constrains=constrains,
                clamps=clamps,
                reader=reader,
            )
            _warm_up(decoder, manifest.special_ids.start)
            return decoder


@contextmanager
def every_fault_an_artifact_error(path: Path) -> Iterator[None]:
    """Whatever a library raises for a model is a fault of that model and of no other one."""
    try:
        yield
    except (ArtifactError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        raise NotRunnable(path, error) from error


def _warm_up(decoder: Decoder, start_id: int) -> None:
    """Run a batch of one and one of several, and read.

    No large one: onnxruntime keeps what its largest run took, 30 MB with a large vocabulary, and a
    model that few ask never needs it (decision 036).
    """
    row = Row.start(decoder.row_shape)
    for num_rows in (1, min(2, decoder.capacity)):
        for slot in range(num_rows):
            decoder.load(slot, row, Sampling(seed=0))
        forced_KB = np.full((2, num_rows), -1, np.int64)
        forced_KB[0] = start_id
        num_steps_B = np.full(num_rows, 2)
        decoder.burst(Burst(np.arange(num_rows), forced_KB, num_steps_B, num_steps_B == 0))
        decoder.next_tokens(np.arange(num_rows))
    read_KB = np.full((2, 1), start_id, np.int64)
    decoder.burst(Burst(np.array([0]), read_KB, np.array([2]), np.array([True])))
