"""Who sleeps at the door, and who wakes them."""

from __future__ import annotations

import threading
from typing import NoReturn

from service.engine.inbox import Cancel, Inbox
from service.engine.stream import TokenStream
from tests.waiting import wait_for


def cancel() -> Cancel:
    """Any command."""

    def never(*_: object) -> NoReturn:
        raise AssertionError

    return Cancel(TokenStream(0, never, never, never))


def test_whoever_wakes_a_sleeper_says_so_at_that_moment():
    """In the waker's thread: it is told even of one that does not get up."""
    inbox = Inbox(max_requests=1, max_tokens=1)
    woken_in: list[threading.Thread] = []
    sleeper = threading.Thread(
        target=inbox.wait,
        args=[inbox.version, 30, lambda: woken_in.append(threading.current_thread())],
    )
    sleeper.start()
    wait_for(lambda: inbox._sleeping, "a thread that sleeps")
    assert inbox.post(cancel())
    sleeper.join(30)

    assert [threading.current_thread()] == woken_in


def test_who_gets_up_by_itself_is_woken_by_nobody():
    """A sleep that was long enough."""
    inbox = Inbox(max_requests=1, max_tokens=1)
    woken: list[None] = []
    inbox.wait(inbox.version, 0.01, lambda: woken.append(None))
    assert inbox.post(cancel())

    assert [] == woken
