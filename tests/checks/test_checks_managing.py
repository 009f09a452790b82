"""Answers of session managers, judged: wrong ones are found, right ones are let be."""

import pytest
from managing_cases import BEGAN, LIMIT, RIGHT, STEP, WRONG, done, failed, made, metrics, session

from sessionproof.checks.managing import judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.workload.managing import CREATE_AGAIN

CLAIMS, IN_STEPS = Claims(), Claims(access_step_us=STEP)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_found(case):
    """The last answer of each case is the one that is wrong."""
    fault = judged(WRONG[case], CLAIMS, BEGAN).fault
    assert fault is not None
    assert fault.index == len(WRONG[case]) - 1
    assert fault.expected
    assert fault.seen


@pytest.mark.parametrize("case", RIGHT)
def test_right_answers_are_right(case):
    """No fault, and each answer up to the first unclear one is counted."""
    found = judged(RIGHT[case], CLAIMS, BEGAN)
    assert found.fault is None
    assert found.answers.total() > 1


def test_a_step_lets_a_session_live_longer_and_never_shorter():
    """Between the limit and a step later either is right; before and after it is not."""
    read = [made(), done("get_session", session(accessed=STEP), STEP, "s0")]
    late = session(accessed=LIMIT + 2 * STEP)
    for at_us, answers in ((LIMIT + STEP - 1_000, (late,)), (LIMIT + 2 * STEP + 1_000, (None,))):
        wrong = None if answers[0] else session(accessed=at_us)
        assert judged([*read, done("get_session", wrong, at_us, "s0")], IN_STEPS, BEGAN).fault
    for answer in (None, session(accessed=LIMIT + STEP + 5)):
        either = [*read, done("get_session", answer, LIMIT + STEP + 5, "s0")]
        assert judged(either, IN_STEPS, BEGAN).fault is None


