"""Meetings: clients that wait for each other a moment."""

from __future__ import annotations

from threading import Thread

import pytest

from sessionproof.workload.meeting import OfProcesses, of_threads, prepared


def _meets(kind, clients, tmp_path):
    if kind == "threads":
        meet = of_threads(clients)
        return [meet] * clients, lambda: None
    path = prepared(tmp_path / "meetings", clients)
    places = [OfProcesses(path, at) for at in range(clients)]
    return [place.meet for place in places], lambda: [place.close() for place in places]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_nobody_goes_on_before_all_have_come(kind, tmp_path, monkeypatch):
    """What each does before a meeting comes before what any does after it."""
    monkeypatch.setattr("sessionproof.workload.meeting.LONGEST_S", 60.0)
    meets, close = _meets(kind, 3, tmp_path)
    done: list[int] = []

    def work(meet):
        for turn in range(20):
            done.append(turn)
            assert meet()

    threads = [Thread(target=work, args=(meet,)) for meet in meets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close()
    assert done == sorted(done)
    assert len(done) == 60


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_who_waits_in_vain_meets_nobody_any_more(kind, tmp_path):
    """A client that hangs, or is slow, holds the others up once."""
    (one, two), close = _meets(kind, 2, tmp_path)
    assert not one()
    if kind == "threads":
        assert not two()
    else:
        assert two()  # the other does not come, and is not waited for
    close()


def test_a_client_that_has_gone_is_not_waited_for(tmp_path):
    """A process that came to its end leaves the others to themselves."""
    path = prepared(tmp_path / "meetings", 2)
    one, two = OfProcesses(path, 0), OfProcesses(path, 1)
    two.close()
    assert one.meet()
    one.close()
    one.close()
