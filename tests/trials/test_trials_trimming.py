"""Programs are trimmed to what their failure needs."""

from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Read, Replace
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
