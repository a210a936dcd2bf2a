"""What the command line refuses before any work is done, and what it does where nothing is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.manifest import MANIFEST_FILE
from service.settings import Settings
from tests.tiny_model import publish
from tests.training.tiny import TinyRun
from training.cli import main

BIDIRECTIONAL = """
name = "both"
[corpus]
path = {text!r}
[model]
hidden_size = 8
embedding_size = 8
num_layers = 1
bidirectional = true
[training]
epochs = 1
batch_size = 8
window = 16
"""
OF_MODEL = ["--model", "m"]
OF_RUN = ["--run-dir", "r"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", *OF_MODEL, "--length-penalty", "0.6"], "nothing without --beams"),
        (["sample", *OF_MODEL, "--beams", "2", "--seed", "0"], "nothing with --beams"),
        (["sample", *OF_MODEL, "--beams", "2", "--min-p", "0"], "nothing with --beams"),
        (["sample", *OF_MODEL, "--checkpoint", "best"], "nothing with --model"),
        (["sample", *OF_RUN, "--store", "model_store"], "nothing with --run-dir"),
        (["evaluate", *OF_MODEL, "--checkpoint", "last"], "nothing with --model"),
        (["evaluate", *OF_MODEL, "--data", "d"], "nothing with --model"),
        (["evaluate", *OF_MODEL, "--cache-weight", "0.1"], "a checkpoint: --run-dir, not --model"),
        (["evaluate", *OF_MODEL, "--dynamic", "0"], "a checkpoint: --run-dir, not --model"),
        (["evaluate", *OF_RUN, "--cache-weight", "0"], "nothing without --cache"),
        (["evaluate", *OF_RUN, "--cache-flatness", "0.3"], "nothing without --cache"),
        (["evaluate", *OF_RUN, "--places", "0"], "nothing with --run-dir"),
        (["evaluate", *OF_RUN, "--store", "model_store"], "nothing with --run-dir"),
    ],
)
def test_an_option_that_does_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """By name, also where it says what would be done without it."""
    assert main(arguments) == 1
    option = arguments[-2]
    assert re.fullmatch(rf"lstm-train: {option} (does|needs) {message}\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    "verb",
    ["run", "train", "find-lr", "sweep", "evaluate", "publish", "train --resume"],
)
def test_a_folder_of_named_corpora_is_no_place_for_a_text(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """`--data` says where to look for names; a text with a path has none."""
    text = tiny_run.config.corpus.path
    config = tmp_path / "c.toml"
    config.write_text(f"name = 'c'\n[corpus]\npath = {text!r}\n", encoding="utf-8")
    sweep = tmp_path / "s.toml"
    sweep.write_text(
        "config = 'c.toml'\nnum_trials = 2\n[space]\n'model.hidden_size' = { choices = [8, 9] }\n",
        "utf-8",
    )
    rest = {"sweep": [str(sweep)]} | {key: [str(config)] for key in ("run", "train", "find-lr")}
    words = [*verb.split(), *rest.get(verb, ["--run-dir", str(tiny_run.folder.path)])]
    assert main([*words, "--data", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert (
        error == f"lstm-train: --data is for named corpora, it does nothing for the text {text}\n"
    )


def test_defaults_stand_where_nothing_is_named(
    tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seed 0, the best checkpoint, and the cache's weight and flatness, as `--help` tells them."""
    run_dir = ["--run-dir", str(tiny_run.folder.path)]
    shown = []
    for command in (
        ["sample", *run_dir, "--num-tokens", "9"],
        ["sample", *run_dir, "--num-tokens", "9", "--seed", "0", "--checkpoint", "best"],
        ["evaluate", *run_dir, "--cache", "20"],
        ["evaluate", *run_dir, "--cache", "20", "--cache-flatness=0.3", "--cache-weight=0.1"],
    ):
        assert main(command) == 0
        shown.append(capsys.readouterr().out)
    assert (shown[0], shown[2]) == (shown[1], shown[3])


