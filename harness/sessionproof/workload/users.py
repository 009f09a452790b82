"""What is asked of users, their tokens and what is theirs: steps in labels, carried out in order.

A step speaks of users, names, tokens and sessions by labels; what came of it is told in the same
labels, so that whoever judges it needs no ids. Where the store's clock can be set it stands at the
time of each step; elsewhere the steps come at their times by the machine's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Outcome
from sessionproof.oracle.lifetime import Span
from sessionproof.workload import lifetime
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import Handle

ADD, SIGN_IN, WHOSE, SIGN_OUT = "add_user", "sign_in", "whose", "sign_out"
ACTIVATE, RENAME, REMOVE = "set_user_active", "rename_user", "delete_user"
OWN, OWNED = "set_owner", "sessions_of"
BEGIN, READ, GET, COUNT, LIST, SEARCH, DELETE, TABLES, REOPEN = (
    "begin", "read", "get", "count", "list", "search", "delete", "tables", "reopen",
)  # fmt: skip
_ALWAYS = (BEGIN, READ)
_DOMAIN = "@example.org"
MESSAGES: Final = 2  # of a session that a step begins

HERE, OTHER, ELSEWHERE = "here", "other", "elsewhere"
"""By whom a step is done: the handle, a second one, one in another process."""


def _flipped(secret: str, at: int) -> str:
    """The secret with another character at one place."""
    at %= max(1, len(secret))
    return secret[:at] + ("b" if secret[at : at + 1] == "a" else "a") + secret[at + 1 :]


SPOILT: Mapping[str, Callable[[str], str]] = {
    "": lambda secret: secret,
    "as nothing": lambda _: "",
    "in the other case": str.swapcase,
    "without its last character": lambda secret: secret[:-1],
    "with one character more": lambda secret: f"{secret}x",
    "with another first character": lambda secret: _flipped(secret, 0),
    "with another middle character": lambda secret: _flipped(secret, len(secret) // 2),
    "with another last character but one": lambda secret: _flipped(secret, -2),
    "as a pattern": lambda _: "%",
    "as a pattern of its length": lambda secret: "_" * len(secret),
}
"""How a password or a token is spoilt. The last character of a token may hold bits of padding."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call, so many microseconds after the beginning. All but times are labels.

    ``key`` is a token, ``knows`` the user whose password is given, ``spoilt`` how it is changed.
    """

    what: str
    user: str = ""
    name: str = ""
    key: str = ""
    session: str = ""
    knows: str = ""
    spoilt: str = ""
    active: bool = True
    idle_us: int | None = None
    hard_us: int | None = None
    at_us: int = 0
    by: str = HERE


@dataclass(frozen=True, slots=True)
class Done:
    """A step with when it was done and what came of it.

    ``answer`` is in labels, where it names what is known, else as it came. ``words`` is the text of
    a refusal without the name that was given, ``tells`` the labels of passwords that it holds.
    """

    step: Step
    now: Span
    outcome: Outcome
    answer: Any = None
    words: str = ""
    tells: tuple[str, ...] = ()


@dataclass
class Bench:
    """The store and what stands for the labels of one program.

    ``began_us`` is when its clock begins, None for a store whose clock cannot be set. ``opens``
    makes a further handle, of this process or another.
    """

    store: StoreUnderTest
    sample: Message
    capabilities: frozenset[str]
    began_us: int | None
    opens: Callable[[str], Handle]
    prefix: str = ""
    at_us: int | None = None
    users: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    others: dict[str, Handle] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def name(self, label: str) -> str:
        """What a user signs in with."""
        return f"{self.prefix}{label}{_DOMAIN}"

    def password(self, label: str) -> str:
        """The password of a user: letters and digits that stand nowhere else."""
        digest = hashlib.sha256(f"{self.prefix}{self.store.location.root}{label}".encode())
        return f"Pw{digest.hexdigest()[:40]}_"

    def handle(self, by: str) -> Handle:
        """The handle of a step; raises CannotOpen."""
        if by == HERE:
            return self.store.handle()
        if by not in self.others:
            self.others[by] = self.opens(by)
            self._set(self.others[by])
        return self.others[by]

    def stands_at(self, at_us: int) -> Outcome | None:
        """Set the clock of every handle; what the first answered that did not take it."""
        self.at_us = at_us
        for handle in (self.store.handle(), *self.others.values()):
            outcome = self._set(handle)
            if outcome is not None and outcome.failure is not None:
                return outcome
        return None

    def _set(self, handle: Handle) -> Outcome | None:
        if self.began_us is None or self.at_us is None or "set_clock" not in handle.capabilities:
            return None
        return lifetime.set_clock(handle, self.began_us + self.at_us)

    def leave(self) -> None:
        """Close the further handles."""
        while self.others:
            self.others.popitem()[1].close()


def usable(steps: Sequence[Step], capabilities: Collection[str], claims: Claims) -> list[Step]:
    """The steps that this store can be asked; further handles and reopening as claimed."""
    return [
        step
        for step in steps
        if step.what in capabilities or step.what in _ALWAYS or step.what == REOPEN
        if step.what != REOPEN or claims.at_least("durability", "process")
        if step.by != OTHER or claims.at_least("handles", "threads")
        if step.by != ELSEWHERE or claims.at_least("handles", "processes")
    ]
