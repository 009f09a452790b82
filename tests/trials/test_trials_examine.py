"""The record of one test: what it may say, and what must go through."""

from dataclasses import replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.operations import Append, Read
from sessionproof.contract.verdicts import Verdict
from sessionproof.oracle.memory import MemoryStore
from sessionproof.report.result import merge
from sessionproof.trials.examine import examine, unmet
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.profiles import Profile


def loses(self, session_id, messages):
    """Drop the last message of each batch."""
    return MemoryStore.append(self, session_id, messages[:-1]) and None


def looks(trial):
    """Appends and reads."""
    trial.search(trial.strategy(Append, Read))


def examined(trial, test=looks, *, declared=True):
    """The record of a test, under the name that every test has here."""
    return examine(test, trial, name="t", declared=declared)


def raising(error):
    """A test that ends so."""

    def test(trial):
        raise error

    return test


def test_what_holds_says_how_much_was_examined(trial_of):
    """A test that ends without a finding holds, with its evidence."""
    record = examined(trial_of("CORE-01", profile=Profile(name="slow", share_s=0.02, shrink_s=0.5)))
    assert record.verdict is Verdict.HOLDS
    assert record.gated
    assert record.examined >= 50
    assert record.findings == ()
    assert record.duration_s > 0


def test_what_is_broken_carries_its_finding(trial_of):
    """A finding has the anomaly, sentences, the smallest program and how often it failed."""
    record = examined(trial_of("CORE-01", append=loses))
    assert record.verdict is Verdict.BROKEN
    (finding,) = record.findings
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert len(finding.program) == 2
    assert finding.program[0].startswith("store.append('s0', [Message(")
    assert finding.program[1] == "store.read('s0')"
    assert finding.seen.startswith("no messages")
    assert finding.repeats == "3 of 3"


def test_what_needs_a_capability_is_not_claimed_without_it(trial_of):
    """A store that lacks the method is not asked."""
    trial = trial_of("CORE-03", read_last=None)
    record = examined(trial, raising(AssertionError("must not run")))
    assert record.verdict is Verdict.NOT_CLAIMED
    assert record.reason == "the store has no method read_last"
    assert record.examined == 0


def test_what_needs_a_claim_is_not_claimed_without_it(trial_of):
    """A store that does not promise it is not asked."""
    record = examined(trial_of("CORE-10", claims=Claims()), raising(AssertionError))
    assert record.verdict is Verdict.NOT_CLAIMED
    assert record.reason == "the store does not claim validates"


@pytest.mark.parametrize(
    ("claims", "lacking"),
    [
        (Claims(), "atomic_batches, handles of at least tasks"),
        (Claims(handles="processes"), "atomic_batches"),
        (Claims(atomic_batches=True), "handles of at least tasks"),
        (Claims(atomic_batches=True, handles="tasks", writes="replace"), "writes=append"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_what_is_missing_is_said_not_to_be_claimed(trial_of, claims, lacking):
    """Where a guarantee needs several claims, those that the store makes are not named."""
    record = examined(trial_of("CONC-04", claims=claims), raising(AssertionError))
    assert record.reason == f"the store does not claim {lacking}"


def test_a_claim_that_is_made_lacks_nothing():
    """All parts together make the whole."""
    claims = Claims(atomic_batches=True, handles="threads")
    assert GUARANTEES["CONC-04"].claim.lacking(claims) == ""
    assert unmet(GUARANTEES["CONC-04"], (), claims) is None


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (CouldNotTell("too slow"), Verdict.UNKNOWN),
        (NotClaimed("no times"), Verdict.NOT_CLAIMED),
        (CannotOpen("locked"), Verdict.BROKEN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_test_may_end_otherwise(trial_of, error, verdict):
    """What could not be told or is not claimed says why; what does not open is broken."""
    record = examined(trial_of("CORE-01"), raising(error))
    assert record.verdict is verdict
    assert str(error) in (record.reason or record.findings[0].seen)


def test_our_own_faults_go_through(trial_of):
    """An error of a check says nothing about the store."""
    with pytest.raises(ZeroDivisionError):
        examined(trial_of("CORE-01"), raising(ZeroDivisionError()))


def test_without_claims_only_rows_that_need_none_decide(trial_of):
    """A row that needs a claim is tried, shown, and never broken where nothing was declared."""
    tried = examined(trial_of("CORE-02", append=loses), declared=False)
    assert not tried.gated
    assert tried.verdict is not Verdict.BROKEN
    assert tried.verdict is not Verdict.HOLDS
    decided = examined(trial_of("CORE-01", append=loses), declared=False)
    assert decided.gated
    assert decided.verdict is Verdict.BROKEN


def test_too_little_evidence_is_no_verdict(trial_of):
    """A test that looked at nothing does not make its guarantee hold."""
    record = examined(trial_of("CORE-01"), lambda trial: None)
    assert (record.verdict, record.examined) == (Verdict.HOLDS, 0)

    def merged(*records):
        return next(one for one in merge(records, ["CORE-01"]) if one.id == "CORE-01")

    assert merged(record).verdict is Verdict.UNKNOWN
    assert merged(record).reason == "too little evidence: 0 messages of at least 50"
    assert merged(record, replace(record, examined=50)).verdict is Verdict.HOLDS
    assert merged(record, replace(record, verdict=Verdict.BROKEN)).verdict is Verdict.BROKEN


def test_a_failed_append_is_no_evidence(trial_of):
    """A store that refuses everything examines nothing, and is broken."""

    def append(self, session_id, messages):
        raise RuntimeError("never")

    trial = trial_of("CORE-01", append=append)
    record = examined(trial)
    assert record.verdict is Verdict.BROKEN
    assert trial.examined["messages"] == 0


def test_a_broken_test_can_be_read_by_people():
    """The exception of a finding tells it in plain lines."""
    from sessionproof.contract.verdicts import Finding

    text = str(
        Broken(Finding(anomaly=Anomaly.LEAK, did="read", expected="a", seen="b", program=("x()",)))
    )
    assert text.splitlines() == [
        "cross-session-leak: read", "  expected: a", "  seen:     b", "    x()",
    ]  # fmt: skip
