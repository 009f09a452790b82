"""Which moves of a status are faults, and what a status lets in."""

import pytest

from sessionproof.checks.statuses import judged
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import HANG, Failure, Outcome
from sessionproof.oracle.lifetime import Span
from sessionproof.workload.timelines import Done, Step

CLAIMS = Claims(transitions={"active>paused", "paused>active", "idle>archived"})
OK, NO = Outcome("ok"), Outcome("fail", failure=Failure("Refused", "no"))
ONE, TWO = Message("user", "one"), Message("user", "two")
SWEPT = Outcome("ok", Swept())


def step(method, outcome=OK, *, at=0, status="", idle=None, sent=()):
    """One step on the session."""
    session = "" if method == "sweep" else "s0"
    made = Step(at, method, session, idle_us=idle, status=status)
    return Done(made, Span(at, at), outcome, "id", tuple(sent))


def move(status, outcome=OK, at=0):
    """A move that was answered so."""
    return step("set_status", outcome, status=status, at=at)


def says(status, at=0):
    """What get tells."""
    return step("get", Outcome("ok", SessionInfo(session_id="id", status=status)), at=at)


def fault_of(*steps, claims=CLAIMS):
    """The rule of the first fault of a session to which this was done, None for none."""
    fault = judged([step("begin", sent=[ONE]), *steps], claims).fault
    return None if fault is None else fault.rule


def test_declared_moves_are_taken_and_no_others():
    """A refusal of the one is a fault, and so is taking the other."""
    assert fault_of(move("paused")) is None
    assert fault_of(move("paused", NO)) == "succeeds"
    assert fault_of(move("archived")) == "fails"
    assert fault_of(move("archived", NO)) is None
    assert fault_of(move("nonsense")) == "fails"


@pytest.mark.parametrize("outcome", [OK, NO])
def test_a_move_to_the_same_status_is_none(outcome):
    """Whether it is answered or refused, the status stays."""
    assert fault_of(move("active", outcome), says("active")) is None
    assert fault_of(move("active", outcome), says("paused")) == "status"


def test_a_status_lets_messages_in_or_not():
    """Active sessions take them, paused ones do not, and a move back helps."""
    assert fault_of(step("append", NO)) == "succeeds"
    assert fault_of(move("paused"), step("append")) == "fails"
    assert fault_of(move("paused"), step("append", NO)) is None
    assert fault_of(move("paused"), move("active"), step("append")) is None


def test_a_refused_move_changes_nothing():
    """What is told afterwards is what was."""
    assert fault_of(move("archived", NO), says("active")) is None
    assert fault_of(move("archived", NO), says("archived")) == "status"
    assert fault_of(move("archived", NO), says(None)) is None


def test_messages_stay_whatever_the_status():
    """All that were taken, and none that was refused."""
    read = step("read", Outcome("ok", (ONE,)))
    assert fault_of(move("paused"), read) is None
    assert fault_of(move("paused"), step("read", Outcome("ok", ()))) == "same content"


def test_a_limit_that_runs_out_is_no_move():
    """A sweep comes, and then it has expired."""
    limited = step("set_limits", idle=10)
    sweep = step("sweep", Outcome("ok", Swept()), at=10)
    assert fault_of(limited, sweep, says("expired", 10)) is None
    assert fault_of(limited, sweep, says("active", 10)) == "status"
    assert fault_of(limited, says("active", 10)) is None  # no sweep came


def test_paused_sessions_do_not_expire():
    """Their limits do not count meanwhile, and count anew afterwards."""
    paused = [
        step("set_limits", idle=10),
        move("paused"),
        step("sweep", Outcome("ok", Swept()), at=20),
    ]
    assert fault_of(*paused, says("paused", 20)) is None
    assert fault_of(*paused, says("expired", 20)) == "status"
    assert fault_of(*paused, move("active", at=20), step("append", at=29)) is None


def test_a_warning_may_make_a_session_idle():
    """Until its status is told, both are possible; then one of them."""
    claims = Claims(transitions=CLAIMS.transitions, warns=True)
    swept = [step("set_limits", idle=10), step("sweep", Outcome("ok", Swept()), at=9)]
    for outcome in (OK, NO):
        assert fault_of(*swept, move("archived", outcome, 9), claims=claims) is None
    assert fault_of(*swept, says("idle", 9), move("archived", NO, 9), claims=claims) == "succeeds"
    assert fault_of(*swept, says("active", 9), move("archived", at=9), claims=claims) == "fails"


