"""A history is judged in parts, by search where one is needed, and said of as one."""

from dataclasses import replace
from itertools import permutations

import pytest
from histories import history

from sessionproof.checks import history as module
from sessionproof.checks.history import judge_history, together
from sessionproof.checks.incidents import Judged
from sessionproof.contract.claims import Claims

CLAIMS = Claims(
    atomic_batches=True, consistency="linearizable", handles="threads", missing_session="refuses"
)
LINES = (
    "1 append a 0-1",
    "1 clear 2-3",
    "1 read -> a 4-5",
    "2 append b 0-1 @t",
    "2 read -> 2-3 @t",
    "9 final read -> b 20-21 @t",
    "3 clear 0-1 @u",
    "3 read -> x 2-3 @u",
)


def test_what_is_wrong_in_each_part_is_told():
    """In the sessions that were searched, and in those that were judged together."""
    judged = judge_history(history(*LINES), CLAIMS)
    assert {one.session for one in judged.incidents} == {0, 1, 2}


@pytest.mark.parametrize("start", [None, 5])
@pytest.mark.parametrize("atomic", [True, False])
def test_a_search_is_asked_with_what_the_store_claims(start, atomic, monkeypatch):
    """Each session with its rows and its share of the time."""
    asked = []

    def remembered(_history, session, **how):
        asked.append((session, {**how, "rows": list(how["rows"])}))
        return Judged()

    monkeypatch.setattr(module, "judge_session", remembered)
    claims = replace(CLAIMS, seq_start=start, atomic_batches=atomic)
    judge_history(history(*LINES), claims, limit_s=3.0)
    how = {"creates": False, "limit_s": 1.5, "atomic": atomic, "start": start}
    assert asked == [(0, {**how, "rows": [0, 1, 2]}), (2, {**how, "rows": [6, 7]})]


@pytest.mark.parametrize("levels", [*permutations(["linearizable", "session", "none"], 2)])
def test_the_weakest_level_of_the_parts_is_that_of_all(levels):
    """In whatever order they are told."""
    weakest = max(levels, key=["linearizable", "session", "none"].index)
    assert together([Judged(level=level) for level in levels]).level == weakest
