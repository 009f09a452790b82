"""The report's files: written whole or not at all, and ``result.json`` read back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sessionproof.contract.decoding import decoded, parsed
from sessionproof.report.badge import badge
from sessionproof.report.benchmark import benchmark_json
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import SCHEMA_VERSION, RunResult, to_json
from sessionproof.report.summary import render_summary

RESULT, PAGE, JUNIT = "result.json", "index.html", "junit.xml"
SUMMARY, BADGE, BENCHMARK = "summary.md", "badge.json", "benchmark.json"
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"  # names the file whose text a CI job shows on its page
# Fields that older results lack.
_ADDED = (
    "baseline", "change", "crash", "known", "measured", "reproducer", "same_cause_as", "script",
    "seeds", "steps", "timings", "window",
)  # fmt: skip
_NUMBER = r"-?\d[\d.e+-]*"
_LONE = re.compile("[\ud800-\udfff]")
_NUMBERS = re.compile(rf"\[\n\s+({_NUMBER}(?:,\n\s+{_NUMBER})*)\n\s+\]")


def write_report(result: RunResult, directory: Path) -> Path:
    """Write the forms of a concluded result below ``directory``; the path of the page.

    The directory is made when it is missing, and older files are replaced one by one, each in one
    step. ``result.json`` comes first: it is what all else can be made from.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_result(result, directory)
    write_whole(directory / JUNIT, render_junit(result))
    write_whole(directory / SUMMARY, render_summary(result))
    write_whole(directory / BADGE, json.dumps(badge(result)) + "\n")
    _write_benchmark(result, directory / BENCHMARK)
    write_whole(directory / PAGE, render_html(result))
    return directory / PAGE


def write_result(result: RunResult, directory: Path) -> None:
    """Write ``result.json`` alone: ASCII, lists of numbers in a line.

    A line break within brackets is never part of a text, as JSON escapes it there. A lone surrogate
    is written as the characters of its escape: many readers of JSON refuse a file that has one.
    """
    values = json.dumps(_without_surrogates(to_json(result)), indent=1, allow_nan=False)
    compact = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", values)
    write_whole(directory / RESULT, compact + "\n")


def _without_surrogates(value: Any) -> Any:
    """JSON values of whole characters alone."""
    match value:
        case str():
            return value if value.isascii() else _LONE.sub(lambda found: shown(found[0]), value)
        case dict():
            return {_without_surrogates(key): _without_surrogates(of) for key, of in value.items()}
        case list() | tuple():
            return [_without_surrogates(one) for one in value]
        case _:
            return value


def _write_benchmark(result: RunResult, path: Path) -> None:
    """Write the speeds for other tools; without any, an older run's file goes."""
    values = benchmark_json(result)
    if values["benchmarks"]:
        write_whole(path, json.dumps(values, indent=1, allow_nan=False) + "\n")
    else:
        path.unlink(missing_ok=True)


def append_step_summary(result: RunResult, environment: Mapping[str, str]) -> str | None:
    """Append the summary to the file that ``GITHUB_STEP_SUMMARY`` names, if it names one.

    Answers what went wrong, in a sentence; that is no reason to fail a run.
    """
    return append_to_job(render_summary(result), environment)


def append_to_job(text: str, environment: Mapping[str, str]) -> str | None:
    """Append Markdown to the page of a CI job; answers and omits as ``append_step_summary``."""
    name = environment.get(STEP_SUMMARY)
    if not name:
        return None
    try:
        with Path(name).open("ab") as file:
            file.write(f"\n{text}".encode())
    except OSError as error:
        why = error.strerror or type(error).__name__
        return f"the summary could not be appended to {STEP_SUMMARY}={shown(name)}: {why}"
    return None


def read_result(path: Path) -> RunResult:
    """The result in a ``result.json``; the inverse of ``to_json``.

    Fields that this version does not know are passed over. Raises ValueError in one line for a
    file that cannot be read, is no result, or has another schema version.
    """
    name = shown(str(path))
    try:
        value = parsed(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{name} is no result of a run: it is not JSON") from None
    if not isinstance(value, dict) or "schema" not in value:
        raise ValueError(f"{name} is no result of a run: it has no field schema")
    version = value["schema"]
    if type(version) is not int or version != SCHEMA_VERSION:
        has = cut(json.dumps(version), 40)
        raise ValueError(
            f"{name} has schema version {has}, and this sessionproof reads "
            f"{SCHEMA_VERSION}: use the sessionproof that wrote it"
        )
    try:
        return decoded(RunResult, value, may_lack=_ADDED)
    except ValueError as error:
        raise ValueError(f"{name} is no result of a run: {error}") from None


def read_versioned(
    path: Path, what: str, version: int, *, older: str, remedy: str = ""
) -> dict[str, Any]:
    """The JSON object of a file with a schema version; raises ValueError in one line.

    ``what`` says what a wrong file is, as "not a night", and ``remedy`` ends that; ``older`` is
    said of a file with another version.
    """
    name = shown(str(path))
    try:
        value: Any = parsed(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{name} is {what}: it is not JSON{remedy}") from None
    if not isinstance(value, dict) or "schema" not in value:
        raise ValueError(f"{name} is {what}: it has no field schema{remedy}")
    if value["schema"] != version:
        raise ValueError(f"{name} has another schema version than {version}: {older}")
    return value


def write_whole(path: Path, text: str) -> None:
    """Put the text in the place of the file in one step: a crash leaves the old one or the new."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
