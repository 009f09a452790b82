"""Deletions that race with appends: what the end of a session must not say."""

from dataclasses import replace

import numpy as np
import pytest

from fixtures.benign.related import Related
from fixtures.mutants.races import RemovesInTwoSteps, WritesToADeletedRow
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import MISSING, NEVER, ROW, F, History, Lists, Phase, Type
from sessionproof.trials import races
from sessionproof.trials.single import Broken

THREADS = replace(Related.claims, handles="threads", shared_handle=False)


def history_of(*calls, there=()):
    """Rows of one session: method, beginning, end (None for unknown); the end is read last."""
    rows = np.zeros(len(calls) + 1, ROW)
    for at, (f, inv, ret) in enumerate(calls):
        row = rows[at]
        row["f"], row["inv"], row["id"], row["client"] = f, inv, (at + 1) << 8, at
        row["ret"], row["type"] = (NEVER, Type.INFO) if ret is None else (ret, Type.OK)
        row["n"] = f == F.APPEND
    last = rows[-1]
    last["f"], last["phase"], last["type"] = F.READ, Phase.FINAL, Type.OK
    last["inv"], last["ret"], last["client"] = 1000, 1001, 99
    last["length"] = len(there) or MISSING
    ids = np.array([(at + 1) << 8 for at in there], np.uint64)
    lists = Lists(np.array([len(calls)]), np.array([0, len(ids)]), ids)
    return History(rows, lists=lists, sessions=("s",))


def wrong_in(history, **options):
    """The names of what is wrong in the end."""
    found = races.in_the_end(history, **{"refuses": False, **options})
    return [one.anomaly for one in found]


@pytest.mark.parametrize("there", [(), (0,), (1,), (0, 1)])
def test_appends_at_the_same_time_may_be_there_or_not(there):
    """Before or after the deletion: nobody can tell."""
    calls = ((F.APPEND, 0, 10), (F.APPEND, 2, 8), (F.DELETE, 5, 7))
    assert wrong_in(history_of(*calls, there=there)) == []


def test_what_came_after_the_deletion_stays():
    """It was acknowledged, and began when the deletion had ended."""
    calls = ((F.DELETE, 0, 5), (F.APPEND, 6, 8))
    assert wrong_in(history_of(*calls)) == [Anomaly.LOST_MESSAGE]
    assert wrong_in(history_of(*calls, there=(1,))) == []


def test_what_came_before_the_deletion_goes():
    """Its append had ended when the deletion began."""
    calls = ((F.APPEND, 0, 3), (F.DELETE, 5, 7))
    assert wrong_in(history_of(*calls, there=(0,))) == [Anomaly.RESURRECTION]


def test_a_deletion_of_which_nobody_knows_may_happen_at_any_time():
    """Later than everything, or never."""
    calls = ((F.APPEND, 0, 3), (F.DELETE, 5, None), (F.APPEND, 9, 12))
    for there in ((), (0, 2), (2,)):
        assert wrong_in(history_of(*calls, there=there)) == []


def test_where_appends_make_no_session_nothing_is_left():
    """Whatever raced: the session is gone."""
    calls = ((F.DELETE, 0, 5), (F.APPEND, 2, 8))
    assert wrong_in(history_of(*calls, there=(1,)), refuses=True) == [Anomaly.RESURRECTION]


def test_what_went_by_itself_is_not_lost():
    """A session that keeps few messages forgets the older ones."""
    calls = ((F.DELETE, 0, 5), (F.APPEND, 6, 8), (F.APPEND, 9, 11))
    assert wrong_in(history_of(*calls, there=(2,)), keeps=1) == []


def test_deletions_count_where_another_was_at_work():
    """One that met an append, and one that met nobody."""
    met = history_of((F.APPEND, 0, 10), (F.DELETE, 5, 20))
    alone = history_of((F.APPEND, 0, 10), (F.DELETE, 15, 20))
    assert (races.races_in(met, 100), races.races_in(alone, 100)) == (1, 0)


def test_a_correct_store_holds(trial_of):
    """Deletions and appends in transactions of their own."""
    trial = trial_of("FK-06", Related, claims=THREADS)
    races.deleted_while_appended(trial)
    assert trial.examined["races"] > 0


@pytest.mark.parametrize(
    ("store", "anomaly"),
    [(RemovesInTwoSteps, Anomaly.ORPHAN), (WritesToADeletedRow, Anomaly.LOST_MESSAGE)],
)
def test_what_is_left_behind_or_lost_is_told(trial_of, store, anomaly):
    """Rows that belong to nobody, by an audit; messages, by what was read in the end."""
    claims = replace(THREADS, shared_handle=store is WritesToADeletedRow)
    with pytest.raises(Broken) as caught:  # noqa: PT012
        for _ in range(3):  # a busy machine may hide it once
            races.deleted_while_appended(trial_of("FK-06", store, claims=claims))
    finding = caught.value.finding
    assert finding.anomaly is anomaly
    assert finding.script
