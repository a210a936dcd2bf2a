from pathlib import Path

import pytest

from service.cli import main
from tests import tiny_model


def test_models_lists_the_store(tmp_path, capsys):
    """Every version with its figures; a broken one says why, and the exit code too."""
    tiny_model.publish(tmp_path)
    broken = tiny_model.publish(tmp_path, version=2)
    capsys.readouterr()
    (broken / "model.onnx").unlink()

    code = main(["models", "--model-store", str(tmp_path)])

    lines = capsys.readouterr().out.splitlines()
    assert (1, 3) == (code, len(lines))
    assert lines[1].split()[0] == "tiny@1"
    assert lines[1].endswith("ok")
    assert "model.onnx: is missing" in lines[2]


def test_a_store_that_cannot_be_read_is_one_line(tmp_path, capsys, monkeypatch):
    """For both commands."""
    tiny_model.publish(tmp_path)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for command in ("models", "serve"):
        assert 1 == main([command, "--model-store", str(tmp_path)])
        told = capsys.readouterr()
        assert ("", f"lstm-serve: {tmp_path}: cannot be read: Permission denied\n") == told


def test_an_empty_store_is_an_error(tmp_path, capsys):
    """It says which folder."""
    assert 1 == main(["models", "--model-store", str(tmp_path)])
    assert f"{tmp_path} holds no models" in capsys.readouterr().err


def test_a_bad_setting_is_named_on_both_ways_in(capsys):
    """Its variable and its option, exit code 2."""
    assert 2 == main(["serve", "--port", "x"])
    assert "LSTM_SERVE_PORT (--port): " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "healthcheck"])
def test_an_empty_host_is_not_every_address(command, monkeypatch, capsys):
    """It would be open to everybody by mistake."""
    monkeypatch.setenv("LSTM_SERVE_HOST", "")

    assert 2 == main([command])
    error = capsys.readouterr().err
    assert error.startswith("lstm-serve: LSTM_SERVE_HOST (--host): is empty")
    assert 1 == error.count("\n")


def test_the_first_help_shows_examples(capsys):
    """And the commands, each with a word."""
    with pytest.raises(SystemExit):
        main(["--help"])
    page = capsys.readouterr().out

    assert "lstm-serve serve --models names --port 9000" in page
    assert "List the store;" in page


def test_without_a_command_there_is_help_and_exit_code_2(capsys):
    """On the channel of errors."""
    assert 2 == main([])
    commands = "serve,generate,models,bench,doctor,healthcheck,capsule,replay,key"
    assert f"{{{commands}}}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["bogus"], ["serve", "--prt", "3"], ["models", "--port", "3"], ["serve", "--port"]],
)
def test_wrong_command_lines_exit_with_2(words, capsys):
    """Unknown commands, options, options of another command, missing values."""
    with pytest.raises(SystemExit) as left:
        main(words)

    assert 2 == left.value.code
    assert "lstm-serve" in capsys.readouterr().err


def test_an_option_goes_before_the_environment(monkeypatch, capsys, tmp_path):
    """And the environment before the default."""
    monkeypatch.setenv("LSTM_SERVE_MODEL_STORE", str(tmp_path / "named"))
    assert 1 == main(["models"])
    assert str(tmp_path / "named") in capsys.readouterr().err
    assert 1 == main(["models", "--model-store", str(tmp_path / "option")])
    assert str(tmp_path / "option") in capsys.readouterr().err


def test_a_shell_can_complete(capsys):
    """The script knows commands and options."""
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out

    assert "healthcheck" in script
    assert "--max-rows" in script


def test_help_is_shown_to_who_has_misspelt_a_variable(monkeypatch, capsys):
    """The message about the variable points at this help."""
    monkeypatch.setenv("LSTM_SERVE_PRT", "9000")
    with pytest.raises(SystemExit) as left:
        main(["serve", "--help"])

    assert 0 == left.value.code
    assert "LSTM_SERVE_PORT" in capsys.readouterr().out
    assert 2 == main(["models"])
    assert "LSTM_SERVE_PRT is not a setting" in capsys.readouterr().err
