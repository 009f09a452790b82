"""What each operation costs one client, beside raw SQLite, and how much room a store takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sessionproof.bench.claimed import Standing, bounds_of, standing
from sessionproof.bench.client import TEXT_BYTES, Client, Opening, opening_of
from sessionproof.bench.floors import open_and_close, synchronous_for
from sessionproof.bench.operations import Row, rows_for
from sessionproof.bench.rounds import Lend
from sessionproof.bench.table import LEAST_ROUNDS, CallFailed, Plan, Table, measure
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Speed
from sessionproof.contract.operations import Failure, Outcome
from sessionproof.contract.seed import derive
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.scripts.expressions import Unwritable, expression
from sessionproof.scripts.program import whole
from sessionproof.scripts.speed import script_of_cost
from sessionproof.trials.beside import beside, in_chunks, lending, own_folder
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.sizes import measure_sizes
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.texts import cut, text_bytes

MESSAGES = 1_000  # of the session that is read
_LOAD_S = 1.5  # what loading may take; a slow store has fewer messages
_CLEARLY = 1.3  # a script without intervals shows what is so far above its claim
_ROUND_S = 0.006  # what a round of one row may take, with all that is made for it
_AGAIN = (2, 3, 6)  # times as many rounds, while a cost that is claimed is in doubt
_AGAIN_S = 3.0  # what one row may take then: on a busy machine most rounds are disturbed
_ROW_TIME_S = 2.0  # so much for each row, and 15 s at least; then no further one begins


def single_client(trial: Trial) -> None:
    """Measure every operation that the store has, then judge those whose cost it claims."""
    rows = rows_for(trial.capabilities)
    table = _measured(trial, rows)
    trial.measured += table.speeds
    trial.notes += [f"{name} not measured: {why}" for name, why in table.missed.items()]
    measure_sizes(trial)
    if not trial.claims.costs:
        raise NotClaimed("the store claims no costs; what was measured is in the report")
    for operation in trial.claims.costs:
        if operation in table.failures:
            _require_answer(trial, operation, table.failures[operation])
    _judge(trial, table, _measured_again(trial, rows, table))


def _measured_again(trial: Trial, rows: Sequence[Row], table: Table) -> dict[str, list[Speed]]:
    """By operation, all measurements of what is claimed: one, or more where one does not decide."""
    seen = {speed.operation: [speed] for speed in table.speeds if speed.most is not None}
    for times in _AGAIN:
        unsure = [row for row in rows if _standing(trial, seen, row.operation) == "unknown"]
        if not unsure or trial.time_is_up():
            break
        for speed in _measured(trial, unsure, times=times).speeds:
            seen[speed.operation].append(speed)
    return seen


def _standing(trial: Trial, seen: Mapping[str, Sequence[Speed]], operation: str) -> Standing | None:
    """Where an operation stands to its claim; None where nothing is claimed or was measured."""
    return standing(seen[operation], trial.claims.costs[operation]) if operation in seen else None


def _measured(trial: Trial, rows: Sequence[Row], *, times: int = 1) -> Table:
    """The rows on an empty location, in ``times`` as many rounds."""
    plan = Plan(
        rounds=times * trial.profile.rounds,
        least=times * LEAST_ROUNDS,
        row_s=_ROUND_S * trial.profile.rounds if times == 1 else _AGAIN_S,
        until_s=monotonic_s() + max(15.0, _ROW_TIME_S * len(rows)),
        seed=derive(trial.seed, "table", times),
        most=trial.claims.costs,
    )
    trial.store.fresh_location()
    parent = trial.store.location.root.parent  # the same file system as the store's
    with own_folder("floor-", below=parent) as folder:
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
            session = client.session
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
        awaits=bool(other.awaited & {"open", "read", "close"}),
    ), ""


def _load(trial: Trial, client: Client, lend: Lend, number: int) -> None:
    """Put so many messages into the client's session, fewer where that would take long."""
    number = min(number, trial.claims.limits.retention or number)
    in_chunks(lend, client.load, number, within_s=_LOAD_S)
    lend(client.settle)


def _judge(trial: Trial, table: Table, seen: Mapping[str, Sequence[Speed]]) -> None:
    """Raise for what costs more than is claimed, and does so again; note what may."""
    unknown: list[str] = []
    above: dict[str, float] = {}
    for operation, most in trial.claims.costs.items():
        where = _standing(trial, seen, operation)
        if where is None:
            why = table.missed.get(operation, "the store has no such operation")
            unknown.append(f"the cost of {operation} is claimed and was not measured: {why}")
            continue
        newest = bounds_of(seen[operation][-1])
        trial.count("rounds", sum(one.ratio.rounds for one in seen[operation] if one.ratio))
        if where == "unknown":
            unknown.append(f"the cost of {operation}: {seen[operation][-1].note or newest.words}")
        elif where == "above":
            above[operation] = newest.low / most
        elif where == "about":
            trial.notes.append(f"{operation} cost {newest.words}, about the {most:g} of its claim")
    if above:
        worst = max(above, key=above.__getitem__)
        raise Broken(_finding(trial, seen[worst]))
    if unknown:
        raise CouldNotTell("; ".join(unknown))


def _finding(trial: Trial, speeds: Sequence[Speed]) -> Finding:
    first, bounds = speeds[0], [bounds_of(speed) for speed in speeds]
    finding = Finding(
        anomaly=Anomaly.SLOW,
        did=f"timed {first.operation} {first.latency.calls:,} times, in turns with {first.floor}; "
        f"{first.note}".removesuffix("; "),
        expected=f"it costs at most {first.most:g} times as much, as is claimed",
        seen=f"{first.operation} cost {'; again, '.join(one.words for one in bounds)}",
    )
    trial.store.close()  # what closing answers is known only then
    try:
        lines = _script(trial, first, min(one.low for one in bounds))
        return replace(finding, script=whole(lines, trial.store.awaited))
    except Unwritable as why:
        return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))


def _script(trial: Trial, speed: Speed, low: float) -> Sequence[str]:
    """The lines that show it; raises Unwritable where they may not, on another day."""
    most = speed.most or 0
    if low < most * _CLEARLY:
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


def _require_answer(trial: Trial, operation: str, failure: Failure) -> None:
    """Raise Broken with a call that failed while it was timed."""
    trial.require_ok(Outcome("info", failure=failure), f"timed {operation}, call after call")
