"""The command line of `lstm-train`: what can be written, not what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.commands.argument_types import (
    PICTURES,
    between,
    natural,
    picture,
    positive,
    whole_number,
)

_EXAMPLES = """\
examples:
  lstm-train run training/configs/shakespeare.toml       one published model, start to end
  lstm-train run --text my.txt --name mine               a text of your own, no config needed
  lstm-train run --resume --run-dir runs/mine            go on after Ctrl-C, kill or power cut
  lstm-train sample --run-dir runs/mine --prompt "Once"  look at what it writes
  lstm-train evaluate --model mine --text other.txt      how well it knows another text
"""

DEFAULTS: dict[str, Any] = {
    "checkpoint": "best",
    "store": Path("model_store"),
    "places": 10,
    "cache_flatness": 0.3,
    "cache_weight": 0.1,
    "seed": 0,
    "length_penalty": 0.6,
}
"""Of evaluate and sample; here they are None, so that `look.py` can refuse what is named in vain,
before it fills them in."""
_READ_CORPORA = ("run", "train", "evaluate", "find-lr", "sweep", "publish")


def argument_parser() -> argparse.ArgumentParser:
    """The parser; the parsed namespace holds the verb as `command`."""
    parser = argparse.ArgumentParser(
        prog="lstm-train",
        description="Train a recurrent language model and publish it into a model store.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="VERB")

    run = _verb(verbs, "run", "train, evaluate, export, quantise and publish")
    _add_training(run)
    _add_store(run)

    _add_training(_verb(verbs, "train", "train only"))

    evaluate = _verb(verbs, "evaluate", "measure a checkpoint, or a published model on any text")
    _add_checkpoint_or_model(evaluate)
    evaluate.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="with --model: what to measure; with --run-dir: where the corpus lies now",
    )
    evaluate.add_argument(
        "--part",
        choices=("validation", "test"),
        help="with --run-dir: which held-out part of the corpus (default: validation)",
    )
    evaluate.add_argument(
        "--places",
        type=natural,
        metavar="N",
        help="with --model: show so many of the most surprising places (default: 10)",
    )
    evaluate.add_argument(
        "--dynamic",
        type=between(0.0, 100.0),
        metavar="LR",
        help="with --run-dir: also let it learn from the text as it reads (dynamic evaluation)",
    )
    evaluate.add_argument(
        "--cache",
        type=positive,
        metavar="N",
        help="with --run-dir: also with a neural cache of the last N tokens",
    )
    evaluate.add_argument(
        "--cache-flatness", type=between(0.0, 100.0), metavar="F", help="default: 0.3"
    )
    evaluate.add_argument(
        "--cache-weight", type=between(0.0, 1.0), metavar="W", help="default: 0.1"
    )

    sample = _verb(verbs, "sample", "let a checkpoint or a published model write")
    _add_checkpoint_or_model(sample)
    _add_sampling(sample)

    export = _verb(verbs, "export", "write the step graph of a checkpoint as an ONNX file")
    _add_checkpoint(export)
    export.add_argument("--output", type=Path, required=True, metavar="FILE")
    export.add_argument(
        "--precision", choices=("float32", "int8"), default="float32", help="default: float32"
    )

    compare = _verb(
        verbs, "compare", "put runs side by side: a table, and a picture of their curves"
    )
    compare.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN_DIR",
        help="the first is what others stand beside",
    )
    _add_picture(compare, "compare.png")
    compare.add_argument(
        "--by", choices=("epoch", "step", "minutes"), default="epoch", help="default: epoch"
    )

    find = _verb(verbs, "find-lr", "raise the learning rate until the loss explodes, and draw that")
    _add_what_to_train(find)
    _add_picture(find, "find-lr.png")
    find.add_argument("--num-steps", type=positive, default=150, metavar="N", help="default: 150")

    sweep = _verb(verbs, "sweep", "search for better hyper-parameters by many short runs")
    sweep.add_argument("sweep", type=Path, metavar="SWEEP", help="a TOML file: what to search")
    sweep.add_argument(
        "--dir", type=Path, metavar="DIR", help="study and report (default: runs/NAME-sweep)"
    )
    sweep.add_argument(
        "--num-trials", type=positive, metavar="N", help="instead of the file's num_trials"
    )

    gradients = _verb(verbs, "gradients", "draw how far gradients reach back: RNN, GRU and LSTM")
    _add_picture(gradients, "gradients.png")
    gradients.add_argument(
        "--hidden-size", type=positive, default=128, metavar="H", help="default: 128"
    )
    gradients.add_argument(
        "--num-steps", type=positive, default=200, metavar="T", help="default: 200"
    )

    publish = _verb(verbs, "publish", "export, measure, gate and publish a checkpoint")
    _add_checkpoint(publish)
    publish.add_argument(
        "--text", type=Path, metavar="FILE", help="where the text lies now, if it was moved"
    )
    _add_store(publish)
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    if name in _READ_CORPORA:
        parser.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            help="where named corpora are kept (default: $LSTM_TRAIN_DATA or ~/.cache/lstm-train)",
        )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: torch's choice)"
    )
    return parser


def _add_what_to_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file")
    parser.add_argument(
        "--text",
        type=Path,
        metavar="PATH",
        help="a file or folder like the config's corpus (by itself: UTF-8 text), instead of it",
    )
    parser.add_argument("--name", help="name of the model, instead of the config's")


def _add_training(parser: argparse.ArgumentParser) -> None:
    _add_what_to_train(parser)
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="checkpoints and metrics (default: runs/NAME)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--epochs", type=whole_number, metavar="N", help="instead of training.epochs"
    )
    parser.add_argument("--seed", type=whole_number, metavar="N", help="instead of training.seed")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        help="instead of training.precision",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write event files into RUN_DIR/tensorboard"
    )


def _add_checkpoint_or_model(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run-dir", type=Path, metavar="DIR", help="a run's checkpoint")
    which.add_argument("--model", metavar="NAME[@N]", help="a model of the store")
    _add_choice_of_checkpoint(parser)
    _add_store_folder(parser)
    parser.set_defaults(checkpoint=None, store=None)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt", metavar="TEXT", help="instead of sample.prompt")
    parser.add_argument(
        "--num-tokens", type=positive, metavar="N", help="instead of sample.num_tokens"
    )
    parser.add_argument(
        "--temperature",
        type=between(0.0, 10.0),
        metavar="T",
        help="instead of the config's or the model's own; 0 takes the most probable token",
    )
    parser.add_argument("--top-k", type=positive, metavar="K", help="of the K most probable only")
    parser.add_argument(
        "--top-p", type=between(1e-6, 1.0), metavar="P", help="of the fewest that hold P"
    )
    parser.add_argument(
        "--min-p", type=between(0.0, 1.0), metavar="P", help="of those near the best one only"
    )
    parser.add_argument("--seed", type=natural, metavar="N", help="default: 0")
    parser.add_argument(
        "--num-samples", type=positive, metavar="N", help="write so many, from seed on (default 1)"
    )
    parser.add_argument(
        "--beams", type=positive, metavar="N", help="search for the most probable text instead"
    )
    parser.add_argument(
        "--length-penalty",
        type=between(0.0, 10.0),
        metavar="A",
        help="of --beams: 0 prefers short texts (default: 0.6)",
    )


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR")
    _add_choice_of_checkpoint(parser)


def _add_choice_of_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        choices=("best", "last"),
        default=DEFAULTS["checkpoint"],
        help="lowest validation loss, or newest (default: best)",
    )


def _add_store_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        type=Path,
        default=DEFAULTS["store"],
        metavar="DIR",
        help="default: model_store",
    )


def _add_store(parser: argparse.ArgumentParser) -> None:
    _add_store_folder(parser)
    parser.add_argument(
        "--version",
        type=positive,
        metavar="N",
        help="default: the next free one; a published version is never overwritten",
    )


def _add_picture(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--output",
        type=picture,
        default=Path(default),
        metavar="FILE",
        help=f"{' or '.join(PICTURES)} (default: {default})",
    )
