"""The registry of guarantees: what is promised, to whom it applies, how much evidence it needs.

A row enters together with the suite that checks it; documents are generated from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sessionproof.contract.claims import Claims


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A condition on the claims, and the words that say it."""

    words: str
    made: Callable[[Claims], bool]


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """One row. ``needs`` names capabilities, ``claim`` a claim: without them it is not claimed.

    ``least`` is the least evidence, counted in ``unit``; below it the verdict is "could not tell".
    ``weight`` is its share of the profile's time.
    """

    id: str
    promise: str
    unit: str
    least: int
    needs: tuple[str, ...] = ()
    claim: Claim | None = None
    weight: float = 1.0

    @property
    def group(self) -> str:
        """The part of the id before the dash."""
        return self.id.partition("-")[0]


ATOMIC = Claim(words="atomic_batches", made=lambda claims: claims.atomic_batches)
DURABLE = Claim(
    words="durability of at least process",
    made=lambda claims: claims.at_least("durability", "process"),
)
VALIDATES = Claim(words="validates", made=lambda claims: claims.validates)
CALLER_IDS = Claim(words="session_ids=caller", made=lambda claims: claims.session_ids == "caller")
RETENTION = Claim(words="limits.retention", made=lambda claims: claims.limits.retention is not None)
NUMBERED = Claim(words="seq_start", made=lambda claims: claims.seq_start is not None)
RENUMBERS = Claim(words="seq_after_delete", made=lambda claims: claims.seq_after_delete is not None)

_ROWS = (
    Guarantee(
        id="CORE-01",
        promise="What was appended is read back, equal in every field that the store keeps, "
        "in append order.",
        unit="messages",
        least=50,
    ),
    Guarantee(
        id="CORE-02",
        promise="A batch keeps its inner order and lands whole or not at all, also when one of "
        "its elements is invalid.",
        unit="batches",
        least=10,
        claim=ATOMIC,
    ),
    Guarantee(
        id="CORE-03",
        promise="The newest n messages are answered, oldest first, for n = 0, 1, all, and more "
        "than all.",
        unit="reads",
        least=20,
        needs=("read_last",),
    ),
    Guarantee(
        id="CORE-04",
        promise="Paging by cursor gives every message once, in order, in pages of at most the "
        "limit.",
        unit="reads",
        least=10,
        needs=("page",),
    ),
    Guarantee(
        id="CORE-05",
        promise="Sessions do not see each other: no operation on one changes another.",
        unit="operations",
        least=40,
    ),
    Guarantee(
        id="CORE-06",
        promise="Each text is read back equal, or refused with an error and nothing is written; "
        "it is never changed.",
        unit="texts",
        least=30,
    ),
    Guarantee(
        id="CORE-07",
        promise="Session ids are opaque: any two different ids are different sessions, or an id "
        "is refused.",
        unit="ids",
        least=30,
        claim=CALLER_IDS,
    ),
    Guarantee(
        id="CORE-08",
        promise="All is there after close and reopen, by another handle and by another process.",
        unit="reopenings",
        least=3,
        claim=DURABLE,
    ),
    Guarantee(
        id="CORE-09",
        promise="Reading an unknown session is empty or a not-found error, the same each time, "
        "and creates nothing.",
        unit="reads",
        least=10,
    ),
    Guarantee(
        id="CORE-10",
        promise="An unknown role, a negative number and wrong types are refused, and nothing is "
        "written.",
        unit="messages",
        least=5,
        claim=VALIDATES,
    ),
    Guarantee(
        id="CORE-11",
        promise="The whole interface agrees with the oracle for any sequence of operations.",
        unit="operations",
        least=200,
        weight=3.0,
    ),
    Guarantee(
        id="CORE-12",
        promise="What is returned or passed is a copy: changing it changes nothing stored.",
        unit="reads",
        least=2,
    ),
    Guarantee(
        id="CORE-14",
        promise="Repetition is data: n equal messages count n, and an equal batch sent twice "
        "counts twice.",
        unit="messages",
        least=30,
    ),
    Guarantee(
        id="CORE-17",
        promise="What a retention limit drops is what the claim says, and nothing else.",
        unit="messages",
        least=30,
        claim=RETENTION,
    ),
    Guarantee(
        id="SEQ-01",
        promise="Sequence numbers rise by one from the declared start while nothing was deleted; "
        "afterwards they rise strictly.",
        unit="numbers",
        least=50,
        claim=NUMBERED,
    ),
    Guarantee(
        id="SEQ-03",
        promise="Messages stay in append order when their times tie; in stores ordered by append, "
        "also when times step back or jump a day.",
        unit="messages",
        least=50,
    ),
    Guarantee(
        id="SEQ-05",
        promise="After the newest messages are removed, the next number follows the declared "
        "rule and never repeats a living one.",
        unit="numbers",
        least=20,
        claim=RENUMBERS,
    ),
)

GUARANTEES: dict[str, Guarantee] = {row.id: row for row in _ROWS}
