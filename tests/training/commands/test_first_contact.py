"""The first minutes: what is typed does what it looks like, or is told what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App

from service.artifacts.store import ModelStore
from tests.training.documented import documented
from tests.training.tiny import TinyRun, sentences
from training.cli import command_line, main
from training.commands.arguments import Source
from training.commands.given import name_of, told_apart
from training.commands.planned import config_and_corpus
from training.errors import ConfigError, TrainingError

VERBS = [name for name in command_line() if not name.startswith("-")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a command that fails."""
    capsys.readouterr()
    assert main(list(words)) in (1, 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def write(path: Path, num_characters: int = 6_000) -> Path:
    """A text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sentences(num_characters), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("my.txt", "my"),
        ("My Poems.TXT", "my-poems"),
        ("Über [old].txt.gz", "uber-old"),
        ("v1.2 notes.txt", "v1-2-notes"),
        ("folder/", "folder"),
        ("x" * 90, "x" * 64),
    ],
)
def test_a_text_by_itself_is_trained_on_and_named_after(folder: Path, path: str, name: str) -> None:
    """Whatever stands in the name of its file, a model can be called so."""
    file = folder / path
    write(file / "a.txt" if path.endswith("/") else file)
    config, source = told_apart(Path(path), Source())
    assert config is None
    assert source.text == Path(path)
    assert name_of(source) == name


def test_run_with_a_text_does_what_it_looks_like(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text to store; `--text` does the same; a run can be resumed by its text too."""
    write(folder / "mine.txt")
    assert main(["run", "mine.txt", "--epochs", "1", "--store", "store"]) == 0
    assert ModelStore(folder / "store").versions("mine") == [1]
    assert main(["run", "mine.txt", "--resume", "--store", "store"]) == 0
    assert ModelStore(folder / "store").versions("mine") == [1, 2]
    capsys.readouterr()
    assert main(["train", "--text", "mine.txt", "--epochs", "1", "--run-dir", "other"]) == 0
    assert "\nmine: " in capsys.readouterr().out


def test_a_config_is_still_a_config(folder: Path) -> None:
    """By its ending in any case; `--text` beside it stands for its text."""
    text = write(folder / "t.txt")
    for name in ("c.toml", "C.TOML"):
        Path(name).write_text('name = "c"\n[corpus]\npath = "none.txt"\n', encoding="utf-8")
        config, corpus = config_and_corpus(Path(name), Source(text=text))
        assert (config.name, corpus.name) == ("c", "t.txt")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "txt"], "there is no txt, neither a text nor a config: did you mean text.txt?"),
        (["run", "zzz"], "neither a text nor a config: this folder holds c.toml, text.txt"),
        (["run", "no/my.txt"], "neither a text nor a config: there is no folder no"),
        (["run", "text.txt", "--text", "o.txt"], "two texts, text.txt and --text o.txt: give one"),
        (["run", "--text", "txt"], "cannot read text txt: No such file or directory; did you mean"),
        (
            ["run", "c.toml", "--text", "no/t"],
            "text no/t: No such file or directory; there is no f",
        ),
        (["train", "--text", "zzz"], "No such file or directory; this folder holds c.toml, text."),
        (["run", "c.toml", "--precision", "bf16"], "not 'bf16': did you mean bfloat16?"),
        (["run", "text.txt", "--items", "line"], "not 'line': did you mean lines?"),
        (["run", "诗.txt"], "what is the model of 诗.txt to be called?"),
        (["run", "cc.toml"], "No such file or directory; did you mean c.toml?"),
        (["run", "no/c.toml"], "No such file or directory; there is no folder no"),
        (["run"], "nothing to train: name a text, like lstm-train run my.txt"),
        (["run", "text.txt", "--resume", "--items", "lines"], "--items cannot be changed"),
        (["text.txt"], "to train on text.txt: lstm-train run text.txt"),
        (["trian", "text.txt"], "there is no command trian: did you mean train?"),
        (["xyz"], "there is no command xyz: look, run, train, evaluate"),
        (["run", "text.txt", "--epoch", "3"], "there is no option --epoch: did you mean --epochs?"),
        (["sample", "--modle", "m"], "there is no option --modle: did you mean --model?"),
        (["sample", "--modle=m"], "there is no option --modle: did you mean --model?"),
        (["export", "--run-dri", "r"], "there is no option --run-dri: did you mean --run-dir?"),
        (["--vresion"], "there is no option --vresion: did you mean --version?"),
        (["sample", "m"], "what is m, a model or a training? --model m or --run-dir m"),
        (["run", "text.txt", "o.txt"], "o.txt: run takes nothing more without an option's name"),
        (["sample", "--model"], "--model needs a value"),
        (["export", "--run-dir", "r"], "export needs --output"),
    ],
)
def test_what_was_meant_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """Before any work, in one line."""
    write(folder / "text.txt")
    Path("c.toml").write_text('name = "c"\n[corpus]\npath = "text.txt"\n', encoding="utf-8")
    if "诗.txt" in words:
        write(folder / "诗.txt")
    said = error_of(capsys, *words)
    assert said.startswith("lstm-train: ")
    assert message in said
    assert not Path("runs").exists()


