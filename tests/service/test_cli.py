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


def test_an_empty_store_is_an_error(tmp_path, capsys):
    """It says which folder."""
    assert 1 == main(["models", "--model-store", str(tmp_path)])
    assert f"{tmp_path} holds no models" in capsys.readouterr().err


def test_a_bad_setting_is_named_on_both_ways_in(capsys):
    """Its variable and its option, exit code 2."""
    assert 2 == main(["serve", "--port", "x"])
    assert "LSTM_SERVE_PORT (--port): " in capsys.readouterr().err
