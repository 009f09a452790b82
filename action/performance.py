"""Measures a store's speed in a workflow: a change beside its base, the default branch over time.

What a workflow gives comes in variables of the environment, named as in ``action.yml``. Whether
there is a regression is told by the output ``performance-code``: 3 when there is one and it is to
fail the job, 2 for a bad input, else 0. The speed of a store that could not be judged is not
measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from history import append, runs_into
from repository import GitError, base_commit, deepen, line
from workflow import annotate, give_outputs, show

HOLDS, USAGE, REGRESSION = 0, 2, 3  # exit codes of sessionproof
JUDGED = ("0", "1", "4")
TRUSTED_EVENTS = ("push", "schedule", "workflow_dispatch")  # what they check out was accepted
PAGES = ("comparison.md", "nights.md", "trend/trend.md")
DAMAGED_MOST = 10  # files of the history that are looked for one by one
RESULTS = ("comparison.json", "nights.json", "run.jsonl")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the workflow asks for, and what it knows of this job."""

    store: str
    profile: str
    warn_only: bool
    base: str
    branch: str
    report: Path
    event: str
    ref: str
    default: str

    @property
    def on_default_branch(self) -> bool:
        """True when the checkout is what the project has accepted, and history may be written."""
        scheduled = self.event == "schedule"  # GitHub schedules the default branch alone
        here = bool(self.default) and self.ref == f"refs/heads/{self.default}"
        return self.event in TRUSTED_EVENTS and (scheduled or here)


@dataclass(frozen=True, kw_only=True)
class Said:
    """``verdict`` is a sentence, ``slower`` the operations that are a regression.

    ``unsure`` says that it could not be told, ``bad`` that the workflow asked for what cannot be.
    """

    verdict: str
    slower: tuple[str, ...] = ()
    unsure: bool = False
    bad: bool = False


