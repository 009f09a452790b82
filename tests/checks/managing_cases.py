"""What session managers answered: cases that are wrong at their last step, and right ones."""

from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.operations import Failure, Outcome
from sessionproof.workload.managing import CREATE_AGAIN, Done, Step

LIMIT, STEP, BEGAN = 1_800_000_000, 60_000_000, 4_000_000_000_000_000


def session(name="a", accessed=0, created=0, limit=LIMIT, **facts):
    """A session as it is answered, last accessed so long after the beginning."""
    return ManagedSession(
        name, BEGAN + created, BEGAN + accessed, BEGAN + accessed + limit, **facts
    )


def done(call, value, at_us=0, name="", session_id="", **arguments):
    """A call that was answered."""
    return Done(Step(at_us, call, name, arguments), Outcome("ok", value), session_id)


def failed(call, kind, at_us=0, name="", sort="fail"):
    """A call that failed."""
    return Done(Step(at_us, call, name), Outcome(sort, failure=Failure(kind, "no")), "a")


def made(name="s0", known="a", at_us=0, **facts):
    """A session that was made."""
    answer = session(known, at_us, at_us, **facts)
    return done("create_session", answer, at_us, name, known, **facts)


def metrics(**changed):
    """The metrics of one session that lives."""
    return {"created": 1, "deleted": 0, "expired": 0, "active": 1, "total": 1} | changed


WRONG = {
    "another's id": [made(), made("s1")],
    "its time is over at once": [done("create_session", session(limit=0), name="s0")],
    "a fact is lost": [done("create_session", session(), name="s0", chat_id="c")],
    "a fact of nobody": [done("create_session", session(parent_id="p"), name="s0")],
    "another id than was asked for": [
        Done(Step(0, "create_session", "s0", {"session_id": "own"}), Outcome("ok", session("b")))
    ],
    "an id is taken over": [made(), done(CREATE_AGAIN, session(), name="s0")],
    "a taken id is refused as something else": [made(), failed(CREATE_AGAIN, "Refused", name="s0")],
    "a session that lives is not there": [
        made(), done("get_session", None, LIMIT - 1_000, "s0")
    ],
    "a session that is over is there": [
        made(), done("get_session", session(accessed=LIMIT + 1_000), LIMIT + 1_000, "s0")
    ],
    "a session of nobody is there": [done("get_session", session(), name="s0")],
    "a read is no access": [made(), done("get_session", session(), 5_000_000, "s0")],
    "its time grows": [made(), done("get_session", session(limit=LIMIT * 2), name="s0")],
    "an update of what lives says False": [
        made(), done("set_chat_id", False, name="s0", chat_id="c")
    ],
    "an update of what is over says True": [
        made(), done("set_chat_id", True, LIMIT + 1_000, "s0", chat_id="c")
    ],
    "an update is not there": [
        made(), done("set_chat_id", True, name="s0", chat_id="c"),
        done("get_session", session(), name="s0"),
    ],
    "a new session is not new": [made(), done("is_new_session", False, name="s0")],
    "an old session is new": [
        made(), done("update_parent_id", True, name="s0", parent_id="p"),
        done("is_new_session", True, name="s0"),
    ],
    "a parent of nobody": [made(), done("get_parent_id", "p", name="s0")],
    "too few are cleaned up": [made(), done("cleanup", 0, LIMIT + 1_000)],
    "what lives is cleaned up": [made(), done("cleanup", 1, LIMIT - 1_000)],
    "the count is too high": [made(), done("get_session_count", 2)],
    "nothing is deleted": [made(), done("delete_session", False, name="s0")],
    "nobody is deleted": [done("delete_session", True, name="s0")],
    "clear_all forgets one": [made(), made("s1", "b"), done("clear_all", 1)],
    "a list lacks one": [made(), done("get_all_sessions", [])],
    "a list has one twice": [made(), done("get_all_sessions", [session(), session()])],
    "a list has a stranger": [made(), done("get_all_sessions", [session(), session("b")])],
    "what is over is active": [made(), done("get_active_sessions", [session()], LIMIT + 1_000)],
    "a list has other facts": [made(), done("get_all_sessions", [session(chat_id="c")])],
    "created is counted twice": [made(), done("get_metrics", metrics(created=2))],
    "what is over counts as active": [made(), done("get_metrics", metrics(), LIMIT + 1_000)],
    "a message is lost": [
        made(), done("append", None, name="s0"), done("read", [], name="s0")
    ],
    "a message outlives its session": [
        made(), done("append", None, name="s0"), done("delete_session", True, name="s0"),
        done("read", ["message"], name="s0"),
    ],
    "a call that is owed fails": [made(), failed("cleanup", "OperationalError", sort="info")],
    "a message of a live session cannot be read": [made(), failed("read", "NotFound", name="s0")],
    "a freed id is not given": [
        made(), done("delete_session", True, name="s0"),
        done(CREATE_AGAIN, session("b"), name="s0", session_id="a"),
    ],
    "an update is no access": [
        made(), done("set_chat_id", True, 5_000_000, "s0", chat_id="c"),
        done("get_all_sessions", [session(chat_id="c")], 5_000_000),
    ],
    "a session without a parent is not new in its last millisecond": [
        made(), done("is_new_session", False, LIMIT, "s0")
    ],
    "what is over and still stored is not listed": [
        made(), done("get_all_sessions", [], 2 * LIMIT)
    ],
    "a list of all has what is over, and a stranger": [
        made(), done("get_all_sessions", [session(), session("b")], 2 * LIMIT)
    ],
    "a list of what is active has a stranger": [
        made(), done("get_active_sessions", [session(), session("b")])
    ],
    "a list lacks two": [made(), made("s1", "b"), done("get_all_sessions", [])],
    "a list has another limit": [made(), done("get_all_sessions", [session(limit=LIMIT * 2)])],
    "a list has another time": [made(), done("get_all_sessions", [session(accessed=5_000)])],
    "two are active in the last millisecond of one": [
        made(), done("get_metrics", metrics(active=2), LIMIT)
    ],
    "another number is off in the last millisecond": [
        made(), done("get_metrics", metrics(created=2), LIMIT)
    ],
    "what it raised is long": [
        made(), Done(Step(0, "cleanup"), Outcome("info", failure=Failure("OSError", "x" * 400)))
    ],
    "what it answered is long": [made(), done("get_session_count", "x" * 700)],
}  # fmt: skip

