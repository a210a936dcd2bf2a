"""The command line, from typing to the store."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest

from service.artifacts.store import ModelStore
from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training.cli import command_line, main
from training.runs import tensorboard
from training.runs.checkpoints import Checkpoint

TINY = """
name = "tiny"
[corpus]
path = {text!r}
[model]
hidden_size = 16
embedding_size = 8
[training]
epochs = 1
batch_size = 8
window = 16
"""


@pytest.fixture
def config_file(text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config, in an empty folder that is also the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(text=str(text_file)), encoding="utf-8")
    return path


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The error message of a command that must fail."""
    assert main([str(argument) for argument in arguments]) == 1
    return capsys.readouterr().err


def test_run_from_a_config(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text to store in one command; again it is version 2; version 1 cannot be had twice."""
    assert main(["run", str(config_file), "--store", "store", "--seed", "3"]) == 0
    output = capsys.readouterr().out
    assert "published tiny@1" in output
    assert all(name in output for name in ("uniform", "unigram", "5-gram", "gzip -9", "xz"))
    assert documented("needs fewer bits than the model: it has not learned yet") in output
    readme = Path("store/tiny/1/README.md").read_text(encoding="utf-8")
    assert re.search(r"^\| 5-gram \| \d\.\d{4} \|$", readme, re.M)
    assert "needs fewer bits than the model: it has not learned yet" in readme
    artifact = ModelStore(Path("store")).verify("tiny", 1)
    assert artifact.manifest.provenance.seed == 3

    assert main(["publish", "--run-dir", "runs/tiny", "--store", "store"]) == 0
    assert ModelStore(Path("store")).versions("tiny") == [1, 2]
    error = complaint(
        capsys, "run", config_file, "--run-dir", "other", "--store", "store", "--version", "1"
    )
    assert "store/tiny/1 exists, and a version is never overwritten" in error
    assert not Path("other").exists(), "it should have been told before training"


def test_run_on_a_text_of_ones_own(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No config needed."""
    monkeypatch.chdir(tmp_path)
    command = ["run", "--text", str(text_file), "--name", "mine", "--epochs", "1"]
    assert main([*command, "--store", "store"]) == 0
    manifest = ModelStore(Path("store")).verify("mine", 1).manifest
    assert manifest.provenance.corpus.name == "sentences.txt"
    assert manifest.precision == "int8"


def test_parts(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """evaluate, sample and export of a finished run."""
    run_dir = str(tiny_run.folder.path)
    measure = ["evaluate", "--run-dir", run_dir, "--checkpoint", "last"]
    assert main([*measure, "--dynamic", "0.1", "--cache", "50"]) == 0
    output = capsys.readouterr().out
    assert "stateful" in output
    assert output.count("adapts to") == 2
    words = ["sample", "--run-dir", run_dir, "--prompt", "A [b]lamp中", "--num-tokens", "9"]
    assert main(words) == 0
    captured = capsys.readouterr()
    output = captured.out
    assert output.startswith("A [b]lamp中")
    assert len(output) == len("A [b]lamp中") + 9 + len("\n")
    assert "'中'" in captured.err
    for precision, kind in (("float32", "MatMul"), ("int8", "MatMulInteger")):
        path = tmp_path / f"{precision}.onnx"
        command = ["export", "--run-dir", run_dir, "--output", str(path), "--precision", precision]
        assert main(command) == 0
        assert kind in {node.op_type for node in onnx.load(path).graph.node}


def test_a_published_model_writes_and_reads(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drawn, searched for, several at once; and measured on another text, place by place."""
    assert main(["run", str(config_file), "--store", "store"]) == 0
    capsys.readouterr()
    words = ["sample", "--model", "tiny", "--store", "store", "--prompt", "A ", "--num-tokens", "9"]
    assert main([*words, "--seed", "4", "--num-samples", "2", "--top-k", "5"]) == 0
    output = capsys.readouterr().out
    assert "seed 4" in output
    assert "seed 5" in output
    assert main([*words, "--temperature", "0"]) == 0
    greedy = capsys.readouterr().out
    assert main([*words, "--beams", "1"]) == 0
    assert capsys.readouterr().out == greedy
    assert "--top-k does nothing with --beams" in complaint(
        capsys, *words, "--beams", "2", "--top-k", "3"
    )
    other = tmp_path / "other.txt"
    other.write_text("The lamp Ω the lamp.", encoding="utf-8")
    measure = ["evaluate", "--model", "tiny@1", "--store", "store", "--text"]
    assert main([*measure, str(other), "--places", "2"]) == 0
    output = capsys.readouterr().out
    assert "tiny@1 on other.txt" in output
    assert "20 characters" in output
    assert "<unk>" in output
    other.write_text("x", encoding="utf-8")
    assert "too short to be measured" in complaint(capsys, *measure, other)
    assert "--model needs --text" in complaint(capsys, *measure[:-1])
    error = complaint(capsys, *measure, other, "--cache", "5")
    assert "--cache needs a checkpoint" in error
    for ref in ("none", "tiny@2", "tiny@x"):
        error = complaint(capsys, "sample", "--store", "store", "--model", ref)
        assert f"no model '{ref}' in the model store store; there are: tiny@1" in error


def test_compare(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What differs, what came of it, and a picture; a folder without a run is named."""
    run_dir = str(tiny_run.folder.path)
    other = tmp_path / "other"
    command = ["train", "--text", str(tiny_run.config.corpus.path), "--name", "m", "--epochs", "1"]
    assert main([*command, "--run-dir", str(other)]) == 0
    capsys.readouterr()
    picture = tmp_path / "c.png"
    assert main(["compare", run_dir, str(other), "--by", "minutes", "--output", str(picture)]) == 0
    output = capsys.readouterr().out
    assert re.search(r"training.epochs\W+2\W+1\W", output)
    assert re.search(r"model.hidden_size\W+16\W+256\W", output)
    assert "model.num_layers" not in output
    assert "best validation loss" in output
    assert picture.read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "none").mkdir()
    assert "there is no checkpoint" in complaint(capsys, "compare", tmp_path / "none")
    (other / "metrics.jsonl").unlink()
    assert "nothing has been measured" in complaint(capsys, "compare", other)


def test_gradients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture, and a line for each architecture."""
    picture = tmp_path / "g.png"
    sizes = ["--hidden-size", "16", "--num-steps", "30"]
    assert main(["gradients", "--output", str(picture), *sizes]) == 0
    assert capsys.readouterr().out.count("half of the gradient is gone after") == 3
    assert picture.exists()


def test_find_lr(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure and a picture; no run folder is made."""
    assert main(["find-lr", str(config_file), "--output", "lr.png"]) == 0
    output = capsys.readouterr().out
    found = re.search(r"fell fastest at (\S+) and was lowest at (\S+):", output)
    assert found is not None
    assert 1e-4 < float(found[1]) <= float(found[2]) < 1.0
    assert (tmp_path / "lr.png").read_bytes()[:4] == b"\x89PNG"
    assert not (tmp_path / "runs").exists()
    error = complaint(capsys, "find-lr", config_file, "--num-steps", "5")
    assert "over after 5 steps" in error


def test_resume_finishes_and_publishes(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run --resume` of a trained run needs no config and goes straight to publishing."""
    assert main(["train", str(config_file)]) == 0
    capsys.readouterr()
    assert main(["run", "--resume", "--name", "tiny", "--store", "store"]) == 0
    assert "published tiny@1" in capsys.readouterr().out
    described = config_file.with_name("described.toml")
    described.write_text('description = "new"\n' + config_file.read_text("utf-8"), "utf-8")
    assert main(["run", str(described), "--resume", "--store", "store"]) == 0
    assert ModelStore(Path("store")).verify("tiny", 2).manifest.description == "new"
    assert "holds a run already" in complaint(capsys, "train", config_file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "nothing to train: name a text, like lstm-train run my.txt"),
        (["train", "--text", "t.txt"], "cannot read text t.txt: No such file"),
        (["train", "--text", "t.txt", "--name", "m"], "cannot read text t.txt: No such file"),
        (["train", "none.toml"], "cannot read config none.toml"),
        (["train", "--resume"], "--resume needs a config, --run-dir or --name"),
        (["train", "--resume", "--run-dir", "r", "--epochs", "2"], "--epochs cannot be changed"),
        (["train", "--resume", "--run-dir", "r"], "there is no checkpoint r/last.pt"),
        (["evaluate", "--run-dir", "r"], "there is no checkpoint r/best.pt"),
        (["train", "tiny.toml", "--epochs", "0"], "training.epochs: Input should be greater"),
        (["train", "tiny.toml", "--name", "No"], "name: String should match pattern"),
        (["train", "tiny.toml", "--run-dir", "tiny.toml/x"], "cannot make tiny.toml/x"),
    ],
)
def test_mistakes_are_named(
    config_file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit status 1, one line, no traceback."""
    error = complaint(capsys, *arguments)
    assert error.startswith("lstm-train: ")
    assert message in error


def test_mistakes_on_a_run(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another name, another text, a folder that is not there."""
    run_dir = tiny_run.folder.path
    error = complaint(capsys, "train", "--resume", "--run-dir", run_dir, "--name", "other")
    assert "--name other: the run's model is 'tiny'" in error
    other = tmp_path / "other.txt"
    other.write_text("x" * 5_000, encoding="utf-8")
    error = complaint(capsys, "evaluate", "--run-dir", run_dir, "--text", other)
    assert "the run was trained on sentences.txt" in error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["trian"],
        ["run", "c.toml", "--epoch", "3"],
        ["run", "c.toml", "--version", "0"],
        ["run", "c.toml", "--threads", "none"],
        ["train", "c.toml", "--store", "s"],
        ["sample", "--run-dir", "r", "--seed", "-1"],
        ["sample", "--run-dir", "r", "--num-tokens", "0"],
        ["sample", "--run-dir", "r", "--top-p", "1.5"],
        ["sample", "--run-dir", "r", "--model", "m"],
        ["sample"],
        ["sample", "--run-dir", "r", "--data", "d"],
    ],
)
def test_wrong_command_lines_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options are not abbreviated and not ignored."""
    assert main(arguments) == 2
    assert "lstm-train" in capsys.readouterr().err


def test_help_explains_every_verb_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    """No verb and no option without a word about it; examples to begin with."""
    assert main(["--help"]) == 0
    assert "lstm-train run my.txt" in capsys.readouterr().out
    app = command_line()
    verbs = {name for name in app if not name.startswith("-")}
    made = {"run", "train", "export", "publish", "revise", "inspect", "look", "doctor"}
    assert verbs == made | {"evaluate", "sample", "compare", "find-lr", "sweep", "gradients"}
    for verb in verbs:
        assert app[verb].help
        shown = [argument for argument in app[verb].assemble_argument_collection() if argument.show]
        assert [] == [argument.name for argument in shown if not argument.parameter.help]
        assert main([verb, "--help"]) == 0
        page = capsys.readouterr().out
        assert [] == [argument.name for argument in shown if argument.name not in page]


def test_threads_option(tiny_run: TinyRun) -> None:
    """Passed on to torch."""
    import torch

    assert main(["sample", "--run-dir", str(tiny_run.folder.path), "--threads", "1"]) == 0
    assert torch.get_num_threads() == 1


def test_tensorboard_option(config_file: Path) -> None:
    """Event files beside the checkpoints."""
    pytest.importorskip("tensorboard")
    assert main(["train", str(config_file), "--tensorboard"]) == 0
    assert list(Path("runs/tiny/tensorboard").glob("events*"))
    assert tensorboard.TensorBoardLog.__doc__


def test_best_checkpoint_is_the_default(tiny_run: TinyRun) -> None:
    """The one with the lowest validation loss."""
    best = Checkpoint.load(tiny_run.folder.best).position
    last = Checkpoint.load(tiny_run.folder.last).position
    assert best.step == last.best_step
    assert best.best_loss == last.best_loss
