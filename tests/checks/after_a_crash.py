"""Smallest recordings, and what is shown after a crash of them."""

from __future__ import annotations

from sessionproof.checks import survivors
from sessionproof.checks.flaws import Shown
from sessionproof.checks.survivable import Act, Timeline
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Completed, Failure, Outcome, Read

CLAIMS = Claims(atomic_batches=True, keeps={"role", "content", "tokens"})
DEAD = Outcome("info", failure=Failure("DatabaseError", "the file is malformed"))
UNKNOWN = Outcome("fail", failure=Failure("NotFound", "s0"))
HUNG = Outcome("info", failure=Failure("hang", "no answer within 1 s", {"stack": "in sleep"}))
BUSY = Outcome("fail", failure=Failure("Conflict", "busy"))


def says(*texts):
    """Messages with these texts."""
    return tuple(Message("user", text, tokens=2) for text in texts)


def at_point(operations, point, shown, *, claims=CLAIMS, **options):
    """The flaws after a crash. The operation n runs from change 2n - 1 to its answer, 2n + 1.

    One that is given as completed was answered so, all others well.
    """
    completed = (
        one if isinstance(one, Completed) else Completed(one, Outcome("ok"), one.session)
        for one in operations
    )
    acts = [
        Act(client=0, done=done, asked=2 * number - 1, answered=2 * number + 1)
        for number, done in enumerate(completed)
    ]
    return survivors.judge_survivors(shown, Timeline(acts, claims), point, **options)


def reads(*texts, **more):
    """What is shown when s0 has these messages."""
    return Shown(reads={"s0": Outcome("ok", says(*texts))}, **more)


AB = Append("s0", says("a", "b"))
CD = Append("s0", says("c", "d"))
REFUSED = Completed(CD, BUSY, "s0")
LOOKED = Completed(Read("s0"), Outcome("ok", ()), "s0")
