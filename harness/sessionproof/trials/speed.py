"""What each operation costs one client, beside raw SQLite, and how much room a store takes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sessionproof.bench.client import TEXT_BYTES, Client, Opening, cut, opening_of, text_bytes
from sessionproof.bench.floors import open_and_close, synchronous_for
from sessionproof.bench.operations import Row, rows_for
from sessionproof.bench.rounds import Lend
from sessionproof.bench.table import LEAST_ROUNDS, CallFailed, Plan, Table, measure
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Ratio, Speed
from sessionproof.contract.operations import Failure, Outcome
from sessionproof.contract.seed import derive
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.scripts.expressions import Unwritable, expression
from sessionproof.scripts.program import whole
from sessionproof.scripts.speed import script_of_cost
from sessionproof.trials.beside import beside, in_chunks, lending
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.sizes import measure_sizes
from sessionproof.workload.guard import CannotOpen

MESSAGES = 1_000  # of the session that is read
_LOAD_S = 1.5  # what loading may take; a slow store has fewer messages
_CLEARLY = 1.3  # a script without intervals shows what is so far above its claim
_TIME_S = 15.0  # after which no further row begins


def single_client(trial: Trial) -> None:
    """Measure every operation that the store has, then judge those whose cost it claims."""
    rows = rows_for(trial.capabilities)
    table = _measured(trial, rows)
    trial.measured += table.speeds
    trial.notes += [f"{name} was not measured: {why}" for name, why in table.missed.items()]
    measure_sizes(trial)
    if not trial.claims.costs:
        raise NotClaimed("the store claims no costs; what was measured is in the report")
    speeds = {speed.operation: speed for speed in table.speeds}
    doubtful = [row for row in rows if _is_doubtful(speeds.get(row.operation))]
    again = _measured(trial, doubtful, times=2).speeds if doubtful else ()
    _judge(trial, table, speeds, {speed.operation: speed for speed in again})


def _measured(trial: Trial, rows: Sequence[Row], *, times: int = 1) -> Table:
    """The rows on an empty location, in ``times`` as many rounds."""
    plan = Plan(
        rounds=times * trial.profile.rounds,
        least=times * LEAST_ROUNDS,
        until_s=monotonic_s() + _TIME_S,
        seed=derive(trial.seed, "table", times),
        most=trial.claims.costs,
    )
    trial.store.fresh_location()
    parent = trial.store.location.root.parent  # the same file system as the store's
    with tempfile.TemporaryDirectory(prefix="floor-", dir=parent) as folder:
        opening, why = _opening(trial, Path(folder))
        if opening is None:
            rows = [row for row in rows if row.operation != "open"]
        handle = trial.handle()
        with beside(trial, handle, Path(folder) / "floor.db", opening=opening) as client:
            try:
                _load(trial, client, lending(handle), MESSAGES)
                table = measure(rows, client, lending(handle), plan)
            except CallFailed as failed:
                _require_answer(trial, client.doing or "append", failed.failure)
                raise
    return table if not why else replace(table, missed={**table.missed, "open": why})


def _opening(trial: Trial, folder: Path) -> tuple[Opening | None, str]:
    """How to open the store at a location of its own, or why it cannot be timed."""
    other, floor = trial.store.below(folder), folder / "opened.db"
    try:
        handle = other.handle()
        with beside(trial, handle, floor) as client:
            _load(trial, client, lending(handle), 1)
            session, awaited = client.session, client.awaited
        closed = other.close()
        if closed.failure is not None:
            raise CallFailed(closed.failure)
    except (CannotOpen, CallFailed) as why:
        return None, str(why)
    finally:
        other.close()
    synchronous = synchronous_for(trial.claims.durability)
    return opening_of(
        trial.store.spec,
        other.location,
        session,
        partial(open_and_close, floor, session, synchronous=synchronous),
        awaits=bool((other.awaited | awaited) & {"open", "read", "close"}),
    ), ""


def _load(trial: Trial, client: Client, lend: Lend, number: int) -> None:
    """Put so many messages into the client's session, fewer where that would take long."""
    number = min(number, trial.claims.limits.retention or number)
    in_chunks(lend, client.load, number, within_s=_LOAD_S)
    lend(client.settle)


