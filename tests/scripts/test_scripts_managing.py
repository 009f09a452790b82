"""Scripts of session managers: they fail where the store is broken, and pass where it is mended."""

import pytest

from fixtures.registry import judged, mutants
from sessionproof.checks.managing import ManagerFault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import HANG, MALFORMED, Failure, Outcome
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.scripts.lifetime import Times
from sessionproof.scripts.managing import lines_of, program_of
from sessionproof.workload.managing import CREATE_AGAIN, KILL, Done, Step

SOUND = "fixtures.benign.managing:ManagesInSqlite"
HELLO = Message("user", "Hello")
BROKEN = {
    "TakesIdsOver": "MGR-02",
    "UpdatesAll": "MGR-03",
    "ManagesWholeSeconds": "MGR-06",
    "MixesClocks": "MGR-06",
    "SaysItIsClosed": "MGR-10",
    "WritesFactsAtTheEnd": "MGR-11",
    "NullIsAName": "MGR-12",
    "LeavesTheMessages": "MGR-14",
}
"""Each way in which a script is made: calls in time, in a zone, behind a kill, refused calls."""


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_fails_on_the_broken_store_alone(name, tmp_path):
    """Run in a process of its own, against the mutant and against the store that it is made of."""
    (mutant,) = (one.store for one in mutants() if one.store.endswith(f":{name}"))
    records = judged(mutant, BROKEN[name], directory=tmp_path)
    assert records[-1].verdict is Verdict.BROKEN
    for store, fails in ((mutant, True), (SOUND, False)):
        report = tmp_path / str(fails)
        made = reproduce(store, records[-1:], report, directory=tmp_path, attempts=1)
        reproducer = made[0].findings[0].reproducer
        assert reproducer.fails is fails, reproducer


def lines(last, outcome, *, fault_lines=(), refused="", before=()):
    """The script of a few calls on a clock that is set by a method."""
    done = (*before, Done(last, outcome, "a"))
    fault = ManagerFault(len(before), Anomaly.WRONG_ANSWER, "x", "y", tuple(fault_lines), refused)
    return lines_of(done, fault, HELLO, Times("method", 1_000), answer_s=5), program_of(done, fault)


def test_a_hang_is_ended_by_the_script():
    """With the stack of the call that hung."""
    script, _ = lines(Step(0, "cleanup"), Outcome("info", failure=Failure(HANG, "late")))
    assert "faulthandler.dump_traceback_later(5, exit=True)  # no answer" in script


@pytest.mark.parametrize(
    ("call", "holds"),
    [
        ("cleanup", "assert isinstance(answer, int), answer"),
        ("delete_session", "assert isinstance(answer, bool), answer"),
        ("get_parent_id", "assert isinstance(answer, (str, type(None))), answer"),
        ("shutdown", "assert answer is None, answer"),
        ("get_all_sessions", "for one in answer:"),
        ("get_session", "for one in [answer] if answer is not None else []:"),
    ],
)
def test_a_malformed_answer_has_a_line_for_its_type(call, holds):
    """As the contract has it."""
    malformed = Outcome("info", failure=Failure(MALFORMED, "a list"))
    script, _ = lines(Step(0, call, "s0"), malformed)
    assert holds in script


def test_metrics_that_are_malformed_name_what_is_owed():
    """The five counts, and nothing about others."""
    malformed = Outcome("info", failure=Failure(MALFORMED, "no created"))
    script, _ = lines(Step(0, "get_metrics"), malformed)
    assert any("('created', 'deleted', 'expired', 'active', 'total')" in line for line in script)


def test_what_comes_before_a_kill_is_done_by_a_child():
    """Its sessions have ids of our own, which the parent knows; the program says it in words."""
    given = {"session_id": "own-0"}
    before = (
        Done(Step(0, "create_session", "s0", given), Outcome("ok"), "own-0"),
        Done(Step(5, "set_chat_id", "s0", {"chat_id": "c"}), Outcome("ok", True), "own-0"),
        Done(Step(5, KILL), Outcome("ok")),
    )
    script, program = lines(
        Step(7, "get_session", "s0"), Outcome("ok", None), before=before,
        fault_lines=["assert answer is not None"],
    )  # fmt: skip
    at = script.index("os.waitpid(child, 0)")
    assert script[at + 1 : at + 4] == [
        "s0 = 'own-0'", "store = open_store(location)", "store.set_clock(began + 7)"
    ]  # fmt: skip
    assert any(line.startswith("    store.manager('set_chat_id'") for line in script[:at])
    assert program[2] == "the process is killed; store = open_again()  # at 0:00:00.000005"


def test_an_error_of_the_wrong_kind_is_told_from_the_right_one():
    """The right one lets the script pass, and so does nothing else."""
    script, program = lines(Step(0, CREATE_AGAIN, "s0"), Outcome("ok", None), refused="Conflict")
    assert "except Conflict:" in script
    assert "    raise AssertionError('it was accepted')" in script
    assert program == ("manager.create_session(session_id=s0)  # at 0:00:00",)
