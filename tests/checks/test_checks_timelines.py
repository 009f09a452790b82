"""What is a fault in the answers of a store with limits, and what is none."""

import pytest

from sessionproof.checks.timelines import ENDS, judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import HANG, Failure, Outcome
from sessionproof.oracle.lifetime import Span
from sessionproof.workload.timelines import Done, Step

ALL = ENDS | {"unclear", "content", "warning"}
CLAIMS = Claims(expires="at_once", warns=True, activity={"append", "touch"})
OK = Outcome("ok")
ONE, TWO = Message("user", "one"), Message("user", "two")


def raised(name, sort="fail"):
    """An error of this name."""
    return Outcome(sort, failure=Failure(name, "no"))


def step(at, method, outcome=OK, *, idle=None, hard=None, sent=(), name="s0"):
    """One step at a known time; what is about no session has no name."""
    session = "" if method in ("sweep", "reopen") else name
    made = Step(at, method, session, idle, hard)
    return Done(made, Span(at, at), outcome, f"id-{session}", tuple(sent))


def lives(*rest, idle=10, hard=None):
    """A session with these limits, then what comes."""
    return [step(0, "begin", sent=[ONE]), step(0, "set_limits", idle=idle, hard=hard), *rest]


def told(at, *, warned=(), expired=()):
    """A sweep that told this."""
    return step(at, "sweep", Outcome("ok", Swept(tuple(warned), tuple(expired))))


def kind_of(done, claims=CLAIMS, kinds=ALL):
    """The kind of the first fault, None for none."""
    fault = judged(done, claims, kinds).fault
    return None if fault is None else fault.kind


@pytest.mark.parametrize("method", ["append", "append_with_state", "touch"])
def test_what_is_alive_takes_and_what_has_ended_refuses(method):
    """A microsecond decides, on both sides."""
    assert kind_of(lives(step(9, method))) is None
    assert kind_of(lives(step(10, method, raised("Expired")))) is None
    assert kind_of(lives(step(9, method, raised("Expired")))) == "early"
    assert kind_of(lives(step(10, method))) == "late"


def test_where_sweeps_end_sessions_both_are_right_until_one_comes():
    """And after it, nothing is taken."""
    claims = Claims(expires="by_sweep")
    assert kind_of(lives(step(10, "append")), claims) is None
    assert kind_of(lives(step(10, "append", raised("Expired"))), claims) is None
    assert kind_of(lives(told(10, expired=["id-s0"]), step(10, "append")), claims) == "late"


def test_a_message_before_the_sweep_saves_its_session():
    """Where sweeps end sessions, and not where they end at once."""
    claims = Claims(expires="by_sweep")
    assert kind_of(lives(step(10, "append"), told(19)), claims) is None
    assert kind_of(lives(step(10, "append"), told(19, expired=["id-s0"])), claims) == "early"


def test_limits_below_one_are_refused():
    """In whichever way; and what is good is taken."""
    bad = step(1, "set_limits", idle=0)
    assert kind_of(lives(bad)) == "limits"
    assert kind_of(lives(step(1, "set_limits", raised("Refused"), idle=0))) is None
    assert kind_of(lives(step(1, "set_limits", raised("Refused"), idle=5))) == "limits"
    assert kind_of(lives(step(1, "set_limits", idle=1, hard=1))) is None
    unclear = step(1, "set_limits", raised("ValueError", "info"), idle=-1)
    assert kind_of(lives(unclear, step(10, "append"))) is None  # it may have been set


def test_an_error_that_is_none_of_the_contract_is_unclear():
    """An expired session says that it has expired, and a hidden one may be unknown."""
    assert kind_of(lives(step(10, "append", raised("KeyError", "info")))) == "unclear"
    assert kind_of(lives(step(10, "append", raised("NotFound")))) == "unclear"
    gone = Claims(expires="at_once", after_expiry="gone")
    assert kind_of(lives(step(10, "append", raised("NotFound"))), gone) is None
    assert kind_of(lives(step(10, "append", raised("KeyError", "info"))), gone) == "unclear"


def test_a_sweep_tells_of_each_session_once_when_it_is_due():
    """Not before, not twice, and not of those without limits."""
    assert kind_of(lives(told(8, expired=["id-s0"]))) == "early"
    assert kind_of(lives(told(10))) == "late"
    once = told(10, expired=["id-s0"])
    assert kind_of(lives(once, told(11))) is None
    assert kind_of(lives(once, told(11, expired=["id-s0"]))) == "late"
    assert kind_of(lives(told(99, expired=["id-s0"]), idle=None)) == "early"
    assert kind_of(lives(told(8, expired=["id-of-another"]))) is None


