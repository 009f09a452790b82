"""Programs are trimmed to what their failure needs."""

from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, List, Read, Replace
from sessionproof.trials import trimming
from sessionproof.trials.trimming import trimmed

TEXTS = [Message("user", str(number)) for number in range(8)]


def always():
    """There is time."""
    return True


def test_steps_and_messages_that_are_not_needed_go():
    """What is left fails, and without any part of it would not."""
    program = (Create("s0"), *(Append("s0", tuple(TEXTS)) for _ in range(5)), Read("s0"))

    def fails(program):
        sent = [m.content for step in program if isinstance(step, Append) for m in step.messages]
        return sent.count("3") >= 2 and sent.count("5") >= 1 and Read("s0") in program

    left = trimmed(program, fails, always)
    sent = [[m.content for m in step.messages] for step in left if isinstance(step, Append)]
    assert sorted(map(tuple, sent)) == [("3",), ("3", "5")]
    assert len(left) == 3


def test_a_batch_keeps_one_message():
    """An empty batch is another operation, and so is a step that is gone."""
    program = (Replace("s0", tuple(TEXTS[:3])),)
    assert trimmed(program, lambda left: len(left) == 1, always) == (Replace("s0", (TEXTS[0],)),)


def test_without_time_nothing_is_tried():
    """The budget holds for every attempt."""
    tried = []
    program = (Append("s0", tuple(TEXTS)), Read("s0"))
    assert trimmed(program, tried.append, lambda: False) == program
    assert tried == []


def test_half_of_the_sessions_go_at_once():
    """One of many is found in a few attempts: each may have to start a process."""
    names = [f"s{number}" for number in range(11)]
    program = (*(Append(name, (TEXTS[0],)) for name in names), *map(Read, names), List())
    tried = []

    def fails(left):
        tried.append(left)
        return Append("s4", (TEXTS[0],)) in left and List() in left

    assert trimmed(program, fails, always) == (Append("s4", (TEXTS[0],)), List())
    assert len(tried) <= 12


def test_two_sessions_stay_where_both_are_needed():
    """Halves that go on without the fault are no way further; steps are left out then."""
    program = tuple(Append(f"s{number}", (TEXTS[0],)) for number in range(8))
    left = trimmed(program, lambda left: {program[0], program[7]} <= {*left}, always)
    assert left == (program[0], program[7])


def test_the_first_attempts_have_longer(monkeypatch):
    """A store may take as long to open as there is for all attempts."""
    now = [0.0]
    monkeypatch.setattr(trimming, "monotonic_s", lambda: now[0])
    in_time = trimming.a_while(1.0)
    now[0] = 2.0
    assert [in_time() for _ in range(17)] == [True] * 16 + [False]
    now[0] = 0.5
    assert in_time()
    quick = trimming.a_while(1.0)
    now[0] = 60.0
    assert not quick()