def main() -> None:
    """Measure what there is to measure; outputs, warnings and the job's page."""
    given = os.environ
    if given["PERFORMANCE"] == "off":
        tell(Said(verdict=""), warn_only=True)
        return
    wanted = Wanted(
        store=given["STORE"], profile=given["PROFILE"], warn_only=given["PERFORMANCE"] == "warn",
        base=given["BASE_REF"].strip(), branch=given["HISTORY_BRANCH"].strip(),
        report=Path(given["REPORT"]) / "performance", event=given.get("GITHUB_EVENT_NAME", ""),
        ref=given.get("GITHUB_REF", ""), default=given["DEFAULT_BRANCH"],
    )  # fmt: skip
    if given["JUDGED"] not in JUDGED:
        tell(Said(verdict="Speed was not measured, as the store was not judged."), warn_only=True)
        return
    wanted.report.mkdir(parents=True, exist_ok=True)
    for name in (*PAGES, *RESULTS):  # what an older job left in this folder is not of this one
        (wanted.report / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        said = measured(wanted, Path(folder))
    found = [wanted.report / name for name in PAGES]
    show([page.read_text("utf-8") for page in found if page.exists()] or [said.verdict])
    tell(said, warn_only=wanted.warn_only)


def measured(wanted: Wanted, folder: Path) -> Said:
    """Measure as the place of this job asks for; ``folder`` is private."""
    archive = folder / "archive.db"
    known = read_history(wanted, folder, archive)
    if wanted.on_default_branch and wanted.branch:
        said = a_night(wanted, archive, readable=known)
    elif wanted.base and wanted.event != "pull_request_target":  # it has checked out the base
        said = a_change(wanted)
    else:
        said = Said(verdict="Speed was not measured: there is no base-ref here, and no history.")
    if archive.exists():
        bench("trend", "--archive", str(archive), "--report", str(wanted.report / "trend"),
              "--", wanted.store)  # fmt: skip
    return said


def a_change(wanted: Wanted) -> Said:
    """Compare the checkout with the commit that it began from."""
    try:
        base = base_commit(wanted.base, wanted.ref)
    except GitError as error:
        return Said(verdict=f"Nothing to compare with, base-ref {wanted.base}: {error}", bad=True)
    code = bench(
        "compare", f"git:{base}", ".", f"--store={wanted.store}", "--profile", wanted.profile,
        "--report", str(wanted.report),
    )  # fmt: skip
    result = result_in(wanted.report / "comparison.json")
    beside = f"{wanted.base} ({base[:12]})"
    if code == REGRESSION:
        return Said(verdict=f"Slower than {beside}.", slower=slower_in(result))
    if code == HOLDS:
        return Said(verdict=f"No slower than {beside}.")
    why = result.get("problem") or "the job's log says why"
    return Said(verdict=f"Could not tell whether it is slower than {beside}: {why}", unsure=True)


def a_night(wanted: Wanted, archive: Path, *, readable: bool) -> Said:
    """Measure, judge the run by those before it, and push it to the history branch."""
    try:
        deepen(wanted.ref)
    except GitError as error:
        annotate("warning", f"commits since the run before are not known: {error}")
    before = set(exported(archive))
    code = bench(
        "run", "--archive", str(archive), "--profile", wanted.profile,
        "--report", str(wanted.report), "--", wanted.store,
    )  # fmt: skip
    new = [one for one in exported(archive) if one not in before]
    (wanted.report / "run.jsonl").write_text("".join(f"{one}\n" for one in new), "utf-8")
    if new and readable:
        keep(wanted, new)
    nights = result_in(wanted.report / "nights.json").get("stores", ())
    if code == REGRESSION:
        return Said(verdict="Slower than the nights before.", slower=slower_in(*nights))
    if code != HOLDS:
        return Said(verdict="Speed could not be measured: the job's log says why.", unsure=True)
    if any(row["limit"] for night in nights for row in night["rows"]):
        return Said(verdict="No slower than the nights before.")
    return Said(verdict="Too few nights are known to tell whether it is slower.")


def read_history(wanted: Wanted, folder: Path, archive: Path) -> bool:
    """Put the runs of the history branch into the archive; False when it cannot be read."""
    if not wanted.branch:
        return True
    files = folder / "runs"
    files.mkdir()
    try:
        runs = runs_into(files, wanted.branch)
    except GitError as error:
        annotate("warning", f"history branch {wanted.branch} cannot be read: {error}")
        return False
    damaged = refused(runs, archive, folder / "joined.jsonl")
    for name in islice(damaged, DAMAGED_MOST):
        annotate("warning", f"history branch {wanted.branch}: {name} is passed over, see above")
    if next(damaged, None):
        annotate("warning", f"history branch {wanted.branch}: more are none, the rest is not read")
    return True


def refused(runs: Sequence[Path], archive: Path, joined: Path) -> Iterator[str]:
    """Import the runs, as many at once as can be; the names of those that are none, as found."""
    if not runs:
        return
    joined.write_bytes(b"".join(one.read_bytes().rstrip(b"\n") + b"\n" for one in runs))
    if bench("import", "--archive", str(archive), str(joined if runs[1:] else runs[0])) == HOLDS:
        return
    if len(runs) == 1:
        yield runs[0].name
        return
    half = len(runs) // 2
    yield from refused(runs[:half], archive, joined)
    yield from refused(runs[half:], archive, joined)


def keep(wanted: Wanted, new: Sequence[str]) -> None:
    """Push the runs; a job that may not is as green as one that may."""
    try:
        store = json.loads(new[0])["store"]  # as it was kept: an address without its password
        said = f"{store} at {line('rev-parse', '--short=12', 'HEAD')}"
        append(wanted.branch, new, said)
    except GitError as error:
        what = f"the run was not kept on {wanted.branch}, and is in the artifact"
        annotate("warning", f"{what} (to push it the job needs contents: write): {error}")


def tell(said: Said, *, warn_only: bool) -> None:
    """Set the outputs, and show what fails the job or would."""
    failing = bool(said.slower) or said.bad
    named = " ".join([said.verdict, *said.slower])
    if failing or said.unsure:
        annotate("error" if failing and not warn_only else "warning", named)
    elif named:
        sys.stdout.write(f"{named}\n")
    code = REGRESSION if said.slower else USAGE if said.bad else HOLDS
    give_outputs(
        performance_code=str(HOLDS if warn_only else code),
        performance=said.verdict,
        regressions=" ".join(said.slower),
    )


def bench(*words: str, printed: int | None = None) -> int:
    """Run ``sessionproof bench`` with these words; its exit code."""
    return _ran(words, printed).returncode


def exported(archive: Path) -> list[str]:
    """The runs of an archive, each as its line; none where there is no archive."""
    if not archive.exists():
        return []
    return _ran(("export", "--archive", str(archive)), subprocess.PIPE).stdout.splitlines()


def _ran(words: Sequence[str], output: int | None) -> subprocess.CompletedProcess[str]:
    """A command of the bench, which leaves the job's page to this script."""
    sys.stdout.flush()
    environment = {key: value for key, value in os.environ.items() if key != "GITHUB_STEP_SUMMARY"}
    return subprocess.run(
        [sys.executable, "-m", "sessionproof", "bench", *words], check=False, stdout=output,
        encoding="utf-8", env=environment,
    )  # fmt: skip


def result_in(file: Path) -> dict[str, Any]:
    """A result of the bench; empty when it wrote none."""
    return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}


def slower_in(*parts: dict[str, Any]) -> tuple[str, ...]:
    """The operations that are slower in these parts of a result; "unknown" where none is named."""
    rows = (row for part in parts for row in part.get("rows", ()))
    return tuple(row["operation"] for row in rows if row["verdict"] == "slower") or ("unknown",)


if __name__ == "__main__":
    main()