def test_what_was_asked_of_a_session_may_have_ended_it_before_the_sweep():
    """A store may mark it when it refuses, and a sweep then has nothing to tell."""
    refused = step(10, "append", raised("Expired"))
    assert kind_of(lives(refused, told(10))) is None
    assert kind_of(lives(refused, told(10, expired=["id-s0"]))) is None
    assert kind_of(lives(refused, told(10, warned=["id-s0"]))) == "warning"
    for at, kind in ((10, None), (9, "late")):
        assert kind_of(lives(step(at, "count", Outcome("ok", 1)), told(10))) == kind


def test_only_what_is_claimed_is_activity():
    """A read moves no end, unless it is said to."""
    read = step(5, "read", Outcome("ok", (ONE,)))
    assert kind_of(lives(read, step(10, "append"))) == "late"
    reading = Claims(expires="at_once", activity={"append", "read"})
    assert kind_of(lives(read, step(14, "append")), reading) is None
    assert kind_of(lives(read, step(10, "append", raised("Expired"))), reading) == "early"
    late = step(10, "read", Outcome("ok", (ONE,)))
    assert kind_of(lives(late, step(11, "append")), reading) == "late"


def test_activity_that_failed_may_have_been_none():
    """Both ends are possible then."""
    reading = Claims(expires="at_once", activity={"append", "count"})
    failed = step(5, "count", raised("RuntimeError", "info"))
    for outcome in (OK, raised("Expired")):
        assert kind_of(lives(failed, step(12, "append", outcome)), reading) is None
    assert kind_of(lives(failed, step(15, "append")), reading) == "late"


def test_a_hidden_session_is_not_read_and_another_is():
    """As the claim says; before the end both have all messages."""
    read = step(10, "read", Outcome("ok", (ONE,)))
    empty = step(10, "read", Outcome("ok", ()))
    gone = Claims(expires="at_once", after_expiry="gone")
    assert kind_of(lives(read)) is None
    assert kind_of(lives(empty)) == "content"
    assert kind_of(lives(step(10, "read", raised("NotFound")))) == "content"
    assert kind_of(lives(read), gone) == "content"
    assert kind_of(lives(empty), gone) is None
    assert kind_of(lives(step(9, "read", raised("NotFound"))), gone) == "content"


def test_a_hidden_session_that_is_written_to_may_be_a_new_one():
    """Where its id is given again, what makes a session makes another one."""
    gone = Claims(expires="at_once", after_expiry="gone")
    for method in ("replace", "set_state"):
        assert kind_of(lives(step(10, method), step(11, "append")), gone) is None
        assert kind_of(lives(step(10, method), step(11, "append"))) == "late"
        assert kind_of(lives(step(9, method), step(11, "append")), gone) == "late"


def test_refused_messages_are_not_there_and_taken_ones_are():
    """The newest of them, where a store keeps no more."""
    more = step(5, "append", sent=[TWO])
    both = step(6, "read", Outcome("ok", (ONE, TWO)))
    newest = step(6, "read", Outcome("ok", (TWO,)))
    assert kind_of(lives(more, both)) is None
    assert kind_of(lives(more, newest)) == "content"
    window = Claims(expires="at_once", limits=Limits(retention=1))
    assert kind_of(lives(more, newest), window) is None
    refused = step(10, "append", raised("Expired"), sent=[TWO])
    assert kind_of(lives(refused, step(10, "read", Outcome("ok", (ONE, TWO))))) == "content"


def test_a_warning_comes_once_before_the_end():
    """A microsecond before it at the latest, not with it, and again after activity."""
    warning = told(9, warned=["id-s0"])
    assert kind_of(lives(warning, told(9))) is None
    assert kind_of(lives(told(9))) == "warning"
    assert kind_of(lives(told(8))) is None
    assert kind_of(lives(warning, told(9, warned=["id-s0"]))) == "warning"
    assert kind_of(lives(told(10, warned=["id-s0"], expired=["id-s0"]))) == "warning"
    assert kind_of(lives(told(5, warned=["id-s0"]), idle=None)) == "warning"
    again = [warning, step(9, "append"), told(18, warned=["id-s0"])]
    assert kind_of(lives(*again)) is None
    assert kind_of(lives(warning, step(9, "append"), told(18))) == "warning"