def test_a_value_is_no_misspelt_option(
    tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prompt may look like one."""
    run_dir = str(tiny_run.folder.path)
    words = ["sample", "--run-dir", run_dir, "--num-tokens", "1", "--prompt", "--sed"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("--sed")


@pytest.mark.parametrize(
    ("option", "kind", "num_items"),
    [("lines", "lines", 12), ("blank-line", "paragraphs", 4), ("paragraphs", "paragraphs", 4)],
)
def test_items_of_a_file(folder: Path, option: str, kind: str, num_items: int) -> None:
    """In the words of the command line; with a config too."""
    part = "\n".join([sentences(500).replace("\n", " ")] * 3)
    (folder / "t.txt").write_text("\n\n".join([part] * 4), encoding="utf-8")
    (folder / "c.toml").write_text('name = "c"\n[corpus]\npath = "t.txt"\n', encoding="utf-8")
    for given in ("t.txt", "c.toml"):
        _, bound, _ = command_line().parse_args(["run", given, "--items", option])
        config, corpus = config_and_corpus(Path(given), bound.arguments["source"])
        assert config.corpus.items == kind
        assert corpus.has_items
        assert len([*corpus.train, *corpus.validation]) == num_items


def test_each_file_can_be_an_item(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole, with its blank lines; empty ones are none; a single one is too few."""
    for n in range(5):
        text = sentences(1_000 + n)
        (folder / f"{n}.txt").write_text(f"{text}\n\n{text}", encoding="utf-8")
    (folder / "empty.txt").write_text("\n", encoding="utf-8")
    config, corpus = config_and_corpus(folder, Source(items="files", name="poet"))
    items = [*corpus.train, *corpus.validation]
    expected = [(folder / f"{n}.txt").read_text("utf-8").strip("\n") for n in range(5)]
    assert (config.corpus.items, items) == ("files", expected)
    write(folder / "one" / "a.txt")
    said = error_of(capsys, "train", "one", "--items", "files")
    assert "one holds only one file; at least two are needed" in said


def test_items_that_do_not_go_with_a_config_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the config's own check."""
    Path("c.toml").write_text(
        'name = "c"\n[corpus]\npath = "t.jsonl"\nformat = "jsonl"\n', encoding="utf-8"
    )
    said = error_of(capsys, "train", "c.toml", "--items", "lines")
    assert "items = 'lines' does not go with format 'jsonl'" in said
    assert folder.exists()


WRITERS = {
    "export": ["export", "--run-dir", "r"],
    "compare": ["compare", "r"],
    "find-lr": ["find-lr", "c.toml"],
    "gradients": ["gradients"],
}


def has_output(app: App, verb: str) -> bool:
    """Whether it writes a file that it is told of; `inspect` makes a folder."""
    arguments = app[verb].assemble_argument_collection()
    return verb != "inspect" and any("--output" in argument.names for argument in arguments)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if has_output(command_line(), verb)])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nodir/f.png", documented("there is no such folder: mkdir -p nodir")),
        ("no dir/f.png", "there is no such folder: mkdir -p 'no dir'"),
        ("file/f.png", "is not a folder"),
        ("folder.png", documented("is a folder: name a file in it")),
    ],
)
def test_where_nothing_can_be_written_is_said_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str], verb: str, output: str, message: str
) -> None:
    """Of each command that writes a file."""
    Path("file").touch()
    Path("folder.png").mkdir()
    said = error_of(capsys, *WRITERS.get(verb, [verb, "file"]), "--output", output)
    assert said.startswith("lstm-train: --output: ")
    assert message in said
    assert {path.name for path in folder.iterdir()} == {"file", "folder.png"}


