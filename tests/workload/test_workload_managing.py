"""Calls of a session manager through the guard: outcomes, never exceptions."""

import pytest

from fixtures.benign.managing import ManagesInSqlite
from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.operations import MALFORMED
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.managing import Desk, Step, ask, carried_out
from sessionproof.workload.profiles import Deadlines

BEGAN = 4_102_444_800_000_000


@pytest.fixture
def under_test(tmp_path):
    """Make the store under test of a class."""
    stores = []

    def make(store):
        spec = spec_of("odd", store)
        claims = getattr(store, "claims", Claims())
        stores.append(StoreUnderTest(spec, claims, parent=tmp_path, deadlines=Deadlines()))
        return stores[-1]

    yield make
    for one in stores:
        one.close()


def test_steps_are_carried_out_at_their_times(under_test):
    """Names stand for the ids that the manager made, and the clock stands where it is told."""
    desk = Desk(under_test(ManagesInSqlite), Message("user", "Hello"), BEGAN)
    made, got, again, read, opened, nobody = carried_out(
        (
            Step(0, "create_session", "s0", {"first_user_message": "Hello"}),
            Step(5_000_000, "get_session", "s0"),
            Step(5_000_000, "create_again", "s0"),
            Step(5_000_000, "read", "s0"),
            Step(6_000_000, "reopen"),
            Step(6_000_000, "get_session", "s1"),
        ),
        desk,
    )
    assert made.outcome.value.created_at_us == BEGAN
    assert made.session_id == got.outcome.value.session_id
    assert got.outcome.value.last_accessed_us == BEGAN + 5_000_000
    assert again.outcome.failure.type == "Conflict"
    assert read.outcome.value == ()
    assert (opened.outcome.type, nobody.outcome.value) == ("ok", None)


class AnswersOddly(ManagesInSqlite):
    """Numbers as texts."""

    def manager(self, call, arguments):
        """A text, whatever was asked."""
        return "7"


@pytest.mark.parametrize("call", ["cleanup", "get_session", "get_metrics", "get_all_sessions"])
def test_a_malformed_answer_is_a_failure_of_its_own(call, under_test):
    """It says what was expected."""
    outcome = ask(under_test(AnswersOddly).handle(), call, {"session_id": "a"})
    assert outcome.failure is not None
    assert outcome.failure.type == MALFORMED
    assert call in outcome.failure.text


def test_a_refusal_is_a_definite_failure(under_test):
    """Its text is the store's."""
    outcome = ask(under_test(ManagesInSqlite).handle(), "get_session", {"session_id": ""})
    assert outcome.type == "fail"
    assert outcome.failure is not None
    assert outcome.failure.text == "a session's id is a text that is not empty"
