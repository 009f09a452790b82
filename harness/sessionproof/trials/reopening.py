"""What is left after close: read by the same process, another handle, another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import Append, Completed, Read, Reopen
from sessionproof.host.client import open_hosted
from sessionproof.scripts.program import by_another_handle, by_another_process
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import Transcript
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines

_PATIENCE, _LEAST_S = 2, 60.0


def still_there(trial: Trial) -> None:
    """Programs of appends, closes and reads; then the last one read from elsewhere."""
    trial.search(trial.strategy(Append, Append, Reopen, sessions=2, most=10), count=_reopenings)
    sample = trial.words.samples[0]
    program = trial.program(Append("s0", (sample,) * 3), Reopen(), Append("s0", (sample,)))
    transcript = trial.run(program, examined=1)
    if trial.claims.at_least("handles", "threads"):
        _read_elsewhere(trial, transcript, trial.store.another_handle(), by_another_handle)
    trial.store.close()
    other = in_another_process(trial.store.spec, trial.store.location, trial.store.deadlines)
    _read_elsewhere(trial, transcript, other, by_another_process)


def _read_elsewhere(
    trial: Trial,
    transcript: Transcript,
    other: Handle,
    lines: Callable[[Transcript, Fault, Claims], Sequence[str]],
) -> None:
    """Read through another handle what the transcript's last read saw; ``lines`` show it again."""
    try:
        session = transcript[-1].session_id or ""
        read = Read("s0")
        seen = Completed(read, other.invoke(read, session), session)
    finally:
        other.close()
    whole = (*transcript, seen)
    fault = judge(whole, trial.claims)
    if fault is not None:
        trial.conclude(whole, fault, lambda: lines(whole, fault, trial.claims))
    trial.count("reopenings")


def in_another_process(spec: StoreSpec, location: Location, deadlines: Deadlines) -> Handle:
    """A handle on the location in a process of its own; raises CannotOpen.

    It has more time to open, a minute at least: an interpreter starts and imports libraries, some
    of which take ten seconds where nothing else is going on.
    """
    patient = replace(deadlines, open_s=max(_LEAST_S, _PATIENCE * deadlines.open_s))
    if not spec.name.startswith("cmd:"):  # a command is a process of its own already
        name, late_s = spec.name, patient.open_s
        spec = replace(spec, open=lambda there: open_hosted(name, there, handshake_s=late_s))
    try:
        return Handle(spec, location, deadlines=patient)
    except CannotOpen as error:
        raise CannotOpen(f"in another process: {error}") from None


def _reopenings(transcript: Transcript) -> int:
    return sum(
        isinstance(done.operation, Reopen) and done.outcome.type == "ok" for done in transcript
    )
