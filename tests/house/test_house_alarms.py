"""The book of runs that were to raise no alarm."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from benchmarks import false_alarms
from benchmarks.false_alarms import REFERENCE, Entry, Turns, due, read, told
from fixtures.known_weak import owned_up
from fixtures.registry import benign_stores
from sessionproof.contract.guarantees import GUARANTEES

ONE = Entry("2026-01-02", "abc", REFERENCE, 1, 5, 1_800.0, {"holds": 9}, (), ())


def test_no_alarm_is_in_the_book():
    """Whoever sees one mends the check, or the store, and writes the run anew."""
    assert [one for one in read() if one.broken] == []


def test_the_reference_and_all_others_take_turns():
    """And among the others whoever has least; each with seeds that it has not had."""
    stores = [REFERENCE, "a", "b"]
    assert due([], stores) == (REFERENCE, 1)
    assert due([ONE], stores) == ("a", 1)
    assert due([ONE, replace(ONE, store="a", seeds=4)], stores) == ("b", 1)
    both = [ONE, replace(ONE, store="a", seeds=4), replace(ONE, store="b")]
    assert due(both, stores) == (REFERENCE, 6)
    assert due(both, ["a", "b"]) == ("a", 5)
    assert due([ONE], [REFERENCE]) == (REFERENCE, 6)


def test_nobody_judges_what_another_one_judges(tmp_path, monkeypatch):
    """What is under way counts as done, and each turn is a line of the book."""
    both, book = Barrier(3), tmp_path / "book.jsonl"

    def judged(store, first, seeds, workers):
        both.wait(10)
        return replace(ONE, store=store, first=first, seeds=seeds)

    monkeypatch.setattr(false_alarms, "_judged", judged)
    monkeypatch.setattr(false_alarms, "monotonic_s", lambda: len(turns.entries))
    turns = Turns([REFERENCE, "a", "b"], 2, book)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(turns.take, 1, 1)
    seen = sorted((one.store, one.first) for one in read(book))
    assert seen == [("a", 1), (REFERENCE, 1), (REFERENCE, 3)]


@pytest.mark.parametrize("store", benign_stores())
def test_a_store_owns_up_to_rows_that_there_are(store):
    """Whether it is a class or a function."""
    assert owned_up(store) <= set(GUARANTEES)


def test_what_the_book_says():
    """Runs, hours, what was broken and what could not be told."""
    other = replace(
        ONE, store="x:Store", seeds=2, python="3.13", broken=("CORE-01",), unknown=("PERF-01",)
    )
    assert list(told([ONE, ONE, other])) == [
        "the reference: 10 gate runs of 1 stores in 1.0 hours, on Python 3.11, 0 false alarms, "
        "0 times could not tell ({})",
        "benign stores: 2 gate runs of 1 stores in 0.5 hours, on Python 3.13, 1 false alarms, "
        "1 times could not tell ({'PERF-01': 1})",
        "  broken: x:Store CORE-01",
    ]