def test_a_hard_limit_may_be_warned_of_again_after_activity_and_need_not():
    """The end is the same one."""
    before = [told(8, warned=["id-s0"]), step(8, "append")]
    for warned in ([], ["id-s0"]):
        assert kind_of(lives(*before, told(9, warned=warned), idle=None, hard=10)) is None


def test_warnings_of_who_claims_none_are_not_judged():
    """Whatever it tells."""
    claims = Claims(expires="at_once")
    assert kind_of(lives(told(9, warned=["id-s0"]), told(9, warned=["id-s0"])), claims) is None


def test_an_emptied_session_may_be_another_one():
    """A store may know its sessions by their messages alone."""
    assert kind_of(lives(step(5, "clear"), step(10, "append"))) is None
    assert kind_of(lives(step(5, "pop_last"), step(10, "append"))) is None
    two = [step(1, "append", sent=[TWO]), step(5, "pop_last")]
    assert kind_of(lives(*two, step(11, "append"))) == "late"
    replaced = [two[0], step(4, "replace"), two[1]]
    assert kind_of(lives(*replaced, step(11, "append"))) is None
    window = Claims(expires="at_once", limits=Limits(retention=1))
    begun = [step(0, "begin", sent=[ONE, TWO]), step(0, "set_limits", idle=10), two[1]]
    assert kind_of([*begun, step(11, "append")], window) is None
    assert kind_of(lives(*two, step(11, "append")), window) is None
    assert kind_of([*begun, step(11, "append")]) == "late"


def test_a_status_says_expired_no_sooner_than_it_is():
    """Where a status is told at all."""
    told_early = step(9, "get", Outcome("ok", SessionInfo(session_id="x", status="expired")))
    told_late = step(10, "get", Outcome("ok", SessionInfo(session_id="x", status="expired")))
    assert kind_of(lives(told_early)) == "early"
    assert kind_of(lives(told_late)) is None
    assert kind_of(lives(step(9, "get", Outcome("ok", SessionInfo(session_id="x"))))) is None


def test_faults_of_other_kinds_end_what_is_known_of_their_session():
    """They belong to another row, and what follows from them does, too."""
    wrong = lives(step(9, "append", raised("Expired")), step(10, "append"))
    assert kind_of(wrong, kinds={"content"}) is None
    assert kind_of(wrong, kinds={"late"}) is None
    read = step(9, "read", Outcome("ok", (ONE, TWO)))
    assert kind_of([*wrong[:-1], read], kinds={"content"}) is None


def test_a_hang_is_a_fault_of_any_row():
    """As is a sweep that fails."""
    hung = step(5, "append", Outcome("info", failure=Failure(HANG, "no answer")))
    assert judged(lives(hung), CLAIMS, {"content"}).fault.anomaly is Anomaly.HANG
    for method in ("sweep", "reopen", "list", "verify", "set_clock"):
        failed = step(5, method, raised("Refused"), name="")
        assert kind_of(lives(failed), kinds={"content"}) == "call"


def test_evidence_is_what_had_to_be_and_was():
    """Sessions seen to end, warnings in time."""
    seen = judged(lives(told(9, warned=["id-s0"]), told(10, expired=["id-s0"])), CLAIMS, ALL)
    assert (seen.ended, seen.warnings) == (1, 1)
    assert judged(lives(step(9, "append")), CLAIMS, ALL).ended == 0


def test_a_time_that_is_known_roughly_proves_nothing():
    """A call that came late on a busy machine may be answered in either way."""
    rough = Span(5, 12)
    for outcome in (OK, raised("Expired")):
        late = Done(Step(9, "append", "s0"), rough, outcome, "id-s0")
        assert kind_of(lives(late)) is None


def test_a_session_is_not_warned_of_where_its_end_is_told():
    """Also at a time at which either would be right by itself."""
    for warned, expired, kind in (("s0", "", None), ("", "s0", None), ("s0", "s0", "warning")):
        swept = Outcome("ok", Swept((f"id-{warned}",), (f"id-{expired}",)))
        rough = Done(Step(9, "sweep"), Span(5, 12), swept)
        assert kind_of(lives(rough)) == kind


@pytest.mark.parametrize(("later", "kind"), [(1_000_000, "limits"), (1_000_001, None)])
def test_a_new_session_takes_limits(later, kind):
    """For a second: then it may have ended by a limit of the store's own."""
    begun = step(600_000, "begin", sent=[ONE])
    assert kind_of([begun, step(600_000 + later, "set_limits", raised("Refused"), idle=9)]) == kind


