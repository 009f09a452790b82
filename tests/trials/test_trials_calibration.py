"""Crashes do to stores of known weakness what they are known to do: no more, and no less."""

import os

import pytest

from benchmarks.calibration import LOST, TABLE, UNREADABLE, Way, measured, told, worse
from sessionproof.faults.crashes.states import MODELS
from sessionproof.faults.tracing.strace import why_not

traced = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
OFTEN = ("SQLite, WAL, FULL", "JSON, rewritten in place", "JSON, renamed, not synced")
EVERYTHING = "SESSIONPROOF_DEEP" in os.environ
LINES = [line for line in TABLE if EVERYTHING or line.what in OFTEN]
MOST = 2_000 if EVERYTHING else 60


@traced
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what)
def test_each_store_is_bad_in_the_way_it_is_known_for(line):
    """A store loses, halves or breaks what its way of writing does, under each crash model."""
    cells = measured(line.store, most=MOST)
    wrong = [text for text, fits in told(line, cells) if not fits]
    assert not wrong, "\n".join(wrong)
    assert [*cells] == [*MODELS]
    for cell in cells.values():
        assert cell.judged == min(MOST, cell.existing)


def test_what_is_expected_can_fail():
    """A way that is missing, and one that nobody expected, is a difference."""
    assert Way().fits(frozenset())
    assert not Way().fits(frozenset({LOST}))
    assert not worse(LOST).fits(frozenset({UNREADABLE}))
    assert not Way(frozenset({LOST})).fits(frozenset({LOST, UNREADABLE}))
    assert worse(LOST).fits(frozenset({LOST, UNREADABLE}))


def test_often_lines_are_of_the_table():
    """What each change tries is a part of what the night tries."""
    assert set(OFTEN) <= {line.what for line in TABLE}
