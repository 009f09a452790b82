"""Messages taken back by several at once: what is examined, and what is no answer."""

from dataclasses import replace

import pytest

from fixtures.benign.sqlite import SqliteWindow
from fixtures.benign.together import WriteAhead
from fixtures.mutants.taking import AwaitsInBetween, LooksThenDeletes
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Limits
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.trials.taking import back_at_once


class AnswersATextForAMessage(WriteAhead):
    """Not what the contract says."""

    def pop_last(self, session_id):
        """A text."""
        return "the newest"


class TakesTurns(WriteAhead):
    """A store that refuses one take of two without having done anything."""

    def pop_last(self, session_id):
        """It raises, now and then, what the contract does not know."""
        self.turn = not getattr(self, "turn", False)
        if self.turn:
            raise RuntimeError("not now")
        return super().pop_last(session_id)


def test_calls_that_overlap_are_the_evidence(trial_of):
    """A correct store has its least evidence, also where calls fail now and then."""
    for store in (WriteAhead, TakesTurns):
        trial = trial_of("CONC-15", store, claims=replace(store.claims, handles="threads"))
        back_at_once(trial)
        assert trial.examined["takings"] >= trial.guarantee.least


def test_two_callers_of_one_message_are_told(trial_of):
    """The finding names the message, and its script opens clients of the same kind."""
    claims = replace(LooksThenDeletes.claims, handles="threads")
    with pytest.raises(Broken) as raised:
        back_at_once(trial_of("CONC-15", LooksThenDeletes, claims=claims))
    finding = raised.value.finding
    assert "callers" in finding.seen
    assert any("store.pop_last(" in line for line in finding.script)


def test_an_answer_that_is_no_message_is_malformed(trial_of):
    """What the contract does not allow is said as such, and not judged as a message."""
    claims = replace(AnswersATextForAMessage.claims, handles="threads")
    with pytest.raises(Broken) as raised:
        back_at_once(trial_of("CONC-15", AnswersATextForAMessage, claims=claims))
    assert raised.value.finding.anomaly is Anomaly.MALFORMED


def test_a_session_that_keeps_few_is_not_judged(trial_of):
    """Where messages go by themselves, nobody can say who took them."""
    claims = replace(WriteAhead.claims, limits=Limits(retention=4))
    with pytest.raises(CouldNotTell, match="5 messages are needed, and a session keeps 4"):
        back_at_once(trial_of("CONC-15", WriteAhead, claims=claims))


def test_a_session_that_keeps_some_is_judged_by_fewer_takings(trial_of):
    """So few that the limit drops nothing; the window of the store is one that drops."""
    claims = replace(SqliteWindow.claims, handles="threads", limits=Limits(retention=5))
    trial = trial_of("CONC-15", SqliteWindow, claims=claims)
    back_at_once(trial)
    assert trial.examined["takings"] >= trial.guarantee.least


def test_one_client_at_a_time_is_not_claimed(trial_of):
    """Nobody takes back at the same time where one handle is all that is claimed."""
    claims = replace(WriteAhead.claims, handles="one")
    with pytest.raises(NotClaimed):
        back_at_once(trial_of("CONC-15", WriteAhead, claims=claims))


def test_the_script_of_an_async_store_awaits_each_call(trial_of):
    """Clients of a store whose methods are awaited await them, also what only racers called."""
    with pytest.raises(Broken) as raised:
        back_at_once(trial_of("CONC-15", AwaitsInBetween))
    calls = [line for line in raised.value.finding.script if "store.pop_last(" in line]
    assert calls
    assert all("await store.pop_last(" in line for line in calls)
