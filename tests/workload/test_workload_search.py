"""The search: repeatable, within its budgets, and honest about stores that fail now and then."""

import itertools

import pytest
from hypothesis import strategies as st

from sessionproof.workload import search as search_module
from sessionproof.workload.search import search

NUMBERS = st.lists(st.integers(0, 1000), max_size=20)


def never(seconds):
    """Go on."""
    return False


def at_once(seconds):
    """Stop as soon as possible."""
    return True


def runs_of(seed, most):
    """The first programs that a seed draws."""
    seen = []

    def judge(program):
        seen.append(program)

    search(NUMBERS, judge, seed=seed, enough=lambda _: len(seen) >= most, shrink_s=1)
    return seen


def test_a_seed_draws_the_same_programs():
    """One seed, one list of programs; another seed, another."""
    assert runs_of(3, 60) == runs_of(3, 60)
    assert runs_of(3, 60) != runs_of(4, 60)
    assert len(set(map(tuple, runs_of(3, 60)))) > 40  # later rounds draw anew


def test_a_planted_fault_is_found_and_shrunk():
    """The counterexample is the smallest program that shows the fault."""

    def judge(program):
        return f"sum {sum(program)}" if sum(program) > 900 else None

    found = search(NUMBERS, judge, seed=0, enough=never, shrink_s=30)
    smallest = found.counterexample
    assert smallest.program == [901]
    assert smallest.fault == "sum 901"
    assert sum(smallest.first_program) > 900
    assert smallest.first_fault == f"sum {sum(smallest.first_program)}"


@pytest.mark.parametrize("period", [2, 3, 7])
def test_a_store_that_fails_now_and_then_is_no_contradiction(period):
    """Whatever fails only sometimes is reported with what was seen, and never as flaky."""
    for seed in range(5):
        turn = itertools.count(1)
        failed = {}

        def judge(program, turn=turn, failed=failed):
            if next(turn) % period:
                return None
            return failed.setdefault(repr(program), f"fault {len(failed)}")

        found = search(NUMBERS, judge, seed=seed, enough=never, shrink_s=5)
        assert failed[repr(found.counterexample.program)] == found.counterexample.fault
        assert failed[repr(found.counterexample.first_program)] == found.counterexample.first_fault


def test_shrinking_has_a_budget(monkeypatch):
    """Past the budget of shrinking the judge is not asked again, however slow it is."""
    clock = [0.0]
    monkeypatch.setattr(search_module, "monotonic_s", lambda: clock[0])
    verdicts = []

    def judge(program):
        clock[0] += 1.0  # a second a program
        verdicts.append(sum(program) > 900)
        return "fault" if verdicts[-1] else None

    found = search(NUMBERS, judge, seed=0, enough=never, shrink_s=5)
    after_the_first = len(verdicts) - verdicts.index(True) - 1
    assert 1 <= after_the_first <= 6
    assert found.programs == len(verdicts)
    assert sum(found.counterexample.program) > 900


def test_no_budget_leaves_the_first_program():
    """Without any time for shrinking, what was found first is reported."""
    found = search(
        NUMBERS, lambda program: "fault" if sum(program) > 900 else None,
        seed=0, enough=never, shrink_s=-1,
    )  # fmt: skip
    assert found.counterexample.program == found.counterexample.first_program


def test_nothing_found_says_how_much_was_tried():
    """The programs that ran are counted, those that were skipped are not."""
    ran = []
    found = search(NUMBERS, ran.append, seed=0, enough=lambda _: len(ran) >= 33, shrink_s=1)
    assert found.counterexample is None
    assert found.programs == len(ran) == 33


def test_one_program_runs_at_least():
    """Even a spent budget examines one program."""
    ran = []
    assert search(NUMBERS, ran.append, seed=0, enough=at_once, shrink_s=1).programs == len(ran) == 1


def test_a_fault_of_the_judge_is_not_a_fault_of_the_store():
    """What the judge raises comes through."""

    def judge(program):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(NUMBERS, judge, seed=0, enough=never, shrink_s=1)
