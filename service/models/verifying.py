"""Whether a version is what was published, and computes here what it should."""

from __future__ import annotations

import numpy as np

from service.artifacts.errors import ArtifactError, NotRunnable
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.models.checked import CheckedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.decoder import Burst, Decoder
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph

_NUM_READ = 96
_NUM_ROWS = 3
_TOLERANCE = 1e-3
"""Of logits and states: other sums of the same numbers differ by some 1e-6 a step."""


class Disagrees(ArtifactError):
    """The graph that serves does not compute what the model's own graph does."""


def verify_version(store: ModelStore, reference: Reference) -> CheckedModel:
    """Check every byte and the graph, and run a sample both as it is served and step by step.

    Raises:
        ArtifactError: Something is wrong; the message says what.
    """
    model = CheckedModel.of(store, reference)
    served = model.decoder(capacity=_NUM_ROWS, num_threads=1)
    manifest = model.artifact.manifest
    path = model.artifact.folder / manifest.model_file
    step = StepGraph(
        model.artifact.read(manifest.model_file),
        state_names=[tensor.name for tensor in manifest.state],
    )
    plain = StepwiseDecoder(
        step,
        capacity=_NUM_ROWS,
        end_id=manifest.special_ids.end,
        never_drawn=manifest.special_ids.never_sampled,
    )
    draws = np.random.default_rng(0)
    ids_TB = draws.integers(0, manifest.vocabulary_size, (_NUM_READ, _NUM_ROWS))
    ids_TB[0] = manifest.special_ids.start
    for found, wanted in zip(_rows(served, ids_TB), _rows(plain, ids_TB), strict=True):
        for name in ("state_W", "logits_V"):
            difference = np.abs(getattr(found, name) - getattr(wanted, name)).max()
            if not difference <= _TOLERANCE:  # nor is NaN
                raise Disagrees(
                    path, f"as it is served, its {name} differs by {difference:.1e} from its own"
                )
    return model


def verify_all(store: ModelStore, wanted: Reference | None) -> list[tuple[Reference, str | None]]:
    """Each version, or those of a name, or one: with what is wrong, or None.

    Raises:
        Unreadable: The store cannot be read.
    """
    names = [wanted.name] if wanted is not None else store.names()
    found: list[tuple[Reference, str | None]] = []
    for name in names:
        versions = store.versions(name)
        if wanted is not None and wanted.version is not None:
            versions = [wanted.version] if wanted.version in versions else []
        for version in versions:
            reference = Reference(name, version)
            found.append((reference, _fault(store, reference)))
    return found


def _fault(store: ModelStore, reference: Reference) -> str | None:
    try:
        verify_version(store, reference)
    except ArtifactError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is a fault of the model
        return str(NotRunnable(store.folder(reference.name, reference.version or 0), error))
    return None


def _rows(decoder: Decoder, ids_TB: Int64) -> list[Row]:
    """What rows are after they have read these tokens."""
    slot_B = np.arange(_NUM_ROWS)
    for slot in range(_NUM_ROWS):
        decoder.load(slot, Row.start(decoder.row_shape), Sampling(seed=slot))
    num_steps_B = np.full(_NUM_ROWS, len(ids_TB))
    decoder.burst(Burst(slot_B, ids_TB, num_steps_B, num_steps_B > 0))
    return [decoder.save(slot) for slot in range(_NUM_ROWS)]
