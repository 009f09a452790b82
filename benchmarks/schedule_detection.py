"""How soon controlled schedules find what breaks, and whether chance finds it at all.

``python benchmarks/schedule_detection.py`` tries each concurrent mutant twice, in a process of its
own: under control once for each seed, by the strategies and within the time of the profile, and by
plain clients that begin together, run after run. A finding is then replayed. ``--markdown`` prints
the table of docs/schedules.md. Names of mutants choose some of them; ``--of conc_`` those of files
of ``fixtures/mutants`` whose names begin so.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from schedule_plain import by_chance
from schedule_request import ROW, request_for

from fixtures.registry import Mutant, mutants
from sessionproof.contract.seed import derive
from sessionproof.engine.machine import fast_folder
from sessionproof.schedule.program import Kind
from sessionproof.schedule.replay import replays
from sessionproof.schedule.shrink import sizes
from sessionproof.trials.exploring import Part, Request
from sessionproof.trials.exploring_main import Judging, fill
from sessionproof.trials.together import ROWS
from sessionproof.workload.profiles import PROFILES

WHERE = ("schedules", "races")  # files of mutants, beside those of ``conc_*``
ENDS_S = 900.0  # of a process


@dataclass(frozen=True)
class Asked:
    """How much is tried of each mutant; ``shrunk`` of the seeds are made small, for so long."""

    seeds: int
    runs: int
    replayed: int
    shrunk: int
    shrink_s: float


@dataclass(frozen=True)
class Search:
    """One search: how many executions and seconds until it was found, if it was."""

    executions: int
    seconds: float
    found: bool
    kind: str = ""
    lines: bool = False
    anomaly: str = ""


@dataclass(frozen=True)
class Small:
    """A finding, as first seen and as made small: operations and deviations; and its replays."""

    first: tuple[int, int]
    last: tuple[int, int]
    shown: int
    of: int


def main() -> int:
    """Print a line for each mutant, as it is measured."""
    chosen = _arguments()
    if chosen.child:
        return _child()
    asked = Asked(chosen.seeds, chosen.runs, chosen.replays, chosen.shrunk, chosen.shrink)
    head, line = (_HEAD_MD, _line_md) if chosen.markdown else (_HEAD, _line)
    sys.stdout.write(f"{head}\n")
    left_out = []
    for one in _chosen(chosen):
        with tempfile.TemporaryDirectory(dir=fast_folder(), ignore_cleanup_errors=True) as root:
            request = request_for(one.store, root, profile=chosen.profile)
            if request is None:
                left_out.append(_name(one))
                continue
            if one.guarantee in ROWS:
                request = replace(request, row=one.guarantee)
            control = _asked_of("control", request, asked)
            chance = [] if chosen.no_chance else _asked_of("chance", request, asked)
        sys.stdout.write(f"{line(one, control, chance)}\n")
        sys.stdout.flush()
    if left_out:
        sys.stdout.write(f"\nOut of reach of control: {', '.join(left_out)}.\n")
    return 0


def _chosen(chosen: argparse.Namespace) -> Iterator[Mutant]:
    for one in mutants():
        file = one.store.rpartition(":")[0].rpartition(".")[2]
        wanted = (
            file.startswith(chosen.of) if chosen.of else file in WHERE or file.startswith("conc_")
        )
        if chosen.mutants:
            wanted = _name(one) in chosen.mutants
        if wanted:
            yield one


# The processes.


def _asked_of(what: str, request: Request, asked: Asked) -> list[dict]:  # type: ignore[type-arg]
    """What a process of its own answers; empty where it ended without an answer."""
    given = base64.b64encode(pickle.dumps((what, request, asked)))
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--child"],
            input=given,
            stdout=subprocess.PIPE,
            timeout=ENDS_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return []
    lines = done.stdout.decode().splitlines()
    return json.loads(lines[-1]) if lines and lines[-1].startswith("[") else []


def _child() -> int:
    what, request, asked = pickle.loads(base64.b64decode(sys.stdin.buffer.read()))  # noqa: S301
    said = _under_control(request, asked) if what == "control" else _plainly(request, asked)
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()
    os._exit(0)  # what hangs in a thread does not keep the process


def _plainly(request: Request, asked: Asked) -> list[dict]:  # type: ignore[type-arg]
    said = []
    for kind in request.kinds:
        said.append({"kind": kind, **asdict(by_chance(request, kind, asked.runs))})
        if said[-1]["hung"]:
            break
    return said


def _under_control(request: Request, asked: Asked) -> list[dict]:  # type: ignore[type-arg]
    searches, small = [], []
    for seed in range(asked.seeds):
        shrink_s = asked.shrink_s if seed < asked.shrunk else 0.0
        parts: list[Part] = []
        fill(replace(request, seed=derive(seed, ROW), shrink_s=shrink_s), parts)
        searches.append(_search(parts))
        if searches[-1].found and seed < asked.shrunk:
            small.append(_replayed(request, parts[-1], asked))
    return [{"searches": list(map(asdict, searches)), "small": list(map(asdict, small))}]


def _search(parts: list[Part]) -> Search:
    executions = sum(part.explored.total for part in parts)
    seconds = sum(part.explored.seconds for part in parts)
    last, found = parts[-1], parts[-1].explored.found
    if found is None:
        return Search(executions, seconds, False)
    anomaly = found.wrong.anomaly.value
    return Search(executions, seconds, True, last.kind, last.lines, anomaly)


def _replayed(request: Request, part: Part, asked: Asked) -> Small:
    """The finding, carried out again so many times on locations of their own."""
    found, judge = part.explored.found, Judging(request)
    if found is None:
        raise ValueError("there is nothing to replay")
    kind: Kind = part.kind
    runs = replays(
        request.store,
        found.program,
        found.schedule,
        kind=kind,
        times=asked.replayed,
        sample=request.sample,
        counted=request.counted,
        timed=request.timed,
        creates=request.creates,
        by_store=request.by_store,
        shared=request.shared,
        lines=part.lines,
    )
    wrongs = [judge(run) for run in runs]
    shown = sum(one is not None and one.anomaly is found.wrong.anomaly for one in wrongs)
    return Small(found.first, sizes(found.program, found.schedule), shown, len(runs))


# The lines.

_HEAD = f"{'mutant':<24}{'row':<9}{'found':>7}{'executions':>16}{'seconds':>9}  chance"
_HEAD_MD = (
    "| store | row | found | executions | seconds | where | plain clients | replays "
    "| operations, deviations |\n|---|---|---|---|---|---|---|---|---|"
)


def _of_control(control: list[dict]) -> tuple[str, str, str, str]:  # type: ignore[type-arg]
    """How often it was found, after how many executions and seconds, and where."""
    if not control:
        return "no answer", "-", "-", "-"
    searches = [Search(**one) for one in control[0]["searches"]]
    found = [one for one in searches if one.found]
    often = f"{len(found)}/{len(searches)}"
    if not found:
        return often, f"- (of {mean(one.executions for one in searches):,.0f})", "-", "-"
    executions = [one.executions for one in found]
    least = f"{median(executions):,.0f} (mean {mean(executions):,.1f})"
    where = sorted({f"{one.kind}{', lines' * one.lines}" for one in found})
    return often, least, f"{median(one.seconds for one in found):.3f}", "; ".join(where)


def _of_chance(chance: list[dict]) -> str:  # type: ignore[type-arg]
    """How many runs found it, of how many in which clients met."""
    told = []
    for one in chance:
        hung = " (hung)" if one["hung"] else ""
        told.append(f"{one['kind']} {one['found']} of {one['runs']:,}{hung}, {one['together']} met")
    return "; ".join(told) or "not tried"


def _of_small(control: list[dict]) -> tuple[str, str]:  # type: ignore[type-arg]
    """Replays, and how large it was at first and in the end."""
    small = [Small(**one) for one in control[0]["small"]] if control else []
    if not small:
        return "-", "-"
    shown = f"{sum(one.shown for one in small)}/{sum(one.of for one in small)}"
    best = min(small, key=lambda one: tuple(one.last))
    return shown, "{}, {} → {}, {}".format(*best.first, *best.last)


def _line(one: Mutant, control: list[dict], chance: list[dict]) -> str:  # type: ignore[type-arg]
    often, executions, seconds, where = _of_control(control)
    replayed, size = _of_small(control)
    return (
        f"{_name(one):<24}{one.guarantee:<9}{often:>7}{executions:>16}{seconds:>9}  "
        f"{_of_chance(chance)}; {where}; replays {replayed}; {size}"
    )


def _line_md(one: Mutant, control: list[dict], chance: list[dict]) -> str:  # type: ignore[type-arg]
    cells = (
        f"`{_name(one)}`", one.guarantee, *_of_control(control), _of_chance(chance),
        *_of_small(control),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _name(mutant: Mutant) -> str:
    return mutant.store.rpartition(":")[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutants", nargs="*", metavar="MUTANT", help="names of mutants, else all")
    parser.add_argument(
        "--of", default="", metavar="FILE", help="those of files whose names begin so"
    )
    parser.add_argument("--seeds", type=int, default=50, help="searches of each under control")
    parser.add_argument("--runs", type=int, default=2_000, help="runs of each by plain clients")
    parser.add_argument("--replays", type=int, default=100, help="replays of a finding")
    parser.add_argument("--shrunk", type=int, default=1, help="findings that are made small")
    parser.add_argument("--shrink", type=float, default=8.0, help="seconds to make one small")
    parser.add_argument("--profile", choices=[*PROFILES], default="gate")
    parser.add_argument("--no-chance", action="store_true", help="only under control")
    parser.add_argument("--markdown", action="store_true", help="as a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
