import pytest
from pydantic import ValidationError

from service.settings import Settings, UnknownSetting, refuse_unknown_environment


def test_settings_come_from_the_environment(monkeypatch):
    """With our prefix; lists are split at commas."""
    monkeypatch.setenv("LSTM_SERVE_PORT", "9000")
    monkeypatch.setenv("LSTM_SERVE_MODELS", "a, b@2,")

    settings = Settings()

    assert (9000, ("a", "b@2")) == (settings.port, settings.models)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("MAX_ROWS", "0"),
        ("GRACE_PERIOD_S", "inf"),
        ("LOG_FORMAT", "xml"),
        ("HOST", ""),
        ("HOST", " "),
        ("MODEL_STORE", ""),
    ],
)
def test_a_bad_value_stops_the_start_by_name(monkeypatch, name, value):
    """Nothing is guessed."""
    monkeypatch.setenv(f"LSTM_SERVE_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_setting_that_does_not_exist_is_named(monkeypatch):
    """A typo is not ignored."""
    refuse_unknown_environment()
    monkeypatch.setenv("LSTM_SERVE_MAX_ROW", "3")

    with pytest.raises(UnknownSetting, match="LSTM_SERVE_MAX_ROW is not a setting"):
        refuse_unknown_environment()
