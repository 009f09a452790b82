"""What is right and wrong in answers about users, judged from records alone."""

from dataclasses import replace

import pytest

from sessionproof.checks.users import judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import Failure, Outcome
from sessionproof.oracle.lifetime import Span
from sessionproof.workload.users import (
    ACTIVATE,
    ADD,
    BEGIN,
    COUNT,
    DELETE,
    GET,
    LIST,
    OWN,
    OWNED,
    READ,
    REMOVE,
    RENAME,
    SEARCH,
    SIGN_IN,
    SIGN_OUT,
    TABLES,
    WHOSE,
    Done,
    Step,
)

CASCADES, REFUSES = Claims(on_delete_user="cascades"), Claims(on_delete_user="refuses")
FAR_US = 10**12


def ok(what, answer=None, at_us=0, **labels):
    """A step that succeeded."""
    step = Step(what, at_us=at_us, **labels)
    return Done(step, Span(at_us, at_us), Outcome("ok"), answer)


def no(what, error="Refused", text="no", at_us=0, **labels):
    """A step that raised; anything but an error of the contract leaves it open what happened."""
    sort = "fail" if error in ("Refused", "Conflict", "NotFound", "Expired") else "info"
    step = Step(what, at_us=at_us, **labels)
    outcome = Outcome(sort, failure=Failure(error, text))
    return Done(step, Span(at_us, at_us), outcome, None, text)


def added(user, name):
    """A user of this name."""
    return ok(ADD, user, user=user, name=name, knows=user)


def signed_in(user, name, key, *, idle_us=FAR_US, hard_us=FAR_US, at_us=0):
    """A token of the user's."""
    limits = {"idle_us": idle_us, "hard_us": hard_us}
    return ok(SIGN_IN, key, name=name, knows=user, key=key, at_us=at_us, **limits)


BOTH = [added("u0", "ada"), added("u1", "ben"), signed_in("u0", "ada", "t0")]
OWNED_BY_ADA = [
    *BOTH, ok(BEGIN, session="s0"), ok(BEGIN, session="s1"), ok(OWN, user="u0", session="s0"),
]  # fmt: skip

RIGHT = {
    "a taken name is a conflict": [*BOTH, no(ADD, "Conflict", user="u2", name="ada", knows="u2")],
    "signing in again": [*BOTH, signed_in("u0", "ada", "t1"), ok(WHOSE, "u0", key="t1")],
    "a wrong password": [*BOTH, no(SIGN_IN, name="ada", knows="u1", key="t1")],
    "a token that was signed out": [*BOTH, ok(SIGN_OUT, key="t0"), no(WHOSE, "Expired", key="t0")],
    "signing out twice": [*BOTH, ok(SIGN_OUT, key="t0"), no(SIGN_OUT, "NotFound", key="t0")],
    "tokens of the shut out may end": [
        *BOTH, ok(ACTIVATE, user="u0", active=False), ok(ACTIVATE, user="u0", active=True),
        no(WHOSE, key="t0"), no(WHOSE, key="t0"),
    ],
    "tokens of the shut out may go on afterwards": [
        *BOTH, ok(ACTIVATE, user="u0", active=False), no(WHOSE, key="t0"),
        ok(ACTIVATE, user="u0", active=True), ok(WHOSE, "u0", key="t0"),
    ],
    "a user who is removed cannot be renamed": [
        *BOTH, ok(REMOVE, user="u0"), no(RENAME, "NotFound", user="u0", name="eve"),
    ],
    "a user who is removed may be removed again": [
        *BOTH, ok(REMOVE, user="u0"), ok(REMOVE, user="u0"), no(REMOVE, "NotFound", user="u0"),
    ],
    "one who is shut out cannot sign in, and may be told why": [
        *BOTH, ok(ACTIVATE, user="u1", active=False),
        no(SIGN_IN, name="zoe", knows="u1", key="t1"),
        no(SIGN_IN, "Expired", text="shut out", name="ben", knows="u1", key="t1"),
    ],
    "a password with another case": [
        *BOTH, no(SIGN_IN, name="ada", knows="u0", key="t1", spoilt="in capitals"),
    ],
    "a session that is there has facts": [*OWNED_BY_ADA, ok(GET, 1, session="s0")],
    "the name of another is a conflict": [*BOTH, no(RENAME, "Conflict", user="u0", name="ben")],
    "the own name again": [*BOTH, no(RENAME, "Conflict", user="u0", name="ada")],
    "the name of one who was removed": [
        *BOTH, ok(REMOVE, user="u0"), added("u2", "ada"), no(WHOSE, "NotFound", key="t0"),
    ],
    "a new name": [
        *BOTH, ok(RENAME, user="u0", name="eve"), signed_in("u0", "eve", "t1"),
        ok(WHOSE, "u0", key="t1"),
    ],
    "search finds or not": [*OWNED_BY_ADA, ok(SEARCH, 0, session="s0")],
    "a session that is gone is deleted again": [
        *OWNED_BY_ADA, ok(DELETE, session="s0"), no(DELETE, "NotFound", session="s0"),
    ],
}  # fmt: skip