def test_moves_that_were_judged_are_counted():
    """Taken or refused."""
    seen = judged([step("begin"), move("paused"), move("archived", NO)], CLAIMS)
    assert seen.fault is None
    assert seen.moves == 2


def test_a_hang_is_a_fault():
    """Whatever was asked."""
    assert fault_of(move("paused", Outcome("info", failure=Failure(HANG, "")))) == "succeeds"


def test_what_any_call_owes_is_judged_here_too():
    """A sweep that fails is wrong, whatever the status of its sessions."""
    assert fault_of(step("sweep", NO)) == "succeeds"
    assert fault_of(step("sweep", Outcome("ok", Swept((), ())))) is None


def test_what_has_ended_and_is_hidden_is_not_read():
    """Before its end all of it is read, and after it too where nothing is claimed to be gone."""
    gone = Claims(expires="at_once", after_expiry="gone")
    kept = Claims(expires="at_once")
    limits, empty = step("set_limits", idle=10), Outcome("ok", ())
    assert fault_of(limits, step("read", empty, at=9), claims=gone) == "same content"
    assert fault_of(limits, step("read", empty, at=20), claims=gone) is None
    assert fault_of(limits, step("read", empty, at=20), claims=kept) == "same content"


def test_what_was_appended_is_read():
    """All of it, in any status, but what a limit of retention lets go."""
    two = [step("append", sent=[TWO])]
    assert fault_of(*two, step("read", Outcome("ok", (ONE, TWO)))) is None
    assert fault_of(*two, step("read", Outcome("ok", (ONE,)))) == "same content"
    assert fault_of(*two, step("read", NO)) == "same content"
    for retention, right in ((1, (TWO,)), (2, (ONE, TWO)), (3, (ONE, TWO))):
        claims = Claims(limits=Limits(retention=retention))
        for answer in ((ONE, TWO), (TWO,), ()):
            read = step("read", Outcome("ok", answer))
            assert (fault_of(*two, read, claims=claims) is None) == (answer == right)


def test_an_append_is_activity():
    """It may wake an idle session, makes no other idle, and its limit runs anew."""
    warned = Claims(transitions=CLAIMS.transitions, warns=True)
    idle = [step("set_limits", idle=10), step("sweep", SWEPT, at=9), step("append", at=9)]
    for status, right in (("idle", True), ("active", True), ("paused", False)):
        assert (fault_of(*idle, says(status, 9), claims=warned) is None) == right
    assert fault_of(step("append"), says("idle")) == "status"
    later = [step("set_limits", idle=10), step("append", at=5), step("sweep", SWEPT, at=12)]
    assert fault_of(*later, says("active", 12)) is None
    assert fault_of(*later, step("sweep", SWEPT, at=15), says("expired", 15)) is None


def test_a_move_to_active_is_activity_and_no_other_is():
    """Back from a pause a limit runs anew; to idle, or to where it was, it runs on."""
    claims = Claims(transitions={"active>paused", "paused>active", "active>idle"})
    limited = step("set_limits", idle=10)
    back = [limited, move("paused"), move("active", at=20), step("sweep", SWEPT, at=25)]
    assert fault_of(*back, says("active", 25), claims=claims) is None
    for same in ("active", "idle"):
        over = [limited, move(same, at=5), step("sweep", SWEPT, at=10), says("expired", 10)]
        assert fault_of(*over, claims=claims) is None


def test_of_two_statuses_that_are_possible_both_count():
    """A refusal owes that neither lets it in; words name both."""
    claims = Claims(transitions=CLAIMS.transitions, warns=True)
    both = [step("set_limits", idle=10), step("sweep", SWEPT, at=9)]
    assert fault_of(*both, step("append", NO, at=9), claims=claims) == "succeeds"
    assert fault_of(*both, says("paused", 9), claims=claims) == "status"
    assert fault_of(*both, move("nonsense", at=9), claims=claims) == "fails"
    assert fault_of(*both, step("sweep", SWEPT, at=10), says("expired", 10), claims=claims) is None
    pausing = Claims(transitions={"active>paused", "idle>paused"}, warns=True)
    assert fault_of(*both, move("paused", NO, 9), claims=pausing) == "succeeds"


def test_a_refused_append_says_that_its_session_takes_none():
    """And nothing about another status; a get that fails says nothing."""
    refused = [move("paused"), step("append", NO)]
    assert fault_of(*refused, says("paused")) is None
    assert fault_of(*refused, says("active")) == "status"
    assert fault_of(step("get", NO), says("active")) is None
