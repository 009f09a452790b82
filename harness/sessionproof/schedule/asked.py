"""What objects of asyncio say of themselves, for people and for the loop."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from sessionproof.schedule.lines import file_of

_FIRST = "TaskStepMethWrapper"  # a step of asyncio's task in C; further ones are named
_STEPS = ("task_wakeup", "TaskWakeupMethWrapper", "__step", "__wakeup")


def task_of(handle: Any) -> asyncio.Task[Any] | None:
    """The task whose next step this is; None for any other callback."""
    callback = handle._callback
    asked = getattr(callback, "__self__", None)
    if not isinstance(asked, asyncio.Task):
        return None
    name = getattr(callback, "__name__", None)
    return asked if type(callback).__name__ == _FIRST or name in _STEPS else None


def called(function: Any) -> str:
    """What a function is called, below what only passes it on."""
    while isinstance(function, partial):
        passes_on = function.func.__name__ == "run" and function.args
        function = function.args[0] if passes_on else function.func
    return str(getattr(function, "__name__", "a call"))


def name_of(asked: Any) -> str:
    """What a task is called, by its coroutine."""
    return f"task {getattr(asked.get_coro(), '__qualname__', 'of the store')}"


def place_of(asked: Any) -> str:
    """Where a task will go on, for people: the innermost place that is the store's."""
    inner, found = asked.get_coro(), ""
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is None:
            break
        if file_of(frame.f_globals.get("__name__", "")) is not None:
            file = Path(frame.f_code.co_filename).name
            found = f"{frame.f_code.co_name}, {file}:{frame.f_lineno}"
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return f"go on in {found}" if found else f"go on with {name_of(asked)}"
