"""A judged load in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.history.columns import Type
from sessionproof.history.format import whole_file
from sessionproof.trials.load_verdict import LoadVerdict, Told
from sessionproof.trials.offered_load import rates_of
from sessionproof.trials.recorded_load import Recorded
from sessionproof.workload.slices import here

FORMAT, VERSION = "sessionproof-load", 1
HOLDS, BROKEN, UNKNOWN, INTERRUPTED = 0, 1, 4, 130
_SHOWN = {
    HOLDS: "holds",
    BROKEN: "broken",
    UNKNOWN: "could not tell",
    INTERRUPTED: "interrupted",
}
_WORKERS_MOST = 8
_REASONS_MOST = 10
_FAILURES_MOST = 20  # texts in the file
_INCIDENTS_MOST = 1_000  # in the file; they are counted all


@dataclass(frozen=True, kw_only=True)
class Run:
    """A load with all that led to it."""

    store: str
    version: str | None
    executor: str
    mix: str
    clients: int
    sessions: int
    seed: int
    claims: Claims
    declared: bool
    recorded: Recorded
    judged_s: float


def exit_code(run: Run, verdict: LoadVerdict) -> int:
    """As of the command: an interruption first, then a break, then a doubt."""
    if run.recorded.interrupted:
        return INTERRUPTED
    if verdict.breaks or run.recorded.stopped:
        return BROKEN
    return UNKNOWN if verdict.unknown else HOLDS


def summary(run: Run, verdict: LoadVerdict) -> Iterator[tuple[str, str]]:
    """Names and sentences, in the order in which they are read."""
    done = run.recorded
    if done.stopped:
        yield "stopped", done.stopped
    for reason in verdict.unknown[:_REASONS_MOST]:
        yield "not known", reason
    if len(verdict.unknown) > _REASONS_MOST:
        yield "not known", f"{len(verdict.unknown) - _REASONS_MOST:,} more are in the report"
    rate = done.made / done.seconds if done.seconds else 0.0
    yield (
        "made",
        (
            f"{done.made:,} operations in {done.seconds:.1f} s, {rate:,.0f} in a second; "
            f"{verdict.beside:,} beside another client's on the same session"
        ),
    )
    ended = verdict.ended
    yield (
        "ended",
        ", ".join(
            f"{ended[sort]:,} {sort.name.lower()}" for sort in (Type.OK, Type.FAIL, Type.INFO)
        ),
    )
    failed = verdict.failures.most_common(1)
    if failed:
        (text, often), every = failed[0], verdict.failures.total()
        yield "failed", f"{every:,} were not ok, {often:,} of them: {text}"
    units = [f"{number:,} {unit}" for unit, number in verdict.judged.examined.items() if number]
    yield "examined", f"{', '.join(units) or 'nothing'}, judged in {run.judged_s:.1f} s"
    shown = [f"{name} ×{number}" for name, number in done.workers.most_common(_WORKERS_MOST)]
    more = len(done.workers) - len(shown)
    yield "workers", "; ".join(shown) + (f"; {more} more" if more > 0 else "")
    yield from _losses(run, verdict)
    for clock in clocks(done):
        if clock["offset_ms"] or clock["error_ms"]:
            yield (
                "clock",
                (
                    f"{clock['host']}: {clock['offset_ms']:+,.3f} ms from ours, "
                    f"known to ± {clock['error_ms']:,.3f} ms"
                ),
            )
    if not run.declared:
        yield "claims", "none are declared: judged by what probing showed, or by --require"
    if verdict.others:
        yield "allowed", f"{len(verdict.others):,} incidents that the claims do not rule out"
    yield "level", verdict.judged.level
    yield "verdict", _SHOWN[exit_code(run, verdict)]


def _losses(run: Run, verdict: LoadVerdict) -> Iterator[tuple[str, str]]:
    done = run.recorded
    if done.deaths:
        number = len(done.deaths)
        workers = "worker" if number == 1 else "workers"
        yield "lost", f"{number} {workers}: {', '.join(done.deaths[:_WORKERS_MOST])}"
    if done.given_up:
        yield "given up", f"{done.given_up} slices that nobody carried out"
    if verdict.unrecorded:
        yield (
            "unrecorded",
            (
                f"{verdict.unrecorded:,} appends of lost attempts were read; they count as calls "
                "of unknown outcome"
            ),
        )


def clocks(recorded: Recorded) -> list[dict[str, Any]]:
    """Each clock by its machine: how far it was from ours, and the largest error of a wave."""
    found = []
    for boot, host in recorded.hosts.items():
        bounds = [part.bounds for part in recorded.parts if part.boot == boot and part.wave]
        if boot == here().boot or not bounds:
            offset, error = 0, 0
        else:
            offset, error = bounds[-1].offset_ns, max(one.error_ns for one in bounds)
        found.append({"host": host, "offset_ms": offset / 1e6, "error_ms": error / 1e6})
    return found


def write_load(run: Run, verdict: LoadVerdict, path: Path) -> Path:
    """Write the file, whole or not at all; raises HistoryError where that is not possible."""
    with whole_file(path) as file:
        file.write(json.dumps(_as_json(run, verdict, path.parent), indent=2).encode())
    return path


def _as_json(run: Run, verdict: LoadVerdict, folder: Path) -> dict[str, Any]:
    done, code = run.recorded, exit_code(run, verdict)
    return {
        "format": FORMAT,
        "version": VERSION,
        "store": run.store,
        "store_version": run.version,
        "executor": run.executor,
        "mix": run.mix,
        "clients": run.clients,
        "sessions_at_once": run.sessions,
        "seed": run.seed,
        "claims": claims_to_json(run.claims),
        "declared": run.declared,
        "verdict": _SHOWN[code],
        "exit_code": code,
        "offered": [{**asdict(rate), "kept_up": rate.kept_up} for rate in rates_of(done.rates)],
        "operations": done.made,
        "seconds": round(done.seconds, 3),
        "waves": done.waves,
        "beside": verdict.beside,
        "ended": {sort.name.lower(): verdict.ended[sort] for sort in Type},
        "failures": dict(verdict.failures.most_common(_FAILURES_MOST)),
        "malformed": verdict.malformed,
        "examined": {unit: int(number) for unit, number in verdict.judged.examined.items()},
        "level": verdict.judged.level,
        "unknown": verdict.unknown,
        "stopped": done.stopped,
        "evidence": done.evidence,
        "workers": dict(done.workers),
        "lost": done.deaths,
        "given_up": done.given_up,
        "unrecorded": verdict.unrecorded,
        "clocks": clocks(done),
        "histories": [path.relative_to(folder).as_posix() for path in verdict.histories],
        "breaks": len(verdict.breaks),
        "allowed": len(verdict.others),
        "incidents": [_incident(told) for told in verdict.breaks[:_INCIDENTS_MOST]],
    }


def _incident(told: Told) -> dict[str, Any]:
    return {
        "anomaly": str(told.incident.anomaly),
        "session": told.session,
        "sentence": told.sentence,
        "clock": told.clock,
        "ids": [int(number) for number in told.incident.ids],
        "flagged": int(told.incident.flagged),
        "operations": list(told.operations),
    }
