"""Nights that nobody spent: for the tests of what is made of them."""

from __future__ import annotations

from datetime import date, timedelta

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.corpus import MOST, Corpus, after
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
    """A night of 2026, by its day from the first of January on."""
    began = date(2026, 1, 1) + timedelta(days=day - 1)
    usual = {
        "started_at": f"{began.isoformat()}T03:17:00+00:00",
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


def weeks(number: int = 60) -> list[Night]:
    """Many nights of one store: some breaks, one of them flaky, and a regression of speed."""
    every = [name for name in GUARANTEES if not name.startswith(("MGR", "PERF"))]
    return [_of_weeks(day, every) for day in range(1, number + 1)]


def _of_weeks(day: int, every: list[str]) -> Night:
    broken = {"CORE-06"} | ({"CONC-05", "SEQ-04"} if 20 <= day < 27 else set())
    broken |= {"DUR-03"} if day % 3 == 0 and day > 40 else set()
    broken |= {"COR-01"} if 50 <= day < 59 else set()
    broken |= {"TMO-06"} if day == 60 else set()
    unsure = {"SCALE-01"} if day % 7 == 0 else set()
    slices = [
        ran(
            part=part,
            seed=1_000 * day + place,
            broken=" ".join(sorted(broken.intersection(rows) - {"CORE-06"})),
            unsure=" ".join(sorted(unsure.intersection(rows))),
            held=" ".join(sorted(set(rows) - broken - unsure)),
            rows=(seen("CORE-06", known="issue 12"),) if "CORE-06" in rows else (),
            seconds=400.0 + 90 * place,
            version="7.1",
            report=f"runs/n{day}/{place:04d}-x" if broken.intersection(rows) - {"CORE-06"} else "",
        )
        for place, (part, rows) in enumerate(_by_area(every))
    ]
    gone = {27: (20_000, "CONC-05 SEQ-04"), 60: (50_002, "COR-01")}
    replays = []
    if day in gone:
        seed, rows = gone[day]
        replays = [replay(held=rows, seed=seed + 1_000 * at) for at in range(3)] * MOST
    spared = [replay(held="DUR-03", seed=42_001)] * 2 if day > 58 else []
    return night(*slices, *replays, *spared, speed(3 if day == 33 else 0), day=day)


def _by_area(every: list[str]) -> list[tuple[str, list[str]]]:
    groups = {
        "concurrency": ("CONC", "SEQ"), "crash": ("DUR",), "corruption": ("COR", "BAK", "MIG"),
        "timeouts": ("TMO",), "scale": ("SCALE",),
    }  # fmt: skip
    named = {group for those in groups.values() for group in those}
    others = [name for name in every if name.partition("-")[0] not in named]
    return [
        *((part, [name for name in every if name.partition("-")[0] in those])
          for part, those in groups.items()),
        ("one client", others),
    ]  # fmt: skip
