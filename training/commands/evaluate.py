"""evaluate: how well a model knows a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from cyclopts import Parameter
from pydantic import Field, model_validator

from service.artifacts.store import Artifact, ModelStore
from training.batches.shares import Shares
from training.batches.token_files import Ids
from training.commands.arguments import (
    MODEL_STORE,
    BadBytes,
    CheckpointOrModel,
    DataFolder,
    Encoding,
    Flat,
    Natural,
    Options,
    Positive,
    Process,
)
from training.commands.given import require_there
from training.commands.idle import refuse_idle
from training.commands.make import checkpoint_of
from training.commands.piped import at_hand, tell
from training.commands.status import DONE
from training.corpora.corpus import HeldOutPart
from training.corpora.decoded import Decoding
from training.corpora.opened import shown
from training.errors import ConfigError, CorpusError
from training.evaluation.adapting import cache_loss, dynamic_loss
from training.evaluation.losses import Loss
from training.export.step_graph import able_to_write
from training.models.language_model import LanguageModel
from training.pipeline import compare_with_yardsticks, corpus_of, evaluate_checkpoint
from training.publishing.candidate import HeldOut
from training.runs.run_folder import RunFolder, require_same_text
from training.served.step_model import StepModel, find_published, read_as_trained
from training.served.surprise import surprises
from training.tables import losses_table, meaning_of, surprises_table
from training.yardsticks.archivers import pack

Rate = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Measures(Options):
    """What is measured on which text."""

    text: Annotated[
        Path | None,
        Parameter(
            help="with --model: the text to measure (- is standard input); with --run-dir: where "
            "its text lies now, if it was moved",
            metavar="FILE",
            allow_leading_hyphen=True,
        ),
    ] = None
    encoding: Encoding = None
    errors: BadBytes = None
    part: Annotated[
        HeldOutPart | None,
        Parameter(
            help="with --run-dir: which of the parts that were not trained on (default: validation)"
        ),
    ] = None
    data: DataFolder = None
    places: Annotated[
        Natural | None,
        Parameter(
            help="with --model: show so many of the most surprising places (default: 10)",
            metavar="N",
        ),
    ] = None
    dynamic: Annotated[
        Rate | None,
        Parameter(
            help="with --run-dir: also let it go on learning from the text as it reads, at this "
            "learning rate, like 0.1 (dynamic evaluation)",
            metavar="LR",
        ),
    ] = None
    cache: Annotated[
        Positive | None,
        Parameter(
            help="with --run-dir: also let it look back at its last N tokens (neural cache)",
            metavar="N",
        ),
    ] = None
    cache_flatness: Annotated[
        Rate | None,
        Parameter(help="of --cache: how much likeness counts (default: 0.3)", metavar="F"),
    ] = None
    cache_weight: Annotated[
        Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None,
        Parameter(help="of --cache: how much it is heeded (default: 0.1)", metavar="W"),
    ] = None

    @model_validator(mode="after")
    def _for_a_text(self) -> Self:
        for field in ("encoding", "errors"):
            if field in self.named and self.text is None:
                raise ValueError(f"--{field} does nothing without --text")
        return self


def evaluate(
    *,
    of: Annotated[CheckpointOrModel, Flat] = CheckpointOrModel(),
    measures: Annotated[Measures, Flat] = Measures(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Tell how well a model knows a text that it was not trained on."""
    refuse_idle(of.named | measures.named)
    with at_hand(measures.text, process) as text:
        return _evaluate(of, measures.model_copy(update={"text": text}), process)


def _evaluate(of: CheckpointOrModel, measures: Measures, process: Process) -> int:
    if of.model is not None:
        artifact = find_published(ModelStore(of.store or MODEL_STORE), of.model)
        return _evaluate_published(artifact, measures, process)
    run_dir = of.required_run_dir
    checkpoint = checkpoint_of(run_dir, of.checkpoint or "best")
    folder = RunFolder(run_dir)
    text = measures.text or folder.text_of(checkpoint.identity)
    waiting = process.waiting
    corpus = corpus_of(checkpoint.identity, measures.data, text, waiting)
    tell([*corpus.notes, *corpus.remarks], process.console)
    part = measures.part or "validation"
    require_same_text(checkpoint.identity, corpus)
    tokens = folder.tokens(checkpoint.identity, corpus, waiting)
    held_out = HeldOut.of(part, corpus, tokens, checkpoint.identity.tokenizer)
    with waiting.during("measuring"):
        losses = evaluate_checkpoint(checkpoint, corpus, folder, part)
        losses |= _adapting_losses(checkpoint.model(), held_out.ids, measures)
    name, step = checkpoint.identity.config.name, checkpoint.position.step
    process.console.print(
        losses_table(f"{name}, step {step:,}, {part} text", losses, held_out.shares)
    )
    stateful = losses["stateful"]
    compare_with_yardsticks(checkpoint, corpus, folder, part, stateful, process.console)
    return DONE


def _adapting_losses(model: LanguageModel, ids: Ids, measures: Measures) -> dict[str, Loss]:
    losses = {}
    if (rate := measures.dynamic) is not None:
        name = f"dynamic, rate {rate:g}: adapts to this text"
        losses[name] = dynamic_loss(model, ids, learning_rate=rate)
    if (size := measures.cache) is not None:
        flatness, weight = measures.cache_flatness, measures.cache_weight
        losses[f"cache of {size:,}: adapts to this text"] = cache_loss(
            able_to_write(model),
            ids,
            size=size,
            flatness=0.3 if flatness is None else flatness,
            weight=0.1 if weight is None else weight,
        )
    return losses


def _evaluate_published(artifact: Artifact, measures: Measures, process: Process) -> int:
    if measures.text is None:
        raise ConfigError("--model needs --text: which text is to be measured?")
    require_there(measures.text)
    model = StepModel.of_artifact(artifact)
    tokenizer = model.tokenizer
    are_items, waiting = tokenizer.special_ids.start_before_prompt, process.waiting
    decoding = Decoding(measures.encoding or "utf-8", measures.errors or "strict")
    with waiting.during("reading the text") as work:
        texts = list(work.over(read_as_trained(artifact, measures.text, decoding)))
    tell(decoding.notes, process.console)
    num_characters = sum(map(len, texts))
    with waiting.during("tokens of the text", num_characters) as work:
        pieces = tokenizer.encode_all(work.over(texts), are_items=are_items)
        ids = np.concatenate([np.zeros(0, np.int64), *pieces])
    if len(ids) < 2 or num_characters == 0:
        raise CorpusError(f"{shown(measures.text)} is too short to be measured")
    num_places = 10 if measures.places is None else measures.places
    with waiting.during("measuring"):
        loss, places = surprises(model, ids, num_places)
        shares = Shares.of(ids, num_characters, tokenizer.special_ids.unknown)
    console, title = process.console, f"{model.name} on {shown(Path(measures.text.name))}"
    console.print(losses_table(title, {"stateful": loss}, shares))
    bits = shares.bits_per_character(loss.nats)
    packed = pack(texts, are_items=are_items)
    of_what = "" if packed.is_all else f" (of its first {packed.num_characters:,})"
    console.print(
        f"{num_characters:,} characters, {bits:.4f} bits per character "
        f"({meaning_of('bits/character')}); gzip -9 needs "
        f"{packed.gzip_bits:.4f} and xz {packed.xz_bits:.4f}{of_what}",
        highlight=False,
        soft_wrap=True,
    )
    if places:
        console.print(surprises_table(places))
    return DONE