def test_an_access_may_be_shown_a_step_late():
    """Where accesses are written once in a step, and nowhere else."""
    read = [made(), done("get_session", session(), STEP // 2, "s0")]
    assert judged(read, IN_STEPS, BEGAN).fault is None
    fault = judged(read, CLAIMS, BEGAN).fault
    assert fault is not None
    assert fault.anomaly is Anomaly.CHANGED
    ahead = [made(), done("get_session", session(accessed=2 * STEP), STEP // 2, "s0")]
    assert judged(ahead, IN_STEPS, BEGAN).fault is not None


def test_without_a_clock_times_are_not_judged():
    """The times of the machine's clock are what they are."""
    answer = ManagedSession("a", 7, 7, 7 + LIMIT)
    later = ManagedSession("a", 7, 9, 9 + LIMIT)
    steps = [done("create_session", answer, name="s0"), done("get_session", later, name="s0")]
    assert judged(steps, CLAIMS, None).fault is None


def test_appends_are_accesses_where_that_is_claimed():
    """``activity`` has the word ``append``."""
    steps = [
        made(), done("append", None, LIMIT // 2, "s0"),
        done("get_session", session(accessed=LIMIT + 5), LIMIT + 5, "s0"),
    ]  # fmt: skip
    assert judged(steps, Claims(activity={"append"}), BEGAN).fault is None
    assert judged(steps, CLAIMS, BEGAN).fault is None  # in the last millisecond
    listed = [*steps[:2], done("get_all_sessions", [session()], LIMIT // 2)]
    assert judged(listed, Claims(activity=frozenset()), BEGAN).fault is None
    later = [*steps[:2], done("get_session", None, LIMIT + 5_000, "s0")]
    assert judged(later, Claims(activity={"append"}), BEGAN).fault is not None


def test_a_hang_or_a_crash_is_called_by_its_name():
    """Whatever the state of its session: no end of a session excuses it."""
    for kind, anomaly in ((HANG, Anomaly.HANG), (CRASH, Anomaly.CRASH)):
        fault = judged([made(), failed("read", kind, 2 * LIMIT, "s0", "info")], CLAIMS, BEGAN).fault
        assert fault is not None
        assert fault.anomaly is anomaly


def test_what_has_ended_may_refuse_to_be_read_in_clear_words_alone():
    """NotFound and Expired say that it has ended; no other error does."""
    for call in ("append", "read"):
        for kind in ("NotFound", "Expired"):
            asked = [made(), failed(call, kind, 2 * LIMIT, "s0"), done("get_session_count", 1)]
            seen = judged(asked, CLAIMS, BEGAN)
            assert (seen.fault, seen.answers[call]) == (None, 1)
        other = judged([made(), failed(call, "KeyError", 2 * LIMIT, "s0", "info")], CLAIMS, BEGAN)
        assert other.fault is not None
        assert other.fault.anomaly is Anomaly.UNEXPECTED_REFUSAL


def test_an_id_of_a_session_that_is_over_may_be_free_or_taken():
    """Both answers are right, and what follows is not judged."""
    wrong = done("get_session_count", 99, 2 * LIMIT)
    for answer in (
        failed(CREATE_AGAIN, "Conflict", 2 * LIMIT, "s0"),
        done(CREATE_AGAIN, session(accessed=2 * LIMIT, created=2 * LIMIT), 2 * LIMIT, "s0", "a"),
    ):
        seen = judged([made(), answer, wrong], CLAIMS, BEGAN)
        assert (seen.fault, seen.answers.total()) == (None, 1)


def test_an_update_of_several_facts_changes_these_and_no_other():
    """They are there in the next answer, and what was not named stays."""
    update = done("update_session", True, name="s0", changes={"chat_id": "d", "metadata": {"k": 1}})
    made_so = [made(chat_id="c", parent_id="p"), update]
    right = session(chat_id="d", parent_id="p", metadata={"k": 1})
    assert judged([*made_so, done("get_session", right, name="s0")], CLAIMS, BEGAN).fault is None
    for wrong in (
        session(chat_id="c", parent_id="p", metadata={"k": 1}),
        session(chat_id="d", metadata={"k": 1}),
    ):
        fault = judged([*made_so, done("get_session", wrong, name="s0")], CLAIMS, BEGAN).fault
        assert fault is not None
        assert (fault.index, fault.anomaly) == (2, Anomaly.CHANGED)


def test_an_update_of_what_is_over_says_false_and_changes_nothing():
    """In the last millisecond either is right, and it ends what is known."""
    over = [made(), done("set_chat_id", False, 2 * LIMIT, "s0", chat_id="c")]
    assert judged([*over, done("get_session_count", 1, 2 * LIMIT)], CLAIMS, BEGAN).fault is None
    back = [*over, done("get_session", session(chat_id="c"), 5, "s0")]
    assert judged(back, CLAIMS, BEGAN).fault is not None
    for answer in (True, False):
        either = [made(), done("set_chat_id", answer, LIMIT, "s0", chat_id="c")]
        seen = judged([*either, done("get_session_count", 99, LIMIT)], CLAIMS, BEGAN)
        assert (seen.fault, seen.answers.total()) == (None, 1)


def test_a_parent_is_answered_while_its_session_lives():
    """Afterwards there is none, and in the last millisecond it may be none already."""
    child = [made(parent_id="p")]
    for at_us, right in ((0, {"p"}), (LIMIT, {"p", None}), (2 * LIMIT, {None})):
        for answer in ("p", None, "q"):
            asked = [*child, done("get_parent_id", answer, at_us, "s0")]
            assert (judged(asked, CLAIMS, BEGAN).fault is None) == (answer in right)


def test_a_cleanup_that_took_some_of_those_in_their_last_millisecond_leaves_it_open_which():
    """More than all of them cannot be; between none and all, nothing is known any more."""
    both = [made(), made("s1", "b")]
    assert judged([*both, done("cleanup", 3, LIMIT)], CLAIMS, BEGAN).fault is not None
    some = judged([*both, done("cleanup", 1, LIMIT), done("cleanup", 9, LIMIT)], CLAIMS, BEGAN)
    assert (some.fault, some.answers.total()) == (None, 2)
    for left, right in ((0, True), (1, False), (2, False)):
        gone = [*both, done("cleanup", 2, LIMIT), done("get_session_count", left, LIMIT)]
        assert (judged(gone, CLAIMS, BEGAN).fault is None) == right


def test_after_all_are_cleared_there_are_none_and_they_count_as_deleted():
    """A session that is listed afterwards, or that counts as expired, is wrong."""
    cleared = [made(), made("s1", "b"), done("clear_all", 2)]
    none = metrics(created=2, deleted=2, active=0, total=0)
    right = [*cleared, done("get_metrics", none), done("get_all_sessions", [])]
    assert judged(right, CLAIMS, BEGAN).fault is None
    for wrong in (
        done("get_metrics", none | {"deleted": 0, "expired": 2}),
        done("get_all_sessions", [session()]),
    ):
        fault = judged([*cleared, wrong], CLAIMS, BEGAN).fault
        assert fault is not None
        assert fault.index == 3


def test_the_background_clean_up_owes_an_answer_and_no_more():
    """What it removes is for a row of its own; that it fails is wrong at once."""
    started = [made(), done("start_cleanup", None), done("get_session_count", 1)]
    assert judged(started, CLAIMS, BEGAN).answers.total() == 3
    assert judged([made(), failed("stop_cleanup", "Refused")], CLAIMS, BEGAN).fault


def test_each_message_of_a_session_is_counted_and_none_of_a_session_that_is_gone():
    """A message that was sent to a removed session makes no session to count."""
    two = [made(), done("append", None, name="s0"), done("append", None, name="s0")]
    read = {"none": [], "one": ["m"], "two": ["m", "m"], "three": ["m", "m", "m"]}
    found = {
        name: judged([*two, done("read", answer, name="s0")], CLAIMS, BEGAN).fault
        for name, answer in read.items()
    }
    anomalies = {name: fault and fault.anomaly for name, fault in found.items()}
    lost, more = Anomaly.LOST_MESSAGE, Anomaly.RESURRECTION
    assert anomalies == {"none": lost, "one": lost, "two": None, "three": more}
    gone = [made(), done("delete_session", True, name="s0"), done("append", None, name="s0")]
    assert judged([*gone, done("get_session_count", 0)], CLAIMS, BEGAN).fault is None


def test_without_a_clock_a_session_that_is_missed_is_lost():
    """Nothing ended it, and the words say so."""
    answer = ManagedSession("a", 7, 7, 7 + LIMIT)
    steps = [done("create_session", answer, name="s0"), done("get_session", None, name="s0")]
    fault = judged(steps, CLAIMS, None).fault
    assert fault is not None
    assert fault.anomaly is Anomaly.LOST_SESSION
    assert "nothing ended it" in fault.expected
