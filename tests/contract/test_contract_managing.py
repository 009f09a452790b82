"""The calls of a session manager as data, and what their answers may be."""

import pytest

from sessionproof.contract.errors import Refused
from sessionproof.contract.managing import CALLS, ManagedSession, answer_of, call_manager

KNOWN = ManagedSession("s", 1, 2, 3, chat_id="c", metadata={"k": [None]})
SHOWN = {
    "session_id": "s", "created_at_us": 1, "last_accessed_us": 2, "expires_at_us": 3,
    "chat_id": "c", "metadata": {"k": [None]},
}  # fmt: skip


class Said:
    """A manager that answers what it was asked."""

    def get_session(self, session_id):
        return KNOWN if session_id == "s" else None

    def get_all_sessions(self):
        return (KNOWN,)

    def create_session(self, first_user_message=None, *, session_id=None, chat_id=None):
        return ManagedSession(session_id or "new", 1, 1, 1, first_user_message, chat_id)

    def update_parent_id(self, session_id, parent_id):
        return (session_id, parent_id) == ("s", None)

    def get_metrics(self):
        return {"created": 1, "deleted": 0, "expired": 0, "active": 1, "total": 1}


def test_calls_go_by_name_and_come_back_as_they_were():
    """A session becomes an object without its unset fields, and a session again."""
    assert call_manager(Said(), "get_session", {"session_id": "s"}) == SHOWN
    assert answer_of("get_session", SHOWN) == KNOWN
    assert (
        answer_of("get_session", call_manager(Said(), "get_session", {"session_id": "x"})) is None
    )
    assert answer_of("get_all_sessions", call_manager(Said(), "get_all_sessions", {})) == [KNOWN]
    made = call_manager(Said(), "create_session", {"chat_id": "c"})
    assert answer_of("create_session", made) == ManagedSession("new", 1, 1, 1, chat_id="c")
    asked = {"session_id": "s", "parent_id": None}
    assert answer_of("update_parent_id", call_manager(Said(), "update_parent_id", asked)) is True
    assert answer_of("get_metrics", call_manager(Said(), "get_metrics", {}))["total"] == 1


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("fly", {}, "no call 'fly'"),
        ("cleanup", {"session_id": "s"}, "cleanup takes nothing, not session_id"),
        ("get_session", {}, "get_session needs session_id"),
    ],
)
def test_what_is_no_call_is_refused(call, arguments, words):
    """Unknown calls, arguments that are too many and those that are missing are named."""
    with pytest.raises(Refused, match=words):
        call_manager(Said(), call, arguments)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("get_session", {**SHOWN, "parent": "p"}),
        ("get_session", {**SHOWN, "expires_at_us": 3.0}),
        ("get_session", {**SHOWN, "created_at_us": True}),
        ("create_session", None),
        ("get_all_sessions", SHOWN),
        ("cleanup", None),
        ("cleanup", True),
        ("get_session_count", "3"),
        ("is_new_session", 1),
        ("get_parent_id", 7),
        ("shutdown", True),
        ("generate_session_id", None),
        ("get_metrics", {"created": 1}),
        ("get_metrics", []),
    ],
)
def test_answers_of_another_shape_are_told(call, answer):
    """What the contract does not allow raises ValueError."""
    with pytest.raises(ValueError, match=r"answered|expected|no field|whole number| is a "):
        answer_of(call, answer)


def test_every_call_has_an_answer():
    """No call's answer goes unchecked: an object that is nothing is refused by each."""
    for call in CALLS:
        with pytest.raises(ValueError, match=r"answered|expected|no field|whole number| is a "):
            answer_of(call, {"nothing": object()})
