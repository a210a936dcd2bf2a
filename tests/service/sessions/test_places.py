"""The setting that says where sessions are kept."""

from pathlib import Path

import pytest

from service.sessions.places import is_redis, path_of, shown


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("memory://", None),
        ("sqlite:////var/s.db", Path("/var/s.db")),
        ("sqlite:///s.db", Path.cwd() / "s.db"),
        ("sqlite:///~/s.db", Path.home() / "s.db"),
    ],
)
def test_a_url_names_a_file(url, path):
    """Absolute with four slashes; of the working directory and of one's home otherwise."""
    assert path == path_of(url)


def test_without_a_path_it_is_in_the_platforms_data_folder():
    """Under a name of ours."""
    path = path_of("sqlite://")

    assert path is not None
    assert ("lstm-serve", "sessions.sqlite3") == (path.parent.name, path.name)


@pytest.mark.parametrize(
    "url", ["", "sqlite", "sqlite:/x", "sqlite://x", "redis://x/0", "memory://x"]
)
def test_what_is_no_place_is_refused(url):
    """By what there is."""
    with pytest.raises(ValueError, match="none of memory://"):
        path_of(url)


def test_a_redis_is_named_by_a_url():
    """In the clear or not; its password is shown to nobody."""
    for url in ("redis://localhost:6379/0", "rediss://host", "unix:///run/redis.sock"):
        assert is_redis(url)
        assert url == shown(url)
    assert not is_redis("sqlite:///redis")
    assert "redis://***@host:6379/1" == shown("redis://me:se%40cret@host:6379/1")