RIGHT = {
    "a life": [
        made(chat_id="c"),
        done("get_session", session(accessed=LIMIT - 1_000, chat_id="c"), LIMIT - 1_000, "s0"),
        done("get_session", None, 2 * LIMIT, "s0"),
        done("is_new_session", True, 2 * LIMIT, "s0"),
        done("get_session_count", 1, 2 * LIMIT),
        done("cleanup", 1, 2 * LIMIT),
        done("cleanup", 0, 2 * LIMIT),
        done("get_metrics", metrics(expired=1, active=0, total=0, uptime=1.5), 2 * LIMIT),
    ],
    "a clock that steps back shows it again": [
        made(), done("get_session", None, LIMIT + 1_000, "s0"),
        done("get_active_sessions", [session()], 5), done("get_session", session(), 5, "s0"),
    ],
    "in the last millisecond either is right": [
        made(), done("cleanup", 0), done("get_session", None, LIMIT, "s0"),
        done("get_session_count", 99, LIMIT),
    ],
    "an id is free when its session is gone": [
        made(), done("delete_session", True, name="s0"),
        done(CREATE_AGAIN, session(), name="s0", session_id="a"), done("get_session_count", 1),
    ],
    "a taken id": [made(), failed(CREATE_AGAIN, "Conflict", name="s0")],
    "an instance counts anew": [
        made(), done("reopen", None), done("get_metrics", metrics(created=0)),
    ],
    "an instance counts clean-ups anew": [
        made(), done("cleanup", 1, 2 * LIMIT), done("reopen", None, 2 * LIMIT),
        done("get_metrics", metrics(created=0, active=0, total=0), 2 * LIMIT),
    ],
    "an instance begins with a clean-up": [
        made(), done("get_session_count", 1), done("reopen", None, 2 * LIMIT),
        done("get_session_count", 0, 2 * LIMIT),
    ],
    "a session is made later": [made(at_us=9_000_000), done("get_session_count", 1, 9_000_000)],
    "a session of one microsecond": [
        done("create_session", session(limit=1), name="s0"), done("get_session_count", 1),
    ],
    "a session of a millisecond": [
        done("create_session", session(limit=1_001), name="s0"),
        done("get_session", session(limit=1_001), name="s0"),
    ],
    "a session that begins with its last millisecond": [
        done("create_session", session(limit=1_000), name="s0"),
        done("get_session", session(limit=1_000), name="s0"),
    ],
    "an update is an access": [
        made(), done("set_chat_id", True, 5_000_000, "s0", chat_id="c"),
        done("get_all_sessions", [session(accessed=5_000_000, chat_id="c")], 5_000_000),
    ],
    "what was deleted is counted": [
        made(), done("delete_session", True, name="s0"), done("delete_session", False, name="s0"),
        done("get_metrics", metrics(deleted=1, active=0, total=0)),
        done("reopen", None), done("get_metrics", metrics(created=0, active=0, total=0)),
    ],
    "a session of nobody is new": [
        done("is_new_session", True, name="s0"), done("get_session_count", 0)
    ],
    "a child that is over is new": [
        made(parent_id="p"), done("is_new_session", True, 2 * LIMIT, "s0")
    ],
    "a child in its last millisecond is new": [
        made(parent_id="p"), done("is_new_session", True, LIMIT, "s0")
    ],
    "a child in its last millisecond is not new": [
        made(parent_id="p"), done("is_new_session", False, LIMIT, "s0")
    ],
    "a clean-up leaves what may live": [
        made(), done("cleanup", 0, LIMIT), done("get_session_count", 1, LIMIT)
    ],
    "all that is stored is listed": [made(), done("get_all_sessions", [session()], 2 * LIMIT)],
    "in its last millisecond it is active": [
        made(), done("get_active_sessions", [session()], LIMIT),
        done("get_metrics", metrics(), LIMIT),
    ],
    "in its last millisecond it is not active": [
        made(), done("get_active_sessions", [], LIMIT),
        done("get_metrics", metrics(active=0), LIMIT),
    ],
    "an instance may begin with a clean-up": [
        made(), done("get_session_count", 1), done("reopen", None, LIMIT),
        done("get_session_count", 0, LIMIT),
    ],
    "a time is a millisecond off": [
        made(), done("get_session", session(limit=LIMIT + 1_000), name="s0"),
        done("get_session", session(accessed=4_999_000), 5_000_000, "s0"),
        done("get_session", session(accessed=6_001_000), 6_000_000, "s0"),
    ],
    "no metadata is an empty object": [
        made(), done("get_session", session(metadata={}), name="s0"),
    ],
}  # fmt: skip
