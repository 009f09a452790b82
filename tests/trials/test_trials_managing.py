"""The trials of session managers: what they need, what they count, and what they say."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from fixtures.benign.managed import Manager
from fixtures.benign.managing import ManagesInSqlite, SharesByContent, WritesInSteps
from fixtures.mutants.managing import IsKnownByMd5
from fixtures.mutants.managing_lives import (
    ManagesWholeSeconds,
    MixesClocks,
    ReadsDelete,
    WritesEachAccess,
)
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.trials.managing import cleanup_cost, ends, facts, inputs, lives
from sessionproof.trials.managing.course import Course
from sessionproof.trials.managing.moves import Line, Move, laid_out
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import PROFILES

ROWS = {
    "MGR-01": inputs.named,
    "MGR-02": facts.created,
    "MGR-03": facts.changed,
    "MGR-04": facts.new_until_answered,
    "MGR-05": facts.counted,
    "MGR-06": ends.slid,
    "MGR-07": ends.cleaned,
    "MGR-08": ends.looked,
    "MGR-12": inputs.refused,
    "MGR-13": cleanup_cost.flat,
    "MGR-14": facts.removed,
}
CORRECT = (ManagesInSqlite, WritesInSteps, SharesByContent)


class ByTheMachine(ManagesInSqlite):
    """A manager whose clock nobody sets."""

    def __init__(self, location):
        super().__init__(location)


def broken(row, trial):
    """The finding of a row's trial."""
    with pytest.raises(Broken) as raised:
        ROWS[row](trial)
    return raised.value.finding


@pytest.mark.parametrize("row", [row for row in ROWS if row != "MGR-13"])
@pytest.mark.parametrize("store", CORRECT)
def test_a_correct_manager_has_its_evidence(row, store, trial_of):
    """At least as much as the row needs."""
    trial = trial_of(row, store, profile=PROFILES["smoke"])
    ROWS[row](trial)
    assert trial.examined[GUARANTEES[row].unit] >= GUARANTEES[row].least


@pytest.mark.parametrize("store", CORRECT)
def test_the_clean_up_of_a_correct_manager_is_timed(store, trial_of):
    """On a busy machine too few rounds may be calm, and it could not be told."""
    trial = trial_of("MGR-13", store, profile=PROFILES["smoke"])
    with suppress(CouldNotTell):
        ROWS["MGR-13"](trial)
    assert trial.measured


@pytest.mark.parametrize("row", ["MGR-06", "MGR-07", "MGR-08", "MGR-13"])
def test_nobody_waits_for_half_an_hour(row, trial_of):
    """A store whose clock cannot be set does not claim what hangs on it."""
    with pytest.raises(NotClaimed, match="its clock cannot be set"):
        ROWS[row](trial_of(row, ByTheMachine))


@pytest.mark.parametrize("row", ["MGR-02", "MGR-03", "MGR-05", "MGR-14"])
def test_all_else_is_judged_by_the_machines_clock(row, trial_of):
    """Facts, counts and removals need no clock."""
    trial = trial_of(row, ByTheMachine, profile=PROFILES["smoke"])
    ROWS[row](trial)
    assert trial.examined[GUARANTEES[row].unit] >= GUARANTEES[row].least


def test_equal_beginnings_leak(trial_of):
    """Two users who say the same share a session, and the finding says so."""
    finding = broken("MGR-02", trial_of("MGR-02", IsKnownByMd5))
    assert finding.anomaly is Anomaly.LEAK
    assert "two users" in finding.expected


def test_an_end_is_told_with_its_time(trial_of):
    """The program has the times of its calls, and few calls."""
    finding = broken("MGR-06", trial_of("MGR-06", ManagesWholeSeconds))
    assert len(finding.program) <= 3
    assert "# at 0:00:00" in finding.program[0]


def test_a_naive_clock_is_found_far_from_greenwich(trial_of):
    """The finding names the zone in which the process was."""
    assert "TZ=JST-9" in broken("MGR-06", trial_of("MGR-06", MixesClocks)).did


def test_a_read_that_deletes_is_shown_by_what_is_counted_later(trial_of):
    """The last call is the one that found the session gone."""
    finding = broken("MGR-08", trial_of("MGR-08", ReadsDelete))
    assert "get_session" in " ".join(finding.program[:-1])


def test_a_write_for_each_read_is_told_by_the_file(trial_of):
    """The finding names the file that changed."""
    finding = broken("MGR-08", trial_of("MGR-08", WritesEachAccess))
    assert "manager.db" in finding.seen


