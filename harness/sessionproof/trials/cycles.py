"""What open and close leave behind: files, threads and processes, after equal cycles of use."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

from sessionproof.bench.memory import family
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Operation, Outcome, Read, message_call
from sessionproof.host.client import HostedStore
from sessionproof.trials.lines import made
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.workload.guard import Handle, Wait
from sessionproof.workload.sessions import begin
from sessionproof.workload.threads import Threads
from sessionproof.workload.vocabulary import timed

CYCLES = 5
_CLIENTS = 4
_WARM = 2  # what is made once in a process is made in the first cycles
_SETTLES_S = 1.0  # for threads and processes that were told to end, and do
_CONTROLS = 3  # processes that end meanwhile: the machine let others end, too


@dataclass(frozen=True)
class Open:
    """What is open in this process: targets of descriptors, idents of threads, children."""

    files: Counter[str]
    threads: frozenset[int]
    children: frozenset[int]

    def beyond(self, before: Open) -> dict[str, list[str]]:
        """What is there now and was not before, by sort, in words."""
        running = {thread.ident: thread for thread in threading.enumerate()}
        new = sorted(self.threads - before.threads)
        return {
            "descriptors": sorted((self.files - before.files).elements()),
            "threads": [running[one].name if one in running else f"thread {one}" for one in new],
            "child processes": [_command(one) for one in sorted(self.children - before.children)],
        }


def nothing_is_left_open(trial: Trial) -> None:
    """Equal cycles of opening, calling and closing; what is left after each must not pile up.

    What a process makes once (a pool, an event loop's helper) is there after the first cycles and
    does not grow. What grows with each cycle was not given back.
    """
    if not Path("/proc/self/fd").is_dir():
        raise CouldNotTell("this system does not show the open files of a process")
    if _is_hosted(trial):
        _nothing_outlives_its_process(trial)
        return
    trial.store.close()
    for _ in range(_WARM):
        _cycle(trial)
    before = _look()
    for _ in range(CYCLES):
        _cycle(trial)
        trial.count("cycles")
    left = _settled(before)
    names = threading.enumerate()
    for what, those in left.items():
        if len(those) < CYCLES:
            continue
        evidence = {"left": "\n".join(those)}
        if what == "threads":
            evidence["stacks"] = _stacks([one for one in names if one.name in those])
        shown = ", ".join(f"{number} × {name}" for name, number in Counter(those).most_common(3))
        trial.require(
            False,
            Anomaly.LEFT_OPEN,
            did=f"opened, used and closed the store in {CYCLES} equal cycles",
            expected=f"after the last close as many {what} as before the first",
            seen=f"{len(those)} more: {shown}",
            program=("store = open_store(location)", "…", "store.close()"),
            script=_script(trial, what),
            evidence=evidence,
        )


def _is_hosted(trial: Trial) -> bool:
    asked = trial.handle().lend(
        "the store's class", lambda store, _: isinstance(store, HostedStore)
    )
    return bool(asked.value)


def _nothing_outlives_its_process(trial: Trial) -> None:
    """A store in a process of its own: with the handle its whole family ends."""
    for _ in range(CYCLES):
        handle = trial.handle()
        _call(trial, handle, begin(handle, _name(trial), trial.claims, trial.capabilities).value)
        there = handle.lend("its processes", lambda store, _: family(store.pid)).value
        trial.require_ok(trial.store.close(), "closed the store")
        trial.count("cycles")
        until = monotonic_s() + _SETTLES_S
        while (left := [pid for pid in there if _runs(pid)]) and monotonic_s() < until:
            sleep(0.01)
        trial.require(
            not left,
            Anomaly.LEFT_OPEN,
            did="closed a store that runs in a process of its own",
            expected="its process and all that it started have ended",
            seen=f"still running: {', '.join(map(_command, left))}",
        )


def _cycle(trial: Trial) -> None:
    """Handles of their own in threads, then a handle that all share, as the claims allow."""
    many = trial.claims.at_least("handles", "threads")
    with ExitStack() as stack:
        handles = [trial.store.another_handle() for _ in range(_CLIENTS if many else 1)]
        for handle in handles:
            stack.callback(handle.close)
        session = begin(handles[0], _name(trial), trial.claims, trial.capabilities).value
        clients = Threads(len(handles))
        stack.callback(clients.close)
        calls = [partial(_call, trial, handle, session) for handle in handles]
        clients.together(calls, deadline_s=3 * trial.store.deadlines.operation_s)
    if many and trial.claims.shared_handle:
        _share(trial)


def _share(trial: Trial) -> None:
    """One handle used by threads that end before it is closed, or by tasks."""
    handle = trial.store.another_handle()
    try:
        session = begin(handle, _name(trial), trial.claims, trial.capabilities).value
        message = _message(trial)
        if "append" in trial.store.awaited:
            handle.lend("tasks", partial(_tasks, session=session, message=message))
            return
        lent = handle.lend("threads that share a handle", lambda store, _: store)
        clients = Threads(_CLIENTS)
        try:
            calls = [partial(_raw, lent.value, session, message)] * _CLIENTS
            clients.together(calls, deadline_s=trial.store.deadlines.operation_s)
        finally:
            clients.close()
    finally:
        handle.close()


def _raw(store: Any, session: str, message: Message) -> None:
    try:
        store.append(session, [message])
        store.read(session)
    except Exception:  # noqa: BLE001 - other rows judge whether it may fail
        return


def _tasks(store: Any, wait: Wait, *, session: str, message: Message) -> None:
    async def both() -> None:
        await store.append(session, [message])
        await store.read(session)

    async def all_of_them() -> None:
        await asyncio.gather(*(both() for _ in range(_CLIENTS)), return_exceptions=True)

    wait(all_of_them())


def _call(trial: Trial, handle: Handle, session: str) -> None:
    """Append and read; a failure is another row's matter, a hang or a crash is not."""
    operations: tuple[Operation, ...] = (Append("s", (_message(trial),)), Read("s"))
    outcomes: list[Outcome] = [handle.invoke(one, session) for one in operations]
    if handle.dropped:
        trial.require_ok(outcomes[-1], "appended and read by several handles at once")


def _message(trial: Trial) -> Message:
    return timed(trial.words.samples[0], trial.claims)


def _name(trial: Trial) -> str:
    trial.count("sessions")
    return f"cycle-{trial.examined['sessions']}"


def _look() -> Open:
    gc.collect()
    files: Counter[str] = Counter()
    for one in Path("/proc/self/fd").iterdir():
        try:
            files[_target(str(one.readlink()))] += 1
        except OSError:
            continue  # the descriptor of this listing
    threads = frozenset(one.ident or 0 for one in threading.enumerate() if one.is_alive())
    return Open(files, threads, frozenset(family(os.getpid())))


def _settled(before: Open) -> dict[str, list[str]]:
    """What is left beyond ``before``; threads and processes that are about to end may do so.

    On a machine that is too busy to let them, processes of ours take as long to begin and end.
    """
    until, controls = monotonic_s() + _SETTLES_S, 0
    while True:
        left = _look().beyond(before)
        if all(len(those) < CYCLES for those in left.values()):
            return left
        if monotonic_s() > until:
            if controls == _CONTROLS:
                return left
            subprocess.run([sys.executable, "-c", "import threading"], check=False)
            controls += 1
        sleep(0.02)


def _target(link: str) -> str:
    """Where a descriptor leads; of sockets and pipes only the sort, as their numbers differ."""
    return link.partition(":[")[0]


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"process {pid}"
    return f"process {pid}: {b' '.join(words).decode('utf-8', 'replace').strip()[:100]}"


def _runs(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def _stacks(threads: Sequence[threading.Thread]) -> str:
    frames = sys._current_frames()
    return "\n".join(
        f"{one.name}\n{''.join(traceback.format_stack(frames[one.ident])[-6:])}"
        for one in threads[:3]
        if one.ident in frames
    )


_NUMBER = {
    "descriptors": "len(os.listdir('/proc/self/fd'))",
    "threads": "threading.active_count()",
    "child processes": "len(Path(f'/proc/self/task/{os.getpid()}/children').read_text().split())",
}


def _script(trial: Trial, what: str) -> tuple[str, ...]:
    """The same cycles: a handle for each thread, and one that threads share."""
    message, number = message_call(_message(trial)), _NUMBER[what]
    if {"append", "open"} & trial.store.awaited:
        used = [f"again.append(s0, [{message}])", "again.read(s0)"]
        cycle = ["again = open_store(location)", *used, "again.close()"]
    else:
        shared = trial.claims.at_least("handles", "threads") and trial.claims.shared_handle
        used = [
            "def use(again):",
            f"    again.append(s0, [{message}])",
            "    again.read(s0)",
            "again = open_store(location)",
            "use(again)",
        ]
        if shared:
            used += [
                f"four = range({_CLIENTS})",
                "clients = [threading.Thread(target=use, args=[again]) for _ in four]",
                "for client in clients:",
                "    client.start()",
                "for client in clients:",
                "    client.join()",
            ]
        cycle = [*used, "again.close()"]
    return (
        *made(trial, "s0"),
        "counts = []",
        f"for n in range({_WARM + CYCLES}):",
        *(f"    {line}" for line in cycle),
        "    gc.collect()",
        f"    counts.append({number})",
        f"time.sleep({3 * _SETTLES_S:g})  # what was told to end has ended",
        f"assert {number} - counts[{_WARM - 1}] < {CYCLES}, counts",
    )