def _judge(
    trial: Trial, table: Table, speeds: Mapping[str, Speed], again: Mapping[str, Speed]
) -> None:
    """Raise for what costs more than is claimed, both times; note what may."""
    unknown: list[str] = []
    above: list[tuple[float, Speed, Ratio]] = []
    for operation, most in trial.claims.costs.items():
        first = speeds.get(operation)
        last = again.get(operation, first)
        if operation in table.failures:
            _require_answer(trial, operation, table.failures[operation])
        if first is None or last is None:
            why = table.missed.get(operation, "the store has no such operation")
            unknown.append(f"the cost of {operation} is claimed and was not measured: {why}")
        elif last.ratio is None:
            unknown.append(f"{operation}: {last.note}")
        else:
            trial.count("rounds", last.ratio.rounds)
            if last.ratio.low <= most:
                if last.ratio.high > most:
                    said = f"{operation} costs {shown(last)}: about the {most:g} that is claimed"
                    trial.notes.append(said)
            elif first.ratio is None:
                unknown.append(f"{operation} was measured once: {first.note}")
            else:
                above.append((last.ratio.low / most, first, last.ratio))
    if above:
        _, worst, ratio = max(above, key=lambda one: one[0])
        raise Broken(_finding(trial, worst, ratio))
    if unknown:
        raise CouldNotTell("; ".join(unknown))


def _finding(trial: Trial, speed: Speed, again: Ratio) -> Finding:
    did = f"timed {speed.operation} {speed.latency.calls:,} times, in turns with {speed.floor}"
    finding = Finding(
        anomaly=Anomaly.SLOW,
        did=f"{did} ({speed.note})" if speed.note else did,
        expected=f"it costs at most {speed.most:g} times as much, as is claimed",
        seen=f"{speed.operation} cost {shown(speed)}, "
        f"and {again.value:.3g} × [{again.low:.3g}, {again.high:.3g}] when measured again",
    )
    trial.store.close()
    try:
        return replace(finding, script=whole(_script(trial, speed, again), trial.store.awaited))
    except Unwritable as why:
        return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))


def _script(trial: Trial, speed: Speed, again: Ratio) -> Sequence[str]:
    """The lines that show it; raises Unwritable where they may not, on another day."""
    most = speed.most or 0
    if again.low < most * _CLEARLY:
        raise Unwritable(f"it is too near to the {most:g} that is claimed to show every time")
    together = trial.claims.limits.batch_bytes is None
    text = next(cut("words of a chat ", text_bytes(trial.claims, TEXT_BYTES)))
    return script_of_cost(
        speed.operation,
        most,
        [*made(trial, "s0"), f"message = {expression(good_message(trial, text))}"],
        synchronous=synchronous_for(trial.claims.durability),
        named_by_store=trial.claims.session_ids == "store",
        together=together,
        updates="edit_message" if "set_state" not in trial.capabilities else "set_state",
    )


def shown(speed: Speed) -> str:
    """The ratio of a row in words."""
    ratio = speed.ratio
    if ratio is None:
        return f"{speed.latency.p50_us:.0f} µs"
    return (
        f"{ratio.value:.3g} × [{ratio.low:.3g}, {ratio.high:.3g}] {speed.floor} "
        f"in {ratio.rounds} calm rounds of {ratio.of}"
    )


def _require_answer(trial: Trial, operation: str, failure: Failure) -> None:
    """Raise Broken with a call that failed while it was timed."""
    trial.require_ok(Outcome("info", failure=failure), f"timed {operation}, call after call")


def _is_doubtful(speed: Speed | None) -> bool:
    """Whether the row is to be measured again: its claim looks broken, or too little was calm."""
    if speed is None or speed.most is None:
        return False
    return speed.ratio is None or speed.ratio.low > speed.most