def test_a_missing_model_names_the_store_and_what_is_in_it(
    tiny_run: TinyRun, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the one that is spelt like it; or that there is no store."""
    wanted = ["sample", "--store", "st", "--model"]
    said = error_of(capsys, *wanted, "tiny")
    assert documented("there is no model store") + " st; see --store" in said
    run_dir = str(tiny_run.folder.path)
    assert main(["publish", "--run-dir", run_dir, "--store", "st"]) == 0
    said = error_of(capsys, *wanted, "tny")
    assert "no model 'tny' in the model store st; there are: tiny@1: did you mean tiny?" in said
    said = error_of(capsys, *wanted, "tiny@7")
    assert said.endswith("in the model store st; there are: tiny@1\n")
    assert folder.exists()


@pytest.mark.parametrize(
    ("runs", "asked", "message"),
    [
        ([], "runs/mine", "there is no run here"),
        (["runs/mine", "runs/other"], "runs/xyz", "the runs here: runs/mine, runs/other"),
        (["runs/mine", "runs/other"], "nowhere/at/all", "the runs here: runs/mine, runs/other"),
        (["runs/mine", "runs/other"], "runs/miin", "did you mean the run runs/mine?"),
        (["runs/mine"], "mine", "did you mean the run runs/mine?"),
        (["runs/mine"], "runs", "the runs here: runs/mine"),
    ],
)
def test_a_missing_run_names_those_that_are_there(
    folder: Path, capsys: pytest.CaptureFixture[str], runs: list[str], asked: str, message: str
) -> None:
    """For whatever is done with a run."""
    for run in runs:
        (folder / run).mkdir(parents=True)
        for name in ("best.pt", "last.pt"):
            (folder / run / name).touch()
    for verb in ("sample", "evaluate", "publish"):
        said = error_of(capsys, verb, "--run-dir", asked)
        assert f"there is no checkpoint {asked}/best.pt; {message}" in said
    said = error_of(capsys, "compare", asked)
    assert f"there is no checkpoint {asked}/last.pt; {message}" in said
    said = error_of(capsys, "train", "--resume", "--run-dir", asked)
    assert f"there is no checkpoint {asked}/last.pt; {message}" in said


def test_a_run_without_a_best_moment_says_which_checkpoint_there_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was stopped before it was measured."""
    (folder / "r").mkdir()
    (folder / "r" / "last.pt").touch()
    said = error_of(capsys, "sample", "--run-dir", "r")
    assert "there is no checkpoint r/best.pt; r holds last.pt: see --checkpoint" in said


def test_names_that_steer_a_terminal_do_not(folder: Path) -> None:
    """A file's name is a stranger's."""
    (folder / "a\x1b[31m.txt").touch()
    with pytest.raises(ConfigError) as refusal:
        told_apart(Path("zzz"), Source())
    assert "\x1b" not in str(refusal.value)
    assert issubclass(ConfigError, TrainingError)