@pytest.mark.parametrize("defaults", [{}, {"temperature": 0.4, "top_k": 7, "min_p": 0.01}])
@pytest.mark.parametrize("named", [{}, {"temperature": 1.3, "top_k": 3}])
def test_a_published_model_samples_by_its_own_defaults(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    defaults: dict[str, float],
    named: dict[str, float],
) -> None:
    """Without any, by the server's: it is the text that is served for the same seed."""
    manifest = publish(tmp_path) / MANIFEST_FILE
    content = json.loads(manifest.read_text(encoding="utf-8")) | {"defaults": defaults}
    manifest.write_text(json.dumps(content), encoding="utf-8")
    command = ["sample", "--model", "tiny", "--store", str(tmp_path), "--prompt", "Once "]
    for option, value in named.items():
        command += [f"--{option.replace('_', '-')}", str(value)]
    assert main([*command, "--num-tokens", "60", "--seed", "5"]) == 0
    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        ask = {"prompt": "Once ", "max_tokens": 60, "seed": 5} | named
        served = client.post("/generate", json=ask).json()["text"]
    assert capsys.readouterr().out == f"Once {served}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", *OF_RUN, "--beams", "abc"], "--beams: Input should be a valid integer"),
        (["sample", *OF_RUN, "--seed", "1.5"], "--seed: Input should be a valid integer"),
        (["train", "c.toml", "--epochs", "x"], "--epochs: Input should be a valid integer"),
        (["sample", *OF_RUN, "--top-p", "p"], "--top-p: Input should be a valid number"),
        (["sample", *OF_RUN, "--top-p", "nan"], "--top-p: Input should be a finite number"),
        (["compare", "r", "--output", "x.xyz"], "--output: 'x.xyz' does not end in .png or .pdf"),
        (["find-lr", "c.toml", "--output", "x"], "--output: 'x' does not end in .png or .pdf"),
        (["gradients", "--output", "png"], "--output: 'png' does not end in .png or .pdf"),
    ],
)
def test_wrong_values_are_told_in_words(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Before anything is read, with the option's name."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lstm-train: {message}")
    assert error.endswith(f"; see lstm-train {arguments[0]} --help\n")


@pytest.mark.parametrize(("name", "begins"), [("g.pdf", b"%PDF"), ("g.PNG", b"\x89PNG")])
def test_pictures_are_what_their_names_say(tmp_path: Path, name: str, begins: bytes) -> None:
    """For print, and for the screen."""
    picture = tmp_path / name
    command = ["gradients", "--output", str(picture), "--hidden-size", "4", "--num-steps", "5"]
    assert main(command) == 0
    assert picture.read_bytes()[:4] == begins


def test_run_refuses_what_cannot_be_published_before_it_trains(
    text_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the words of the export; `train` trains it, and `run --resume` refuses that run too."""
    monkeypatch.chdir(tmp_path)
    Path("both.toml").write_text(BIDIRECTIONAL.format(text=str(text_file)), encoding="utf-8")
    assert main(["run", "both.toml", "--store", "store"]) == 1
    refused = capsys.readouterr().err
    assert not Path("runs").exists()

    assert main(["train", "both.toml"]) == 0
    capsys.readouterr()
    assert main(["run", "--resume", "--run-dir", "runs/both", "--store", "store"]) == 1
    assert capsys.readouterr().err == refused
    assert main(["publish", "--run-dir", "runs/both", "--store", "store"]) == 1
    assert capsys.readouterr().err == refused
    assert refused.startswith("lstm-train: model.bidirectional: ")


def test_a_prompt_may_begin_with_a_hyphen(
    tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists and dialogues do."""
    run = ["sample", "--run-dir", str(tiny_run.folder.path), "--num-tokens", "5"]
    assert main([*run, "--prompt", "- a"]) == 0
    assert capsys.readouterr().out.startswith("- a")


def test_seeds_end_somewhere(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]) -> None:
    """The last one is said, not shown as a traceback."""
    run = ["sample", "--run-dir", str(tiny_run.folder.path), "--num-samples", "2"]
    assert main([*run, "--seed", str(2**63 - 1)]) == 1
    assert "--seed and --num-samples go beyond 2^63-1" in capsys.readouterr().err
