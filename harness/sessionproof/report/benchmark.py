"""Speeds in the JSON that pytest-benchmark writes with ``--benchmark-json``.

Tools that read that file read ours: ``pytest-benchmark compare``, and services that keep charts of
it. Each arm of a row is a benchmark, so that a store stands beside its floor in one group.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from sessionproof.contract.measurements import Speed
from sessionproof.report.result import RunResult

_NS_A_SECOND = 1e9


def benchmark_json(result: RunResult) -> dict[str, Any]:
    """The run's speeds in the shape of pytest-benchmark 4 and 5; times are seconds an operation.

    ``benchmarks`` is empty for a run that has none. The same result gives the same values.
    ``extra_info`` tells of the row, not of the arm: its ratio is that of the store to its floor.
    """
    return {
        "machine_info": {"python_version": "", **result.environment},
        "commit_info": {
            "id": "unversioned", "time": None, "author_time": None, "dirty": False,
            "project": result.store, "branch": "(unknown)",
        },
        "benchmarks": [
            _benchmark(guarantee, speed, arm, samples)
            for guarantee, speed in _speeds(result)
            for arm, samples in speed.samples.items()
            if samples
        ],
        "datetime": result.started_at.replace("Z", "+00:00"),
        "version": f"sessionproof {result.sessionproof}",
    }  # fmt: skip


def _speeds(result: RunResult) -> Iterator[tuple[str, Speed]]:
    for row in result.guarantees:
        for measured in row.measured:
            if isinstance(measured, Speed):
                yield row.id, measured


def _benchmark(guarantee: str, speed: Speed, arm: str, samples: Sequence[int]) -> dict[str, Any]:
    name = f"{speed.operation}, {speed.clients}"
    return {
        "group": name,
        "name": f"{name}[{arm}]",
        "fullname": f"{guarantee}::{name}[{arm}]",
        "params": {"arm": arm},
        "param": arm,
        "extra_info": _extra(speed),
        "options": {"timer": "monotonic_ns", "min_rounds": len(samples)},
        "stats": stats([sample / _NS_A_SECOND for sample in samples]),
    }


def _extra(speed: Speed) -> dict[str, Any]:
    ratio = speed.ratio
    return {
        "floor": speed.floor,
        "ratio": None if ratio is None else ratio.value,
        "interval": None if ratio is None else [ratio.low, ratio.high],
        "calm_rounds": None if ratio is None else ratio.rounds,
        "most": speed.most,
        "note": speed.note,
    }


def stats(data: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark says of the rounds' times, by its own definitions; at least one."""
    rising, total, mean = sorted(data), sum(data), statistics.mean(data)
    stddev = statistics.stdev(data) if len(data) > 1 else 0
    q1, q3 = _first_quartile(rising), _first_quartile(rising[::-1])
    iqr = q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr  # Tukey's fences
    beyond_iqr = sum(not low <= one <= high for one in data)
    beyond_stddev = sum(not mean - stddev <= one <= mean + stddev for one in data)
    return {
        "min": rising[0],
        "max": rising[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_iqr,
        "stddev_outliers": beyond_stddev,
        "outliers": f"{beyond_stddev};{beyond_iqr}",
        "ld15iqr": rising[bisect_left(rising, low)],
        "hd15iqr": rising[bisect_right(rising, high) - 1],
        "ops": len(data) / total if total else 0,
        "total": total,
        "data": list(data),
        "iterations": 1,  # a round's time is that of one operation already
    }


def _first_quartile(ordered: Sequence[float]) -> float:
    """Of values that rise; of values that fall, the third."""
    half, odd = divmod(len(ordered), 2)
    if not odd:
        return statistics.median(ordered[:half])
    if not half:
        return ordered[0]
    place = len(ordered) // 4
    if len(ordered) % 4 == 1:
        return 0.25 * ordered[place - 1] + 0.75 * ordered[place]
    return 0.75 * ordered[place] + 0.25 * ordered[place + 1]
