"""States after a crash are judged by processes that outlive what a store does to them."""

import pytest
import surviving_stores
from surviving_stores import Lines, recording_of, states_of

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.lookup import find_store
from sessionproof.trials.crashes import survival
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.profiles import Deadlines

PATIENT_S = 60.0
BRIEF_S = 4.0  # for calls that never end


def judged_all(recording, *, workers=1, operation_s=PATIENT_S, states=None, on_progress=None):
    """What every state shows."""
    return [
        *judged(
            recording, states or states_of(recording), workers=workers, operation_s=operation_s,
            on_progress=on_progress,
        )
    ]  # fmt: skip


def test_a_store_that_drops_a_torn_line_survives(tmp_path):
    """No state of a correct store has a flaw, and the answers come in the order of the states."""
    recording = recording_of(Lines, tmp_path / "recording")
    told = []
    survived = judged_all(recording, workers=2, on_progress=told.append)
    assert [one.state for one in survived] == [*states_of(recording)]
    assert [one.fault for one in survived if one.flaws] == []
    assert told == [*range(1, len(survived) + 1)]
    assert all(one.opened_s is not None for one in survived)


@pytest.mark.parametrize(
    ("name", "anomaly", "aspect", "when"),
    [
        ("RefusesTheTorn", Anomaly.UNREADABLE, "open", "open"),
        ("LosesTheLast", Anomaly.LOST_MESSAGE, "messages", "read"),
        ("CannotReadTheTorn", Anomaly.UNREADABLE, "read", "read"),
        ("TakesTheTorn", Anomaly.PHANTOM, "messages", "read"),
        ("CountsTheTorn", Anomaly.COUNTER_DRIFT, "counters", "read"),
        ("GluesToTheTorn", Anomaly.UNREADABLE, "going on", "go on"),
        ("NumbersAnew", Anomaly.DUPLICATE_SEQUENCE, "numbers", "go on"),
        ("DiesOpening", Anomaly.CRASH, "open", "open"),
        ("DiesReading", Anomaly.CRASH, "read", "read"),
    ],
)
def test_each_flaw_is_told_of_the_torn_states_alone(tmp_path, name, anomaly, aspect, when):
    """What a store makes of a torn line is named, and states without one are good."""
    recording = recording_of(getattr(surviving_stores, name), tmp_path / "recording")
    survived = judged_all(recording)
    assert [one.state for one in survived] == [*states_of(recording)]
    assert {one.state for one in survived if one.flaws} <= {
        one.state for one in survived if one.state.cut is not None
    }
    last = [one for one in survived if one.state.cut is not None][-1]
    assert last.fault is not None
    assert (last.fault.anomaly, last.fault.aspect, last.fault.when) == (anomaly, aspect, when)


def test_a_flaw_says_which_operation_it_is_about(tmp_path):
    """A lost message is whole but of an earlier time, and the last acknowledged act is named."""
    recording = recording_of(surviving_stores.LosesTheLast, tmp_path / "recording")
    torn = [state for state in states_of(recording) if state.cut is not None]
    last = judged_all(recording, states=torn)[-1].fault
    assert last is not None
    assert last.lost
    assert (last.session, last.method, last.act) == ("s0", "append", surviving_stores.APPENDS - 2)


@pytest.mark.night
def test_a_hang_is_a_flaw_with_a_stack_and_two_end_it_all(tmp_path):
    """A read that never ends is told with its stack; after two of them nothing is judged."""
    recording = recording_of(surviving_stores.HangsReading, tmp_path / "recording")
    survived = judged_all(recording, operation_s=BRIEF_S)
    hung = [one for one in survived if one.hung]
    assert len(hung) == 2
    assert survived[-1] is hung[-1]
    for one in hung:
        assert one.fault is not None
        assert one.fault.anomaly is Anomaly.HANG
        assert "Event().wait()" in one.fault.evidence["stack"]
    assert all(one.flaws == () for one in survived if one.state.cut is None)


def test_states_can_be_left_unjudged(tmp_path):
    """Whoever wants no more answers stops asking, and nothing is left in the folder."""
    recording = recording_of(Lines, tmp_path / "recording")
    before = {*recording.folder.iterdir()}
    answers = judged(recording, [*states_of(recording)] * 20, workers=2, operation_s=PATIENT_S)
    assert next(answers).flaws == ()
    answers.close()
    assert {*recording.folder.iterdir()} == before


def test_a_store_that_never_opens_is_no_matter_of_crashes(tmp_path):
    """A store that cannot be found is told as such, not as a flaw of every state."""
    recording = recording_of(type("Gone", (Lines,), {}), tmp_path / "recording")
    with pytest.raises(CannotOpen, match="no attribute"):
        judged_all(recording)


@pytest.mark.parametrize(("name", "late"), [("SlowToOpen", True), ("SlowAlways", False)])
def test_opening_is_late_beside_an_empty_location(tmp_path, monkeypatch, name, late):
    """Opening that is slow after a crash alone is a flaw; on a machine where all is slow, none."""
    monkeypatch.setattr(survival, "monotonic_s", lambda: surviving_stores.CLOCK[0])
    recording = recording_of(getattr(surviving_stores, name), tmp_path / "recording")
    judge = survival.Survival(
        find_store(recording.store), recording, parent=tmp_path, deadlines=Deadlines()
    )
    torn = next(state for state in states_of(recording) if state.cut is not None)
    survived = judge.survived(torn)
    assert survived.opened_s == 60.0
    assert [flaw.anomaly for flaw in survived.flaws] == [Anomaly.STUCK] * late
