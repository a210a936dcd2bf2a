import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.rows.prefix_cache import PrefixCache
from service.rows.row import Row, RowShape


def _row(num_tokens: int) -> Row:
    row = Row.start(RowShape(4, 3))
    return Row(row.state_W, row.logits_V, row.present_V, row.generated_V, num_tokens)


def _num_common(one, other) -> int:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same


_TEXT = st.lists(st.integers(0, 2), min_size=1, max_size=9)


@settings(deadline=None)
@given(kept=st.lists(st.tuples(st.sampled_from("xy"), _TEXT), max_size=15), asked=_TEXT)
def test_the_longest_beginning_is_found(kept, asked):
    """Whatever was kept in whatever order, and never across salts."""
    cache = PrefixCache(1 << 20, min_tokens=1)
    rows: dict[tuple[str, tuple[int, ...]], Row] = {}
    for salt, text in kept:
        rows.setdefault((salt, tuple(text)), _row(len(text)))
        cache.put(salt, np.array(text), rows[salt, tuple(text)])

    found = cache.find("x", np.array(asked))

    others = [text for salt, text in kept if salt == "x"]
    begins = [text for text in others if asked[: len(text)] == text]
    longest: list[int] = max(begins, key=len, default=[])
    assert found.row is (rows["x", tuple(longest)] if longest else None)
    assert len(longest) == found.num_read
    assert max((_num_common(text, asked) for text in others), default=0) == found.num_shared
    assert len(rows) == cache.num_rows


@settings(deadline=None)
@given(
    steps=st.lists(st.tuples(st.booleans(), st.sampled_from("xy"), _TEXT), max_size=60),
    most=st.integers(1, 6),
)
def test_the_least_recently_used_goes(steps, most):
    """Against a plain list; in the end nothing is left of what was dropped."""
    row_bytes = _row(1).num_bytes
    cache = PrefixCache(10**9, min_tokens=1)
    recent: list[tuple[str, tuple[int, ...]]] = []
    for puts, salt, text in steps:
        key = (salt, tuple(text))
        if puts:
            cache.put(salt, np.array(text), _row(len(text)))
            if key in recent:
                recent.remove(key)
            recent.append(key)
        else:
            found = cache.find(salt, np.array(text))
            if found.row is not None:
                used = (salt, tuple(text[: found.num_read]))
                recent.remove(used)
                recent.append(used)
    assert cache.num_bytes >= len(recent) * row_bytes
    while len(recent) > most:
        cache._drop(*cache._recent.popitem(last=False))
        recent.pop(0)
    for salt, text in recent:
        assert cache.find(salt, np.array(text)).num_read == len(text)
    while cache._recent:
        cache._drop(*cache._recent.popitem(last=False))
    assert (0, {}) == (cache.num_bytes, cache._roots)


def test_memory_is_bounded():
    """A thousand prompts leave no more than fit."""
    cache = PrefixCache(20_000, min_tokens=1)
    for n in range(1000):
        cache.put("", np.array([n % 7, n % 11, n % 13, n]), _row(4))
        assert cache.num_bytes <= 20_000

    assert 5 < cache.num_rows < 50
    assert 4 == cache.find("", np.array([999 % 7, 999 % 11, 999 % 13, 999])).num_read


@pytest.mark.parametrize(("max_bytes", "num_tokens"), [(0, 50), (1 << 20, 15), (100, 50)])
def test_what_is_not_worth_it_is_not_kept(max_bytes, num_tokens):
    """Nothing at all, short texts, and what does not fit."""
    cache = PrefixCache(max_bytes)
    cache.put("", np.zeros(num_tokens, np.int64), _row(num_tokens))

    assert (0, 0) == (cache.num_rows, cache.num_bytes)
    assert cache.find("", np.zeros(num_tokens, np.int64)).row is None
