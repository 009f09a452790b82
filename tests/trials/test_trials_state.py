"""State: which values and keys are owed, what is counted, and what may be there in the end."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import NotRepresentable
from sessionproof.contract.operations import (
    AppendWithState,
    Completed,
    GetState,
    Outcome,
    SetState,
)
from sessionproof.history.columns import NEVER, ROW, F, History, Type
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import state, state_together
from sessionproof.trials.single import Broken, NotClaimed

TOGETHER = replace(MemoryStore.claims, handles="tasks", shared_handle=True, writes="append")


def broken_by(test, trial):
    """The anomaly that the test finds, or None."""
    try:
        test(trial)
    except Broken as broken:
        return broken.finding.anomaly
    return None


@pytest.mark.parametrize("value", [None, True, 1, -7, 0.5, "", "ü\n", [], {"": [1, "x", {}]}])
def test_usual_values_are_owed(value):
    """Every encoding of JSON has them."""
    assert state.usual(value)


@pytest.mark.parametrize(
    "value",
    [1.0, -0.0, 2**53, "a\0", "\ud800", "x" * 2000, [[[[[[[1]]]]]]], {"\0": 1}, {"a": [1.0]}],
)
def test_odd_values_may_be_refused(value):
    """Some languages and encodings cannot keep them apart from others, or at all."""
    assert not state.usual(value)


def test_usual_keys_are_owed_and_others_are_not():
    """Letters and digits with a few signs between them, as programs name their keys."""
    assert all(map(state.usual_key, ("theme", "a.b", "user:name", "cart_2-x")))
    assert not any(map(state.usual_key, ("", " ", "ключ", "a\0", "a b", "../x", "x" * 65, "_a")))


def test_a_value_counts_when_something_was_set_before():
    """A look at a key that nobody set, or whose set was refused, is no evidence."""
    ok, fail = Outcome("ok"), Outcome("fail")
    done = (
        Completed(GetState("s0", "a"), ok),
        Completed(SetState("s0", "a", 1), ok),
        Completed(GetState("s0", "a"), ok),
        Completed(GetState("s1", "a"), ok),
        Completed(SetState("s0", "b", 1), fail),
        Completed(GetState("s0", "b"), ok),
        Completed(AppendWithState("s1", (), {"c": 1}), ok),
        Completed(GetState("s1", "c"), ok),
        Completed(GetState("s1", "c"), fail),
    )
    assert state.read_values(done) == 2


def test_a_store_that_keeps_state_holds_with_evidence(trial_of):
    """The memory store, with more values than the row needs."""
    trial = trial_of("STATE-01")
    state.read_back(trial)
    assert trial.examined["values"] >= trial.guarantee.least


def test_what_is_refused_must_not_be_read(trial_of):
    """A refusal of an odd key is right, unless the value is there all the same."""

    def refuses(keeps):
        def set_state(self, session_id, key, value):
            if not state.usual_key(key):
                if keeps:
                    MemoryStore.set_state(self, session_id, key, value)
                raise NotRepresentable("a plain key, please")
            MemoryStore.set_state(self, session_id, key, value)

        return trial_of("STATE-01", set_state=set_state, append_with_state=None)

    assert broken_by(state.read_back, refuses(keeps=False)) is None
    assert broken_by(state.read_back, refuses(keeps=True)) is Anomaly.WRONG_ANSWER


def test_a_refused_plain_key_is_broken(trial_of):
    """Every store with state owes it."""

    def set_state(self, session_id, key, value):
        raise NotRepresentable("no")

    trial = trial_of("STATE-01", set_state=set_state, append_with_state=None)
    assert broken_by(state.read_back, trial) is Anomaly.UNEXPECTED_REFUSAL


def history_of(*sets):
    """Rows of sets: key, value, beginning, end (None for unknown), whether it was refused."""
    rows = np.zeros(len(sets), ROW)
    for row, (n, value, inv, ret, refused) in zip(rows, sets, strict=True):
        row["f"], row["n"], row["id"], row["inv"] = F.SET_STATE, n, value << 8, inv
        row["ret"] = NEVER if ret is None else ret
        row["type"] = Type.INFO if ret is None else Type.FAIL if refused else Type.OK
    return History(rows, sessions=("s",))


def test_the_last_acknowledged_value_is_there():
    """An earlier one, or none, is not."""
    history = history_of((0, 5, 10, 20, False), (0, 3, 0, 5, False), (1, 9, 0, 3, True))
    assert state_together.possible(history) == {0: {5}, 1: {None}}


def test_a_value_of_unknown_outcome_may_be_there_or_not():
    """Also after what its client set next: it may come late."""
    history = history_of((0, 3, 0, None, False), (0, 5, 10, 20, False), (1, 7, 0, None, False))
    assert state_together.possible(history) == {0: {3, 5}, 1: {None, 7}}


class _Tasks(MemoryStore):
    """All handles of a process are one memory; a set lets other tasks go on in its middle."""

    claims = TOGETHER
    whole = False
    worlds: dict = {}  # noqa: RUF012 - by location, shared on purpose

    def __init__(self, location):
        super().__init__(location)
        self.shared = self.worlds.setdefault(str(location.root), {})

    async def set_state(self, session_id, key, value):
        """Set a key, or write the whole state that was read before."""
        before = dict(self.shared.get(session_id, {}))
        await asyncio.sleep(0)
        if not self.whole:
            before = self.shared.get(session_id, {})
        self.shared[session_id] = {**before, key: value}

    async def get_state(self, session_id, key):
        """What is there."""
        return self.shared.get(session_id, {}).get(key)


class _WholeTasks(_Tasks):
    whole = True


def test_tasks_that_write_the_whole_state_are_found(trial_of):
    """And the finding has a script in which the calls are awaited."""
    with pytest.raises(Broken) as broken:
        state_together.kept(trial_of("STATE-02", _WholeTasks))
    finding = broken.value.finding
    assert finding.anomaly is Anomaly.LOST_UPDATE
    script = "\n".join(finding.script)
    compile(script, "script", "exec")
    assert "await store.set_state" in script
    assert "await store.get_state" in script


def test_tasks_that_set_single_keys_hold_with_evidence(trial_of):
    """Sets beside those of others are counted."""
    trial = trial_of("STATE-02", _Tasks)
    state_together.kept(trial)
    assert trial.examined["values"] >= trial.guarantee.least


def test_a_store_that_refuses_everything_gives_no_evidence(trial_of):
    """Nothing is lost that was never acknowledged, and nothing is shown by it."""

    async def set_state(self, session_id, key, value):
        raise NotRepresentable("busy")

    store = type("Refuses", (_Tasks,), {"set_state": set_state})
    trial = trial_of("STATE-02", store)
    trial.profile = replace(trial.profile, patience_s=0.5)  # nothing to wait for
    state_together.kept(trial)
    assert trial.examined["values"] == 0


def test_a_store_for_one_client_is_not_asked(trial_of):
    """Its claims say so."""
    with pytest.raises(NotClaimed, match="at once"):
        state_together.kept(trial_of("STATE-02"))