def test_limits_that_come_after_the_end_may_be_taken_or_refused():
    """It is left to the store, and what follows is not known; before the end they are taken."""
    for outcome in (OK, raised("Expired")):
        late = step(10, "set_limits", outcome, idle=5)
        for answer in (OK, raised("Expired")):
            assert kind_of(lives(late, step(99, "append", answer))) is None
    assert kind_of(lives(step(9, "set_limits", raised("Expired"), idle=5))) == "limits"
    assert kind_of(lives(step(9, "set_limits", idle=5), step(14, "append"))) == "late"


def test_messages_are_activity_only_where_that_is_claimed():
    """A touch may be the only thing that is."""
    claims = Claims(expires="at_once", activity={"touch"})
    assert kind_of(lives(step(9, "append"), step(10, "append")), claims) == "late"
    assert kind_of(lives(step(9, "touch"), step(18, "append")), claims) is None
    assert kind_of(lives(step(9, "append"), step(18, "append"))) is None


def test_a_message_whose_outcome_is_unknown_may_be_there():
    """Between the end and the sweep; after a definite refusal it is not."""
    claims = Claims(expires="by_sweep")
    unknown = step(10, "append", raised("RuntimeError", "info"), sent=[TWO])
    refused = step(10, "append", raised("Expired"), sent=[TWO])
    for answer in ((ONE,), (ONE, TWO)):
        assert kind_of(lives(unknown, step(11, "read", Outcome("ok", answer))), claims) is None
    read = step(11, "read", Outcome("ok", (ONE, TWO)))
    assert kind_of(lives(refused, read), claims) == "content"
    assert kind_of(lives(unknown, told(19)), claims) is None
    for expired in ([], ["id-s0"]):  # it may have been activity, and need not
        assert kind_of(lives(unknown, told(15, expired=expired)), claims) is None
    after = [told(15), step(16, "append")]
    assert kind_of(lives(unknown, *after), claims) is None
    assert kind_of(lives(refused, *after), claims) == "late"


def test_of_a_session_without_limits_of_ours_a_sweep_may_tell():
    """A new session may have limits of the store's own."""
    new = step(0, "begin", sent=[ONE])
    for sweep in (told(99), told(99, expired=["id-s0"]), told(99, warned=["id-s0"])):
        assert kind_of([new, sweep]) is None
    unlimited = step(0, "set_limits")
    assert kind_of([new, unlimited, told(99, expired=["id-s0"])]) == "early"
    assert kind_of([new, unlimited, told(99, warned=["id-s0"])]) == "warning"


def test_one_sweep_tells_of_a_session_once():
    """Of its end, and of what comes soon where warnings are claimed."""
    twice = judged(lives(told(10, expired=["id-s0", "id-s0"])), CLAIMS, ALL).fault
    assert twice is not None
    assert (twice.kind, twice.anomaly) == ("late", Anomaly.DUPLICATE)
    assert kind_of(lives(told(10, expired=["id-s0"]))) is None
    warned = lives(told(9, warned=["id-s0", "id-s0"]))
    told_twice = judged(warned, CLAIMS, ALL).fault
    assert told_twice is not None
    assert (told_twice.kind, told_twice.anomaly) == ("warning", Anomaly.DUPLICATE)
    assert kind_of(warned, Claims(expires="at_once")) is None


def test_what_is_about_no_session_moves_no_end():
    """Reopening, a list, an audit: the session ends at the same time."""
    calls = [step(5, "reopen"), step(6, "list", name=""), step(7, "verify", name="")]
    assert kind_of(lives(*calls, step(9, "append"))) is None
    assert kind_of(lives(*calls, step(10, "append"))) == "late"


def test_no_call_says_expired_before_the_end():
    """Nor may a look at it; what any other error means is for other rows."""
    assert kind_of(lives(step(9, "get", raised("Expired")))) == "early"
    assert kind_of(lives(step(10, "get", raised("Expired")))) is None
    assert kind_of(lives(step(9, "get", raised("NotFound")))) is None


def test_contents_are_judged_while_they_are_known():
    """After a removal they are not; where what has ended is hidden by a sweep, either is right."""
    two, one = step(1, "append", sent=[TWO]), step(3, "read", Outcome("ok", (ONE,)))
    assert kind_of(lives(two, one)) == "content"
    assert kind_of(lives(two, step(2, "pop_last"), one)) is None
    hidden = Claims(expires="by_sweep", after_expiry="gone")
    for answer in ((), (ONE,)):
        assert kind_of(lives(step(10, "read", Outcome("ok", answer))), hidden) is None
    assert kind_of(lives(step(9, "read", Outcome("ok", ()))), hidden) == "content"