def test_a_step_of_nothing_is_each_access(trial_of):
    """Who claims a step of 0 writes each access, and says so."""
    claims = replace(ManagesInSqlite.claims, access_step_us=0)
    trial = trial_of("MGR-08", ManagesInSqlite, claims=claims, profile=PROFILES["smoke"])
    ends.looked(trial)
    assert trial.examined["looks"] >= trial.guarantee.least


def _made_of(**methods):
    """A store whose manager has other methods."""
    manager = type("Other", (Manager,), methods)
    return type("Wrong", (ManagesInSqlite,), {"_Made": manager})


def _a_page(manager, where="", *values):
    return Manager._rows(manager, where, *values)[:100]


def _leaves_messages(manager):
    manager.db.execute("PRAGMA foreign_keys = OFF")
    try:
        return Manager.cleanup(manager)
    finally:
        manager.db.execute("PRAGMA foreign_keys = ON")


def _merged(manager, session_id, values):
    rows = manager._alive(session_id)
    if rows and rows[0][6] and values.get("metadata"):
        both = json.loads(rows[0][6]) | json.loads(values["metadata"])
        values = values | {"metadata": json.dumps(both)}
    return Manager._set(manager, session_id, values)


def _in_either_case(manager, session_id):
    until = manager._until()
    return manager._rows("WHERE id = ? COLLATE NOCASE AND accessed > ?", session_id, until)


def _remembered(manager, session_id):
    """What was read once is never read again."""
    kept = manager.__dict__.setdefault("kept", {})
    rows = kept.get(session_id) or Manager._alive(manager, session_id)
    return kept.setdefault(session_id, rows) if rows else rows


def _ticks_once(manager, interval_s, stopped):
    if not stopped.wait(interval_s):
        manager.cleanup()


@pytest.mark.parametrize(
    ("row", "methods"),
    [
        ("MGR-07", {"_rows": _a_page}),
        ("MGR-07", {"cleanup": _leaves_messages}),
        ("MGR-03", {"_set": _merged}),
        ("MGR-03", {"_alive": _remembered}),
        ("MGR-12", {"_alive": _in_either_case}),
    ],
)
def test_what_small_programs_do_not_show_is_found(row, methods, trial_of):
    """Pages, messages that stay, facts that are mixed or remembered, ids that are nearly equal."""
    assert broken(row, trial_of(row, _made_of(**methods), profile=PROFILES["smoke"])).script


def test_a_timer_that_comes_once_is_no_timer(trial_of):
    """The second clean-up is waited for, too."""
    profile = PROFILES["smoke"]
    short = replace(profile, deadlines=replace(profile.deadlines, operation_s=1.0))
    trial = trial_of("MGR-09", _made_of(_tick=_ticks_once), profile=short)
    with pytest.raises(Broken) as raised:
        lives.by_itself(trial)
    assert "are removed" in raised.value.finding.expected


def test_a_limit_is_read_from_the_session_itself(trial_of):
    """Half an hour here, and whatever another manager says."""
    assert Course(trial_of("MGR-06", ManagesInSqlite)).limit_us() == 1_800_000_000


def test_moves_are_laid_out_along_the_lives_of_their_sessions():
    """Before and after count from the last access, and first messages differ."""
    hello = {"first_user_message": "Hello", "session_id": "own"}
    moves = [
        Move("create_again"), Move("create_session", arguments=hello),
        Move("create_session", gap="half", arguments=hello), Move("get_session", 0, "before"),
        Move("get_session", 0, "after"), Move("is_new_session", 2), Move("get_session", 0, "back"),
    ]  # fmt: skip
    steps = laid_out(moves, Line(10_000_000, 500_000, clock=True))
    ends = 9_999_000
    assert [step.at_us for step in steps] == [
        0, 5_000_000, ends, ends + 10_501_000, ends + 10_501_000, ends
    ]  # fmt: skip
    assert [step.session for step in steps] == ["s0", "s1", "s0", "s0", "s2", "s0"]
    assert steps[0].arguments == {"first_user_message": "Hello #0", "session_id": "own-0"}
    assert steps[1].arguments == {"first_user_message": "Hello #1", "session_id": "own-1"}


def test_without_a_clock_all_steps_are_at_once():
    """No script is to wait."""
    steps = laid_out([Move("create_session"), Move("cleanup", gap="half")], Line(1, 0, clock=False))
    assert [step.at_us for step in steps] == [0, 0]
