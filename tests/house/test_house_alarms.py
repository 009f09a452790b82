"""The book of runs that were to raise no alarm."""

from dataclasses import replace

from benchmarks.false_alarms import REFERENCE, Entry, due, read, told

ONE = Entry("2026-01-02", "abc", REFERENCE, 1, 5, 1_800.0, {"holds": 9}, (), ())


def test_no_alarm_is_in_the_book():
    """Whoever sees one mends the check, or the store, and writes the run anew."""
    assert [one for one in read() if one.broken] == []


def test_the_reference_and_all_others_take_turns():
    """And among the others whoever has least."""
    stores = [REFERENCE, "a", "b"]
    assert due([], stores) == REFERENCE
    assert due([ONE], stores) == "a"
    assert due([ONE, replace(ONE, store="a", seeds=4)], stores) == "b"
    both = [ONE, replace(ONE, store="a", seeds=4), replace(ONE, store="b")]
    assert due(both, stores) == REFERENCE
    assert due(both, ["a", "b"]) == "a"
    assert due([ONE], [REFERENCE]) == REFERENCE


def test_what_the_book_says():
    """Runs, hours, what was broken and what could not be told."""
    other = replace(ONE, store="x:Store", seeds=2, broken=("CORE-01",), unknown=("PERF-01",))
    assert list(told([ONE, ONE, other])) == [
        "the reference: 10 gate runs of 1 stores in 1.0 hours, 0 false alarms, "
        "0 times could not tell ({})",
        "benign stores: 2 gate runs of 1 stores in 0.5 hours, 1 false alarms, "
        "1 times could not tell ({'PERF-01': 1})",
        "  broken: x:Store CORE-01",
    ]
