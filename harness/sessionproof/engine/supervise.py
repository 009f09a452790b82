"""Running pytest as a child, from outside: progress, the run's clock, and a clean end.

This process never runs the store. It starts the workers' controller in a session of its own,
follows what they write, and ends all of them when the run's time is over or the user interrupts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessionproof.contract.clock import monotonic_s
from sessionproof.engine.children import LIFELINE
from sessionproof.engine.limits import Room
from sessionproof.engine.plan import Plan, child_environment
from sessionproof.engine.records import RECORDS, value_of
from sessionproof.engine.timings import Pass

_INI = """[pytest]
addopts =
xfail_strict = true
filterwarnings = default
"""
_FINISHED = ("0", "1", "2", "5")  # pytest's codes: all passed, some failed, given up, no test
_GRACE_S = 5.0  # for a controller to end by itself
_FULL = (
    "the run was ended, as more was written below its folder than there may be: "
    "--location names a file system with more room"
)
SUITES = ("sessionproof_suites",)

Follow = Callable[[dict[str, Any]], None]


@dataclass
class Supervised:
    """How a run ended. ``problems`` are sentences about what went wrong around the store."""

    finished: bool = False
    interrupted: bool = False
    problems: list[str] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)


def supervise(
    plan: Plan, *, workers: int, follow: Follow, suites: Sequence[str] = SUITES
) -> Supervised:
    """Run the suites; ``follow`` gets every line that a worker writes.

    Timed tests are run alone, one after the other: after all others by the one worker, or in a
    second pass when there are more.
    """
    (plan.directory / "plan.json").write_text(json.dumps(plan.to_json()), "utf-8")
    (plan.directory / "pytest.ini").write_text(_INI, "utf-8")
    tail = _Tail(plan.directory, follow)
    ended = Supervised()
    until = monotonic_s() + plan.profile.deadlines.run_s
    ended.passes.append(Pass("first pass", workers))
    timed = "last" if workers == 1 else "no"
    first = [*_workers(workers), f"--store-timed={timed}", *_targets(suites)]
    _one_pass(plan, "finished", first, tail, ended, until)
    if workers > 1 and ended.finished and tail.timed and not ended.interrupted:
        ended.finished = False
        ended.passes.append(Pass("timed pass", 1))
        alone = [*_workers(1), "--store-timed=only", *_targets(suites)]
        _one_pass(plan, "finished-timed", alone, tail, ended, until)
    return ended


def _workers(number: int) -> list[str]:
    return [
        "-p", "xdist.plugin", "-n", str(number), "--dist", "load", "--maxschedchunk", "1",
        "--max-worker-restart", "3",
    ]  # fmt: skip


def _targets(suites: Sequence[str]) -> list[str]:
    return ["--pyargs", *suites]


def _one_pass(
    plan: Plan,
    mark: str,
    arguments: Sequence[str],
    tail: _Tail,
    ended: Supervised,
    until: float,
) -> None:
    output = plan.directory / f"{mark}.log"
    tail.notes = times = ended.passes[-1]
    lifeline, theirs = os.pipe()
    os.set_inheritable(lifeline, True)
    command = [
        sys.executable, "-m", "pytest", "-c", str(plan.directory / "pytest.ini"),
        "--rootdir", str(plan.directory), "--noconftest", "-p", "no:cacheprovider",
        "-p", "no:faulthandler", "-p", "sessionproof.plugin",
        "--store-plan", str(plan.directory / "plan.json"), "-q",
        "-s",  # what a store prints, however much, goes into the log and not into memory
        *arguments,
    ]  # fmt: skip
    environment = {
        **child_environment(),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        LIFELINE: str(lifeline),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(plan.directory / "hypothesis"),
    }
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True, pass_fds=(lifeline,),
        )  # fmt: skip
        os.close(lifeline)
        try:
            _follow(process, tail, plan.directory / mark, ended, until)
            _ask_to_end(process, ended)
        finally:
            _end(process)
            os.close(theirs)
    tail.read()
    times.end()
    if ended.interrupted or ended.problems:
        return  # it was ended, whatever it says of itself
    ended.finished = _is_finished(plan.directory / mark)
    if not ended.finished:
        ended.problems.append(f"the run did not come to its end: {_last_words(output)}")


def _is_finished(mark: Path) -> bool:
    """Whether the controller came to its end, by its mark, and not by an error of its own."""
    try:
        return mark.read_text("ascii") in _FINISHED
    except (OSError, ValueError):
        return False


def _last_words(output: Path) -> str:
    try:
        return " / ".join(output.read_text("utf-8", "replace").strip().splitlines()[-3:])
    except OSError:
        return "somebody removed its folder while it ran, the store or who clears temporary files"


def _follow(
    process: subprocess.Popen[bytes], tail: _Tail, mark: Path, ended: Supervised, until: float
) -> None:
    """Wait for the end of the run, its deadline, the end of the room on its disk, or the user."""
    room = Room(mark.parent)
    marked_at: float | None = None
    try:
        while process.poll() is None:
            tail.read()
            now = monotonic_s()
            if marked_at is None and mark.exists():
                marked_at = now
            if marked_at is not None and now - marked_at > _GRACE_S:
                return  # all is told; something of the store keeps the process alive
            if now > until:
                ended.problems.append("the run's time was over before all was judged")
                return
            if room.is_used_up():
                ended.problems.append(_FULL)
                return
            time.sleep(0.05)
    except KeyboardInterrupt:
        ended.interrupted = True


def _ask_to_end(process: subprocess.Popen[bytes], ended: Supervised) -> None:
    """Let the controller end by itself, a moment long; the user need not wait for it."""
    if process.poll() is not None:
        return
    try:
        process.send_signal(signal.SIGINT)
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    except KeyboardInterrupt:  # once more: what was told by now is reported all the same
        ended.interrupted = True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the controller, if it has not ended, and all its workers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Tail:
    """Reads what workers append to their files, line by line."""

    def __init__(self, directory: Path, follow: Follow) -> None:
        self._directory = directory
        self._follow = follow
        self._read: dict[Path, int] = {}
        self.timed = 0
        self.notes: Pass | None = None

    def read(self) -> None:
        """Hand every new whole line on."""
        for path in sorted(self._directory.glob(RECORDS)):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                value = value_of(line)
                if value is None:
                    continue
                self.timed = max(self.timed, value.get("timed", 0))
                if self.notes is not None:
                    self.notes.note(value)
                self._follow(value)
