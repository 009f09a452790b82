"""Calls that wait for servers, carried out at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """What each call answers, by its name; all have ended when an error is raised."""
    if len(calls) <= 1:
        return {name: call() for name, call in calls.items()}
    with ThreadPoolExecutor(len(calls), "sessionproof-shards") as threads:
        answers = {name: threads.submit(call) for name, call in calls.items()}
    return {name: answer.result() for name, answer in answers.items()}
