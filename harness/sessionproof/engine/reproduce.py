"""Findings as files that show them without the harness: ``repro/CORE-06.py`` below the report.

Each is written and run once, in a process of its own: what it did is part of the finding. What does
not fail at once is given some attempts, each on an empty location. A script that does not fail then
says so in the finding; it is never left out. Where there are some, they run in forks of a process
that has imported the store, and what does not fail there in an interpreter of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Finding, Record, Reproducer, Verdict
from sessionproof.engine.imported import CannotFork, Imported
from sessionproof.engine.limits import NO_LIMITS, Limits, hold
from sessionproof.engine.plan import child_environment
from sessionproof.engine.scripts import HOLDS, source_of, stands_alone, starts_itself
from sessionproof.host.forked import Forked
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import first_seeds

FOLDER = "repro"
_OURS = re.compile(r"[A-Z]+-\d+(-\d+)?\.py")
# A script that has not ended by then is ended; one that shows a hang ends before.
_QUICK_S = 30.0
_SLOW_S = 60.0  # one that needs attempts, or a store with much in it
_ALL_S = 120.0  # for all scripts together
_RUNS_MOST = 40
_RACES_AGAIN = 2  # what one script shows in two runs of three, the next ones show
ATTEMPTS = 20  # of a break that does not show every time; one in seven is seen then by 95 %
_LOOK_S = 0.05
_WORTH = 2  # scripts for which the store is imported once
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_SAID_MOST = 300
_OUTPUT_BYTES = 64 * 1024
_NO_SCRIPT = "no script: no few calls in a single process show it"
_HELD = "the script did not fail: it cannot bring about the harness's conditions by itself"
_MEASURED = (Anomaly.GROWTH, Anomaly.MEMORY, Anomaly.SLOW)  # their scripts fill a store
# Breaks that show as an exception of the store, and not as an answer that an assertion refuses.
_RAISING = (Anomaly.UNEXPECTED_REFUSAL, Anomaly.MALFORMED, Anomaly.HANG, Anomaly.CRASH)


@dataclass(frozen=True)
class _Script:
    """A reproducer's file, the anomaly that it must show, and its text for so many attempts.

    ``again`` is how often it is run once more if it does not show: with ``most`` attempts.
    ``forks`` says that it needs no interpreter of its own.
    """

    path: Path
    anomaly: Anomaly
    source: Callable[..., str]
    times: int
    most: int
    again: int
    forks: bool

    def write(self, times: int, *, held: bool = False) -> None:
        """Write the file; ``held`` says that it did not fail."""
        text = self.source(times=times, held=held)
        self.path.write_text(text, "utf-8", errors="backslashreplace")


def reproduce(
    store: str,
    records: Sequence[Record],
    report: Path,
    *,
    directory: Path,
    workers: int = 1,
    run: bool = True,
    all_s: float = _ALL_S,
    attempts: int = ATTEMPTS,
    limits: Limits = NO_LIMITS,
) -> list[Record]:
    """The records with a reproducer in each finding of a break, its file below ``report``.

    ``store`` is the store's name, ``directory`` a place for what the scripts write. Files of
    earlier runs are removed. The quickest scripts come first; those beyond 40 or ``all_s`` seconds
    are written and not run, and none is without ``run``. What does not fail at once is given so
    many ``attempts``.
    """
    folder = report / FOLDER
    _clear(folder)
    paths = _paths_of_this_process()
    scripts: dict[tuple[int, int], _Script] = {}
    made: dict[tuple[int, int], Reproducer] = {}
    for place, name, finding, guarantee in _broken(records):
        if not finding.script:
            made[place] = finding.reproducer or Reproducer(file="", said=_NO_SCRIPT)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        forks = not (starts_itself(finding) or stands_alone(finding))
        most = attempts if forks else 1
        times = most if _now_and_then(finding) else 1
        script = _Script(
            path=path,
            anomaly=finding.anomaly,
            source=partial(source_of, store, GUARANTEES[guarantee], finding, path, paths),
            times=times,
            most=most,
            again=int(times < most) if finding.window is None else _RACES_AGAIN,
            forks=forks,
        )
        script.write(script.times)
        scripts[place] = script
    listed = [*scripts.values()]
    try:
        imported = _imported(store, listed, paths, limits) if run else None
    except KeyboardInterrupt:
        imported, run = None, False
    with imported or contextlib.nullcontext():
        asked = partial(_asked, imported=imported, directory=directory, limits=limits)
        ran = _run_all(listed, asked, workers=workers, all_s=all_s if run else 0.0)
    made |= zip(scripts, ran, strict=True)
    return [_with(record, at, made) for at, record in enumerate(records)]


def _imported(
    store: str, scripts: Sequence[_Script], paths: Sequence[str], limits: Limits
) -> Imported | None:
    """A process that has imported the store, where that is worth it and can be."""
    if sum(script.forks for script in scripts) < _WORTH:
        return None
    try:
        return Imported(store, ["", *paths], _environment(), limits)
    except CannotFork:
        return None


def _environment() -> dict[str, str]:
    return {**child_environment(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}


def _asked(script: _Script, *, imported: Imported | None, **options: Any) -> Reproducer:
    """What the script shows; an interpreter of its own has the last word where it does not fail."""
    if imported is not None and script.forks:
        with contextlib.suppress(CannotFork):
            ran = run_script(script.path, script.anomaly, imported=imported, **options)
            if ran.fails or monotonic_s() > options["until_s"] or options["stop"].is_set():
                return ran
    return run_script(script.path, script.anomaly, **options)


def run_script(
    path: Path,
    anomaly: Anomaly,
    *,
    directory: Path,
    until_s: float,
    stop: threading.Event,
    limits: Limits = NO_LIMITS,
    imported: Imported | None = None,
) -> Reproducer:
    """Run a script once, as a person would: whether it shows the anomaly, and what it said.

    It is ended, with its process group, at ``until_s`` of the monotonic clock or by ``stop``.
    Raises CannotFork where it is to be a fork of what has ``imported``, and cannot be.
    """
    file = f"{FOLDER}/{path.name}"
    with (
        tempfile.TemporaryDirectory(dir=directory, ignore_cleanup_errors=True) as temporary,
        tempfile.TemporaryFile(dir=directory) as output,
    ):
        environment = {**_environment(), "TMPDIR": temporary}
        process: subprocess.Popen[bytes] | Forked
        if imported is not None:
            process = imported.start(path, environment, output.fileno())
        else:
            process = subprocess.Popen(
                [sys.executable, str(path.absolute())],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, start_new_session=True,
            )  # fmt: skip
        hold(limits, process.pid)
        code = _ended(process, until_s, stop)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _OUTPUT_BYTES))
        printed = output.read().decode("utf-8", "replace")
    if code is None:
        why = "interrupted" if stop.is_set() else "it did not end in time"
        return Reproducer(file=file, said=f"ended from outside: {why}")
    return _told(path, anomaly, code, printed)


def _now_and_then(finding: Finding) -> bool:
    """Whether the program did not fail each time that it was run again."""
    failed, _, times = (finding.repeats or "").partition(" of ")
    return failed != times


def _broken(records: Sequence[Record]) -> Iterator[tuple[tuple[int, int], str, Finding, str]]:
    """Each finding of a broken guarantee: its place, the name of its file, itself, its id.

    In the order of the result, so that a run repeated by its seed gives the same names. What
    another seed had shown before is left out.
    """
    numbers: Counter[str] = Counter()
    first = first_seeds(records)
    for at, record in sorted(enumerate(records), key=lambda item: item[1].test):
        if record.verdict is not Verdict.BROKEN:
            continue
        for number, finding in enumerate(record.findings):
            row = record.guarantee
            if record.seed is not None and first[row, finding.anomaly] != record.seed:
                continue
            numbers[row] += 1
            name = f"{row}.py" if numbers[row] == 1 else f"{row}-{numbers[row]}.py"
            yield (at, number), name, finding, row


def _with(record: Record, at: int, made: dict[tuple[int, int], Reproducer]) -> Record:
    findings = tuple(
        replace(finding, reproducer=made.get((at, number), finding.reproducer))
        for number, finding in enumerate(record.findings)
    )
    return replace(record, findings=findings)


def _run_all(
    scripts: Sequence[_Script],
    asked: Callable[..., Reproducer],
    *,
    workers: int,
    all_s: float,
) -> list[Reproducer]:
    """Run the scripts, some at a time; an interruption ends those that run, and starts no more.

    The quickest come first: a slow store's few long ones do not take the time of all others.
    """
    until = monotonic_s() + all_s
    stop = threading.Event()

    def one(number: int, script: _Script) -> Reproducer:
        file = f"{FOLDER}/{script.path.name}"
        if all_s <= 0 or stop.is_set():
            return Reproducer(file=file, said="not run: the run was interrupted")
        if number >= _RUNS_MOST or monotonic_s() > until:
            why = f"{_RUNS_MOST} scripts or {all_s:g} s were over"
            return Reproducer(file=file, said=f"not run: {why}")
        until_s = min(until, monotonic_s() + (_SLOW_S if _slowness(script) else _QUICK_S))
        ran, times = asked(script, until_s=until_s, stop=stop), script.times
        for _ in range(script.again):
            if ran.fails is not False or stop.is_set():
                break
            times = script.most  # it may be one that shows now and then
            script.write(times)
            ran = asked(script, until_s=until_s, stop=stop)
        if ran.fails is False:
            script.write(times, held=True)
        return ran

    with ThreadPoolExecutor(max(1, workers)) as pool:
        order = sorted(range(len(scripts)), key=lambda at: _slowness(scripts[at]))
        waiting = {at: pool.submit(one, number, scripts[at]) for number, at in enumerate(order)}
        try:
            ended = {at: future.result() for at, future in waiting.items()}
        except KeyboardInterrupt:
            stop.set()
            ended = {at: future.result() for at, future in waiting.items()}
    return [ended[at] for at in range(len(scripts))]


def _slowness(script: _Script) -> int:
    """0 where a few calls show the break each time, 1 where attempts may be needed, 2 for loads."""
    if script.anomaly in _MEASURED:
        return 2
    return int(script.times > 1 or script.again > 1)


def _ended(
    process: subprocess.Popen[bytes] | Forked, until_s: float, stop: threading.Event
) -> int | None:
    """The exit code, None when it had to be ended; nothing of its process group is left."""
    code: int | None = None
    while code is None and monotonic_s() < until_s and not stop.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(_LOOK_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return code


def _told(path: Path, anomaly: Anomaly, code: int, printed: str) -> Reproducer:
    """What a script that ended says of the break."""
    name = f"{FOLDER}/{path.name}"
    lines = [line for line in printed.splitlines() if line.strip()]
    last = cut(shown(lines[-1]), _SAID_MOST) if lines else "it said nothing"
    if code == 0:
        if lines and lines[-1].startswith(HOLDS):
            more = last.removeprefix(HOLDS).lstrip(":; ")
            return Reproducer(file=name, fails=False, said=f"{_HELD} ({more})" if more else _HELD)
        fails = True if anomaly is Anomaly.CRASH else None
        return Reproducer(file=name, fails=fails, said=f"it ended before its end: {last}")
    if anomaly is Anomaly.HANG and any(line.startswith("Timeout (") for line in lines):
        return Reproducer(file=name, fails=True, said="a call did not return")
    if code < 0:
        fails = True if anomaly is Anomaly.CRASH else None
        return Reproducer(file=name, fails=fails, said=f"it was ended by signal {-code}: {last}")
    last = cut(shown(_raised(lines) or last), _SAID_MOST)
    frames = [(file, int(line)) for file, line in _FRAME.findall(printed)]
    here = str(path.absolute())  # as Python names its main module, however it was called
    own = [line for file, line in frames if file == here]
    asserted = last.startswith("AssertionError") and bool(frames) and frames[-1][0] == here
    if asserted or (anomaly in _RAISING and own and own[-1] > _opening(path)):
        return Reproducer(file=name, fails=True, said=last)
    return Reproducer(file=name, said=f"it ended otherwise: {last}")


def _raised(lines: Sequence[str]) -> str | None:
    """The line that names the exception: the first behind the last frame of the traceback."""
    frames = [at for at, line in enumerate(lines) if line.startswith("  File ")]
    behind = lines[frames[-1] :] if frames else []
    return next((line for line in behind if not line.startswith(" ")), None)


def _opening(path: Path) -> int:
    """The number of the line behind the imports of a script."""
    lines = path.read_text("utf-8").split("\n")
    opens = (at for at, line in enumerate(lines, 1) if line.lstrip().startswith("location = "))
    return next(opens, len(lines))


def _paths_of_this_process() -> list[str]:
    """Entries of our import path that a new interpreter would not have by itself."""
    asked = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.path, sep='\\0')"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    known = {Path(entry) for entry in os.fsdecode(asked.stdout.rstrip(b"\n")).split("\0")}
    known |= {Path.cwd(), Path(sysconfig.get_path("scripts"))}
    return [entry for entry in sys.path if entry and Path(entry) not in known]


def _clear(folder: Path) -> None:
    """Remove the files that an earlier run made, and the folder when nothing else is in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
