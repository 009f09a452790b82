"""What a handle can do is seen from its methods, and how they must be called."""

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import (
    Append,
    Operation,
    ReadPages,
    Reopen,
    method_of,
)
from sessionproof.contract.store import (
    CAPABILITIES,
    CORE,
    as_offered,
    capabilities_of,
    shape_problems,
)
from sessionproof.oracle.memory import MemoryStore


class Plain:
    """The core, and nothing else."""

    def append(self, session_id, messages):
        """Append."""

    def read(self, session_id):
        """Read."""

    def close(self):
        """Close."""


def with_method(name, function):
    """A plain store with one more method, or another one."""
    return type("Other", (Plain,), {name: function})()


def test_the_core_alone_is_a_store():
    """Three methods suffice, and give no capability."""
    assert shape_problems(Plain()) == []
    assert capabilities_of(Plain()) == frozenset()


def test_capabilities_are_the_methods(tmp_path):
    """Whatever optional method a store has is found; what is no method is not."""
    of_files = {"tables", "verify", "backup", "restore", "recover", "repair", "migrate", "rollback"}
    of_time = {"set_limits", "touch", "set_status", "sweep", "set_clock", "maintain", "health"}
    of_more = {"snapshot", "restore_snapshot", "snapshots", "search", "transact", "manager"}
    of_users = {
        "add_user", "sign_in", "whose", "sign_out", "set_user_active", "rename_user",
        "delete_user", "set_owner", "sessions_of",
    }  # fmt: skip
    assert capabilities_of(MemoryStore(tmp_path)) == (
        set(CAPABILITIES) - of_files - of_time - of_more - of_users
    )
    assert capabilities_of(with_method("list", ["not", "callable"])) == frozenset()
    assert shape_problems(with_method("list", ["not", "callable"])) == []


def test_a_wrapper_may_narrow_what_it_has(tmp_path):
    """An attribute of names narrows the capabilities, and can neither add nor be a text."""
    store = MemoryStore(tmp_path)
    store.capabilities = ["get", "fly"]
    assert capabilities_of(store) == {"get"}
    store.capabilities = "get"
    assert "list" in capabilities_of(store)
    narrowed = with_method("count", lambda self: 0)
    assert len(shape_problems(narrowed)) == 1
    narrowed.capabilities = ()
    assert shape_problems(narrowed) == []


def test_every_missing_method_is_named():
    """A handle without the core is told all that it lacks, with the calls."""
    problems = shape_problems(object())
    assert [line.split(" has no method ")[1] for line in problems] == [
        "append(session_id, messages)", "read(session_id)", "close()",
    ]  # fmt: skip


async def later(self, *arguments, **options):
    """Any call, awaited."""


@pytest.mark.parametrize("method", [*CORE, *CAPABILITIES])
def test_every_signature_is_looked_at(method):
    """A method that cannot be called as the contract calls it is a problem that names it."""
    too_many = with_method(method, lambda self, a, b, c, d, e: None)
    keyword = with_method(method, lambda self, *arguments, colour, **options: None)
    for store in (too_many, keyword):
        (problem,) = shape_problems(store)
        assert problem.startswith(f"Other.{method}(")
        assert f"does not take the contract's call {method}(" in problem
    assert shape_problems(with_method(method, lambda: None)) == [f"Other.{method} takes no self"]
    assert shape_problems(with_method(method, later)) == []
    assert shape_problems(with_method(method, lambda self, *a, more=1, **b: None)) == []


def test_options_are_passed_by_name():
    """The cursor and limit of a page, and the messages of a new session, are keywords."""
    assert (
        shape_problems(with_method("page", lambda self, sid, *, cursor=None, limit=1: None)) == []
    )
    assert shape_problems(with_method("page", lambda self, sid, after, most: None))


def test_a_creation_may_take_no_messages():
    """Sessions begin empty where the method has no place for messages, and the claims say so."""
    empty = with_method("create", lambda self, sid=None: None)
    either = with_method("create", lambda self, sid=None, **more: None)
    assert shape_problems(empty) == []
    assert shape_problems(with_method("create", lambda self: None))
    assert not as_offered(Claims(), empty).limits.first_messages
    for owner in (either, with_method("append", lambda self: None), MemoryStore):
        assert as_offered(Claims(), owner) == Claims()


def test_methods_without_a_signature_are_trusted():
    """A method of a C extension that tells nothing is tried, not refused."""
    handle = Plain()
    handle.read_last = dict.fromkeys  # tells its signature or not, as the version of Python likes
    handle.count = iter
    assert "count" in capabilities_of(handle)
    assert not any("count" in problem for problem in shape_problems(handle))


def test_every_operation_has_a_method():
    """Each operation of a program is one call of the contract."""
    kinds = Operation.__args__
    named = {method_of(kind) for kind in kinds if kind not in (Reopen, ReadPages)}
    assert named <= {*CORE, *CAPABILITIES}
    assert method_of(ReadPages("s", 1)) == "page"
    assert method_of(Append("s", ())) == "append"
