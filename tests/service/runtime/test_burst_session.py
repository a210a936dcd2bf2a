"""When what runs bursts is loaded."""

import gc
import weakref
from functools import partial

import pytest

from service.runtime.burst_session import BurstSession, LazySession
from service.runtime.onnx_session import load_session
from tests.service.runtime.test_burst import GRAPHS, burst_decoder


def test_what_holds_rows_is_loaded_when_it_is_needed(monkeypatch):
    """Once: it has the weights once more. A decoder that cannot hold rows says so."""
    loaded = []

    def counted(content, **more):
        loaded.append(content)
        return load_session(content, **more)

    monkeypatch.setattr("service.runtime.burst_session.load_session", counted)
    decoder = burst_decoder(GRAPHS["lstm"], capacity=1, constrains=True)
    assert 1 == len(loaded)
    for _ in range(2):
        decoder.prepare_to_hold()
    assert 2 == len(loaded)
    with pytest.raises(ValueError, match="no rows"):
        burst_decoder(GRAPHS["lstm"], capacity=1).prepare_to_hold()


def test_what_has_loaded_a_session_is_let_go():
    """It holds the whole model once more."""

    class Maker:
        def load(self) -> BurstSession:
            return burst_decoder(GRAPHS["lstm"], capacity=1)._session

    maker = Maker()
    lazy, known = LazySession(partial(Maker.load, maker)), weakref.ref(maker)
    del maker
    assert known() is not None

    assert lazy.get() is lazy.get()

    gc.collect()
    assert known() is None
