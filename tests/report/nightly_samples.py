"""Nights that nobody spent: for the tests of what is made of them."""

from __future__ import annotations

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.corpus import Corpus, after
from sessionproof.report.nightly.night import REPLAY, SPEED, Night, Ran, Seen, Slice

STORE = "shop.chat:Store"


def seen(row: str, verdict: Verdict = Verdict.BROKEN, **changes) -> Seen:
    """What a slice says of a guarantee that it did not see hold."""
    said = "lost-message: 1 message" if verdict is Verdict.BROKEN else "too little evidence"
    repeat = f"sessionproof run {STORE} --seed 7 --only {row}"
    return Seen(id=row, verdict=verdict, **{"said": said, "repeat": repeat, **changes})


def ran(
    *,
    broken: str = "",
    held: str = "",
    unsure: str = "",
    rows: tuple[Seen, ...] = (),
    part: str = "concurrency",
    seed: int = 7,
    store: str = STORE,
    **changes,
) -> Ran:
    """A slice; ids are separated by blanks."""
    found = (
        *map(seen, broken.split()),
        *(seen(row, Verdict.UNKNOWN) for row in unsure.split()),
        *rows,
    )
    asked = (*held.split(), *(one.id for one in found))
    slice_ = Slice(
        store=store, part=part, profile="gate", seed=seed, rows=changes.pop("asked", asked)
    )
    usual = {"at": "2026-01-05T03:17:00+00:00", "seconds": 40.0, "state": "judged", "exit_code": 0}
    return Ran(asked=slice_, held=tuple(held.split()), rows=found, **{**usual, **changes})


def replay(**given) -> Ran:
    """A slice that tries a seed once more."""
    return ran(part=REPLAY, **{"seconds": 5.0, **given})


def speed(code: int = 0, **changes) -> Ran:
    """A benchmark."""
    return ran(part=SPEED, exit_code=code, **{"said": "none is slower", **changes})


def night(*every: Ran, day: int = 5, **changes) -> Night:
    """A night of January 2026."""
    usual = {
        "started_at": f"2026-01-{day:02d}T03:17:00+00:00",
        "sessionproof": "0.1.0",
        "machine": {"cores": "2"},
        "stores": (STORE,),
        "profile": "gate",
        "seed": 1,
        "budget_s": 3600.0,
        "rows": tuple(GUARANTEES),
        "ended": True,
    }
    return Night(ran=every, **{**usual, **changes})


def left(*nights: Night) -> Corpus:
    """The corpus that these nights leave."""
    corpus = Corpus()
    for one in nights:
        corpus = after(corpus, one)
    return corpus