WRONG = {
    "a name given twice": (
        [*BOTH, ok(ADD, "u2", user="u2", name="ada", knows="u2")], Anomaly.ACCEPTED_INVALID),
    "a taken name that is refused in other words": (
        [*BOTH, no(ADD, "Refused", user="u2", name="ada", knows="u2")],
        Anomaly.UNEXPECTED_REFUSAL),
    "an id given twice": (
        [*BOTH, ok(ADD, "u1", user="u2", name="eve", knows="u2")], Anomaly.DUPLICATE),
    "a token given twice": (
        [*BOTH, ok(SIGN_IN, "t0", name="ben", knows="u1", key="t1")], Anomaly.DUPLICATE),
    "the right password refused": (
        [*BOTH, no(SIGN_IN, name="ada", knows="u0", key="t1")], Anomaly.UNEXPECTED_REFUSAL),
    "somebody else's password taken": (
        [*BOTH, ok(SIGN_IN, "t1", name="ada", knows="u1", key="t1")], Anomaly.ACCEPTED_INVALID),
    "somebody else's token": ([*BOTH, ok(WHOSE, "u1", key="t0")], Anomaly.WRONG_ANSWER),
    "a token that was altered": (
        [*BOTH, ok(WHOSE, "u0", key="t0", spoilt="as nothing")], Anomaly.ACCEPTED_INVALID),
    "an error that is none of the contract's": (
        [*BOTH, ok(SIGN_OUT, key="t0"), no(WHOSE, "KeyError", key="t0")],
        Anomaly.UNEXPECTED_REFUSAL),
    "a token of one who is shut out": (
        [*BOTH, ok(ACTIVATE, user="u0", active=False), ok(WHOSE, "u0", key="t0")],
        Anomaly.ACCEPTED_INVALID),
    "signed out and shut out and in again": (
        [*BOTH, ok(SIGN_OUT, key="t0"), ok(ACTIVATE, user="u0", active=False),
         ok(ACTIVATE, user="u0", active=True), ok(WHOSE, "u0", key="t0")],
        Anomaly.ACCEPTED_INVALID),
    "the old name": (
        [*BOTH, ok(RENAME, user="u0", name="eve"),
         ok(SIGN_IN, "t1", name="ada", knows="u0", key="t1")], Anomaly.ACCEPTED_INVALID),
    "a session that was lost": (
        [*OWNED_BY_ADA, ok(OWNED, (), user="u0")], Anomaly.LOST_SESSION),
    "a session told twice": (
        [*OWNED_BY_ADA, ok(OWNED, ("s0", "s0"), user="u0")], Anomaly.LOST_SESSION),
    "an error that tells the password": (
        [*BOTH, replace(no(SIGN_IN, name="ada", knows="u1", key="t1"), tells=("u1",))],
        Anomaly.IN_CLEAR),
    "words that tell which is wrong": (
        [*BOTH, no(SIGN_IN, name="ada", knows="u1", key="t1"),
         no(SIGN_IN, "NotFound", name="zoe", knows="u1", key="t1")], Anomaly.WRONG_ANSWER),
    "a session that cannot be deleted": (
        [*OWNED_BY_ADA, no(DELETE, "NotFound", session="s0")], Anomaly.UNEXPECTED_REFUSAL),
    "a user who is removed gets a name": (
        [*BOTH, ok(REMOVE, user="u0"), ok(RENAME, user="u0", name="eve")],
        Anomaly.ACCEPTED_INVALID),
    "one who is shut out signs in": (
        [*BOTH, ok(ACTIVATE, user="u0", active=False), signed_in("u0", "ada", "t1")],
        Anomaly.ACCEPTED_INVALID),
    "a password with another case signs in": (
        [*BOTH, ok(SIGN_IN, "t1", name="ada", knows="u0", key="t1", spoilt="in capitals")],
        Anomaly.ACCEPTED_INVALID),
    "a token ends when somebody else is shut out": (
        [*BOTH, ok(ACTIVATE, user="u1", active=False), no(WHOSE, key="t0")],
        Anomaly.UNEXPECTED_REFUSAL),
    "a token ends when its user is let in who never was shut out": (
        [*BOTH, ok(ACTIVATE, user="u0", active=True), no(WHOSE, key="t0")],
        Anomaly.UNEXPECTED_REFUSAL),
    "a session that is there is unknown": (
        [*OWNED_BY_ADA, ok(GET, 0, session="s0")], Anomaly.LOST_SESSION),
    "a hang": ([*BOTH, no(WHOSE, "hang", key="t0")], Anomaly.HANG),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_contract_allows_is_spared(name):
    """Each of these is right, whatever the claim on users who are removed."""
    assert judged(RIGHT[name], CASCADES).fault is None
    assert judged(RIGHT[name], Claims()).fault is None


@pytest.mark.parametrize("name", WRONG)
def test_what_the_contract_forbids_is_found(name):
    """Each of these is wrong at its last step, and is called by its name."""
    done, anomaly = WRONG[name]
    fault = judged(done, CASCADES).fault
    assert fault is not None
    assert (fault.index, fault.anomaly) == (len(done) - 1, anomaly)


@pytest.mark.parametrize("at_us", [99, 100, 101])
def test_a_token_ends_at_its_microsecond(at_us):
    """Before its idle limit it must be known, from that on it must not."""
    done = [*BOTH, signed_in("u0", "ada", "t1", idle_us=100)]
    lives = judged([*done, ok(WHOSE, "u0", key="t1", at_us=at_us)], CASCADES).fault is None
    ends = judged([*done, no(WHOSE, key="t1", at_us=at_us)], CASCADES).fault is None
    assert (lives, ends) == (at_us < 100, at_us >= 100)


def test_work_moves_the_idle_end_and_not_the_hard_one():
    """A look at a token is activity; its hard limit comes all the same."""
    done = [
        *BOTH, signed_in("u0", "ada", "t1", idle_us=100, hard_us=150),
        ok(WHOSE, "u0", key="t1", at_us=99), ok(WHOSE, "u0", key="t1", at_us=149),
    ]  # fmt: skip
    assert judged(done, CASCADES).fault is None
    assert judged([*done, ok(WHOSE, "u0", key="t1", at_us=150)], CASCADES).fault
    refused = judged([*done, no(WHOSE, key="t1", at_us=150)], CASCADES)
    assert refused.fault is None
    assert refused.attempts == 1


def test_a_limit_that_was_not_given_may_be_the_stores_own():
    """After a second nobody knows when it comes; what was given comes at the latest then."""
    done = [*BOTH, signed_in("u0", "ada", "t1", idle_us=None, hard_us=FAR_US)]
    late = 2_000_000
    for one in (ok(WHOSE, "u0", key="t1", at_us=late), no(WHOSE, key="t1", at_us=late)):
        assert judged([*done, one], CASCADES).fault is None
    assert judged([*done, no(WHOSE, key="t1")], CASCADES).fault
    assert judged([*done, ok(WHOSE, "u0", key="t1", at_us=FAR_US)], CASCADES).fault
    begun = [*BOTH, signed_in("u0", "ada", "t1", idle_us=None, at_us=600_000)]
    for at_us, is_wrong in ((1_600_000, True), (1_600_001, False)):
        ended = judged([*begun, no(WHOSE, key="t1", at_us=at_us)], CASCADES)
        assert (ended.fault is not None) == is_wrong


def test_a_clock_that_stepped_back_leaves_it_open_whether_a_token_ended():
    """By a limit of its own or of the store's: its end was shown while other things were asked."""
    for limit_us, late in ((100, 100), (None, 2_000_000)):
        done = [*BOTH, signed_in("u0", "ada", "t1", idle_us=limit_us), ok(LIST, (), at_us=late)]
        for one in (ok(WHOSE, "u0", key="t1", at_us=50), no(WHOSE, key="t1", at_us=50)):
            assert judged([*done, one], CASCADES).fault is None


def test_a_look_that_is_refused_may_be_activity():
    """A user who is shut out for a while may find his token alive beyond its limit."""
    done = [
        *BOTH, signed_in("u0", "ada", "t1", idle_us=100),
        ok(ACTIVATE, user="u0", active=False), no(WHOSE, key="t1", at_us=50),
        ok(ACTIVATE, user="u0", active=True, at_us=60),
    ]  # fmt: skip
    for at_us, lives in ((120, True), (150, False)):
        found = judged([*done, ok(WHOSE, "u0", key="t1", at_us=at_us)], CASCADES)
        assert (found.fault is None) == lives
        assert judged([*done, no(WHOSE, key="t1", at_us=at_us)], CASCADES).fault is None


def test_a_roughly_known_time_decides_nothing_near_an_end():
    """Where the machine's clock is the store's, a token may or may not be over near its end."""
    done = [*BOTH, signed_in("u0", "ada", "t1", idle_us=100)]
    for one in (ok(WHOSE, "u0", key="t1"), no(WHOSE, key="t1")):
        assert judged([*done, replace(one, now=Span(90, 110))], CASCADES).fault is None


def test_removing_a_user_cascades_as_claimed():
    """His sessions are gone by every way to look, those of others are there."""
    done = [*OWNED_BY_ADA, ok(REMOVE, user="u0")]
    right = [
        no(READ, "NotFound", session="s0"), ok(READ, 0, session="s0"), ok(GET, 0, session="s0"),
        ok(READ, 2, session="s1"), ok(LIST, ("s1",)), ok(TABLES, ()), ok(SEARCH, 0, session="s0"),
        no(OWNED, "NotFound", user="u0"), no(OWN, "NotFound", user="u1", session="s0"),
    ]  # fmt: skip
    assert judged([*done, *right], CASCADES) == replace(
        judged(done, CASCADES), fault=None, removals=1
    )
    for wrong in (
        ok(READ, 2, session="s0"), ok(GET, 1, session="s0"), ok(LIST, ("s0", "s1")),
        ok(SEARCH, 1, session="s0"), ok(READ, 1, session="s1"), ok(LIST, ()),
        ok(TABLES, ("2 rows",)), ok(OWNED, (), user="u0"), no(READ, "KeyError", session="s0"),
    ):  # fmt: skip
        assert judged([*done, wrong], CASCADES).fault, wrong


def test_removing_a_user_is_refused_as_claimed():
    """Then nothing has changed; and without sessions he can be removed."""
    refused = [*OWNED_BY_ADA, no(REMOVE, user="u0")]
    right = [ok(WHOSE, "u0", key="t0"), ok(OWNED, ("s0",), user="u0"), ok(READ, 2, session="s0")]
    assert judged([*refused, *right], REFUSES).fault is None
    assert judged([*refused, no(WHOSE, key="t0")], REFUSES).fault
    assert judged([*OWNED_BY_ADA, ok(REMOVE, user="u0")], REFUSES).fault
    assert judged([*OWNED_BY_ADA, no(REMOVE, user="u1")], REFUSES).fault
    given = ok(OWN, user="u1", session="s0")
    assert judged([*OWNED_BY_ADA, given, ok(REMOVE, user="u0")], REFUSES).fault is None


WORLDS = {
    "all is there": OWNED_BY_ADA,
    "two are hers": [*OWNED_BY_ADA, ok(OWN, user="u0", session="s1")],
    "signed out": [*OWNED_BY_ADA, ok(SIGN_OUT, key="t0")],
    "shut out": [*OWNED_BY_ADA, ok(ACTIVATE, user="u0", active=False)],
    "in again": [
        *OWNED_BY_ADA, ok(ACTIVATE, user="u0", active=False),
        ok(ACTIVATE, user="u0", active=True),
    ],
    "in again and seen": [
        *OWNED_BY_ADA, ok(ACTIVATE, user="u0", active=False),
        ok(ACTIVATE, user="u0", active=True), ok(WHOSE, "u0", key="t0"),
    ],
    "removed": [*OWNED_BY_ADA, ok(REMOVE, user="u0")],
    "renamed": [*OWNED_BY_ADA, ok(RENAME, user="u0", name="eve")],
    "a session less": [*OWNED_BY_ADA, ok(DELETE, session="s0")],
    "a token that runs out": [
        *OWNED_BY_ADA, signed_in("u0", "ada", "t0", idle_us=100, hard_us=None, at_us=5)
    ],
    "a token that ran out": [
        *OWNED_BY_ADA, signed_in("u0", "ada", "t0", idle_us=100),
        no(WHOSE, "Expired", key="t0", at_us=200),
    ],
    "a token without limits": [
        *OWNED_BY_ADA, signed_in("u0", "ada", "t0", idle_us=None, hard_us=None, at_us=5)
    ],
}  # fmt: skip
ASKED = {
    ADD: ({"user": "u2", "name": "zoe", "knows": "u2"}, ("u2", "u1")),
    "a taken name": (ADD, {"user": "u2", "name": "ada", "knows": "u2"}, ("u2",)),
    SIGN_IN: ({"name": "ada", "knows": "u0", "key": "t1"}, ("t1", "t0")),
    "with another's password": (SIGN_IN, {"name": "ada", "knows": "u1", "key": "t1"}, ("t1",)),
    WHOSE: ({"key": "t0"}, ("u0", "u1")),
    SIGN_OUT: ({"key": "t0"}, (None,)),
    "a token that is spoilt": (SIGN_OUT, {"key": "t0", "spoilt": "as nothing"}, (None,)),
    ACTIVATE: ({"user": "u0"}, (None,)),
    RENAME: ({"user": "u0", "name": "zoe"}, (None,)),
    "the name of another": (RENAME, {"user": "u0", "name": "ben"}, (None,)),
    REMOVE: ({"user": "u0"}, (None,)),
    OWN: ({"user": "u0", "session": "s0"}, (None,)),
    OWNED: ({"user": "u0"}, ((), ("s0",), ("s0", "s1"), ("s0", "s0"))),
    BEGIN: ({"session": "s9"}, (None,)),
    READ: ({"session": "s0"}, (0, 1, 2)),
    COUNT: ({"session": "s0"}, (0, 2, 3)),
    GET: ({"session": "s0"}, (0, 1)),
    LIST: ({}, ((), ("s0",), ("s1",), ("s0", "s1"))),
    SEARCH: ({"session": "s0"}, (0, 1)),
    DELETE: ({"session": "s0"}, (None,)),
    TABLES: ({}, ((), ("2 rows",))),
}
ERRORS = ("Refused", "Conflict", "NotFound", "KeyError", "crash")


@pytest.mark.parametrize("at_us", [6, 104, 105, 2_000_000])
@pytest.mark.parametrize("world", WORLDS)
def test_each_call_has_a_right_answer(world, at_us):
    """In each world something can be said that is right, and what is then asked, too."""
    done = WORLDS[world]
    done = done if max(one.step.at_us for one in done) <= at_us else done[:-1]
    for name, asked in ASKED.items():
        what, labels, answers = asked if len(asked) == 3 else (name, *asked)
        said = [ok(what, answer, at_us, **labels) for answer in answers]
        said += [no(what, error, at_us=at_us, **labels) for error in ERRORS]
        for claims in (CASCADES, REFUSES)[: 1 if world == "removed" else 2]:
            found = [judged([*done, one], claims).fault for one in said]
            assert None in found, (name, found)
            assert found[-1] is not None
        for one in said:
            looked = ok(WHOSE, "u0", at_us, key="t0"), no(WHOSE, "Expired", at_us=at_us, key="t0")
            judged([*done, one, looked[0]], CASCADES)
            judged([*done, one, looked[1]], CASCADES)
