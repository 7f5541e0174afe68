"""Listeners: every change, in order, whatever a listener does."""

import threading

from rtnmf.live.listeners import Listeners


def test_a_listener_that_fails_is_logged_and_stops_nobody(caplog):
    """An exception of a listener is logged, and the others are told all the same."""
    listeners, seen = Listeners(), []
    listeners.add(lambda _: 1 / 0)
    listeners.add(seen.append)
    listeners.note("change")
    listeners.tell()
    assert seen == ["change"]
    assert "ZeroDivisionError" in caplog.text


def test_a_change_made_by_a_listener_comes_after_the_one_before():
    """What a listener changes is told to all when all know of the change before."""
    listeners, seen = Listeners(), []

    def change_again(number):
        if number < 3:
            listeners.note(number + 1)
            listeners.tell()

    listeners.add(change_again)
    listeners.add(seen.append)
    listeners.note(1)
    listeners.tell()
    assert seen == [1, 2, 3]


def test_changes_of_several_threads_come_one_at_a_time_and_none_is_lost():
    """Changes of several threads are told once each, those of a thread in their order, and never two at a time."""
    listeners, seen, inside = Listeners(), [], []

    def listen(*change):
        inside.append(1)
        seen.append(change)
        assert len(inside) == 1
        inside.pop()

    def change(thread):
        for number in range(500):
            listeners.note(thread, number)
            listeners.tell()

    listeners.add(listen)
    threads = [threading.Thread(target=change, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(thread, number) for thread in range(4) for number in range(500)]
    assert all([n for t, n in seen if t == thread] == list(range(500)) for thread in range(4))


def test_a_listener_that_was_removed_hears_no_more():
    """The function that `add` returns removes that listener, also when it is called twice."""
    listeners, seen = Listeners(), []
    remove = listeners.add(seen.append)
    remove()
    remove()
    listeners.note(1)
    listeners.tell()
    assert seen == []
