"""lstm-serve key new."""

import re

import pytest

from service.access.keys import digest_of, parse_keys
from service.access.limits import Limits
from service.cli import main


def test_the_entry_is_for_the_settings_and_the_key_for_a_person(capsys):
    """On channels of their own: `lstm-serve key new NAME >> keys` shows the key and keeps none."""
    limits = ["--requests", "60", "--tokens", "5000", "--streams", "4"]
    words = ["key", "new", "alice", *limits, "--metrics", "--text"]
    assert 0 == main(words)

    told = capsys.readouterr()
    [key] = parse_keys(told.out)
    [shown] = re.findall(r"lstm-[0-9a-f]{64}", told.err)
    assert shown not in told.out
    assert (digest_of(shown.encode()), "alice") == (key.digest, key.name)
    assert (Limits(60, 5000, 4), {"text", "metrics"}) == (key.limits, key.scopes)


@pytest.mark.parametrize("words", [["a:b"], ["n" * 33], ["a", "--tokens", "0"], ["a", "--x"], []])
def test_what_is_no_name_or_limit_makes_no_key(capsys, words):
    """Exit status 2, and nothing for the settings."""
    status: str | int | None
    try:
        status = main(["key", "new", *words])
    except SystemExit as error:
        status = error.code

    told = capsys.readouterr()
    assert (2, "") == (status, told.out)
    assert "lstm-serve" in told.err
