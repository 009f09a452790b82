"""Counters: what the trials spare, what they need to have seen, and that their scripts run."""

from dataclasses import replace

import pytest

from fixtures.benign.related import Related
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import SessionInfo
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import counters, drift, failures
from sessionproof.trials.single import Broken, NotClaimed

FACTS = ("message_count", "total_tokens", "total_duration_us")


def finding_of(test, trial):
    """The finding of a test that must be broken."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


def without(*facts):
    """A get that does not answer these facts."""

    def get(self, session_id):
        return replace(MemoryStore.get(self, session_id), **dict.fromkeys(facts))

    return get


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_that_is_not_answered_is_not_claimed(trial_of, fact):
    """A store may count without adding up; each fact is judged alone."""
    rows = dict(zip(FACTS, ("CNT-01", "CNT-02", "CNT-03"), strict=True))
    modest = trial_of(rows[fact], get=without(fact), count=None)
    with pytest.raises(NotClaimed, match=f"answers no {fact}"):
        counters.agree(modest, fact)
    for other in set(FACTS) - {fact}:
        trial = trial_of(rows[other], get=without(fact))
        counters.agree(trial, other)
        assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least


def test_a_count_alone_is_judged(trial_of):
    """A store without get has its count looked at."""
    trial = trial_of("CNT-01", get=None)
    counters.agree(trial, "message_count")
    assert trial.examined["counts"] >= 20

    def off(self, session_id):
        return MemoryStore.count(self, session_id) + 1

    finding = finding_of(
        lambda trial: counters.agree(trial, "message_count"),
        trial_of("CNT-01", get=None, count=off),
    )
    assert finding.anomaly is Anomaly.COUNTER_DRIFT


def test_a_lost_message_is_no_drift(trial_of):
    """Counts that are those of the messages read are right, whatever was appended."""

    def append(self, session_id, messages):
        return MemoryStore.append(self, session_id, messages[:-1]) and None

    trial = trial_of("CNT-01", append=append)
    counters.agree(trial, "message_count")


def test_a_fraction_is_malformed(trial_of):
    """Totals are whole numbers."""

    def get(self, session_id):
        info = MemoryStore.get(self, session_id)
        return replace(info, total_duration_us=float(info.total_duration_us))

    finding = finding_of(
        lambda trial: counters.agree(trial, "total_duration_us"), trial_of("CNT-03", get=get)
    )
    assert finding.anomaly is Anomaly.MALFORMED


@pytest.mark.parametrize("way", ["clear", "pop_last", "delete_message", "replace", None])
def test_a_long_run_empties_as_it_can(trial_of, way):
    """Whatever way there is to remove messages, drift is looked for, filled and emptied."""
    ways = {"clear", "pop_last", "delete_message", "replace"}
    trial = trial_of("CNT-03", **dict.fromkeys(ways - {way}))
    drift.for_long(trial)
    assert trial.examined["totals"] >= 1
    assert "appends and removals" in trial.notes[-1]


@pytest.mark.parametrize("way", ["clear", "pop_last", "delete_message", "replace"])
def test_what_emptying_leaves_is_found_and_its_script_fails(trial_of, way):
    """A residue of one microsecond after all messages are gone is a finding with a script."""

    def get(self, session_id):
        info = MemoryStore.get(self, session_id)
        return info if info.message_count else replace(info, total_duration_us=1)

    class Residue(MemoryStore):
        """Nothing is left but a microsecond."""

    Residue.get = get
    for name in {"clear", "pop_last", "delete_message", "replace"} - {way}:
        setattr(Residue, name, None)
    finding = finding_of(drift.for_long, trial_of("CNT-03", Residue))
    assert finding.seen == "total_duration_us 1"
    assert any("range(" in line for line in finding.script)


def test_only_writes_that_failed_are_evidence(trial_of):
    """A store that takes everything fails only where a message is not there."""
    trial = trial_of("CNT-04")
    failures.after_failures(trial)
    assert 0 < trial.examined["failed writes"] <= 5


def test_what_is_kept_of_a_batch_that_failed_is_counted_rightly(trial_of):
    """A store without atomic batches may keep a part: then the part counts, and that is right."""

    def append(self, session_id, messages):
        for message in messages:
            if message.role == "no-such-role":
                raise Refused("unknown role")
            MemoryStore.append(self, session_id, [message])

    trial = trial_of("CNT-04", append=append)
    failures.after_failures(trial)
    assert trial.examined["failed writes"] >= 3


def test_a_refusal_after_a_failed_write_names_that_write(trial_of):
    """What an earlier write left behind is told with it, and shown by a script of both."""

    class Stuck(Related):
        """Begins, and does not end what fails."""

        stuck = False

        def append(self, session_id, messages):
            if self.stuck:
                raise RuntimeError("a transaction is open already")
            self.stuck = True
            receipt = super().append(session_id, messages)
            self.stuck = False
            return receipt

    finding = finding_of(failures.after_failures, trial_of("CNT-04", Stuck))
    assert finding.did.startswith("tried to append a batch with ")
    assert "; then, on the same handle, store.append(" in finding.did
    assert finding.seen == "it raised RuntimeError: a transaction is open already"
    assert finding.at.endswith('raise RuntimeError("a transaction is open already")')
    assert finding.repeats == "3 of 3"
    assert len(finding.program) == 3
    assert [line.strip()[:12] for line in finding.script].count("store.append") == 3


def test_a_database_that_refuses_half_way_is_met(trial_of):
    """Where the store is SQLite, writes are refused by the file itself, too."""
    trial = trial_of("CNT-04", Related)
    failures.after_failures(trial)
    assert trial.examined["failed writes"] >= 10


def test_edits_without_totals_are_not_claimed(trial_of):
    """A store that keeps neither tokens nor durations has no totals that edits could harm."""
    with pytest.raises(NotClaimed):
        counters.edits_keep_totals(trial_of("CNT-08", claims=Claims()))

    def get(self, session_id):
        return SessionInfo(session_id=session_id)

    with pytest.raises(NotClaimed):
        counters.edits_keep_totals(trial_of("CNT-08", get=get))
