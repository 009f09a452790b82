"""The program of an arm: ``python -m sessionproof.bench.arms.arm_main``.

It reads one request a line, as JSON, and answers each with one line. The first opens the store by
its name; the others call the methods of ``arm.Arm``. It ends when its stdin does. What the store
prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Callable
from typing import Any

from sessionproof.bench.arms.arm import Arm
from sessionproof.host.server import Channel, begun
from sessionproof.workload.raised import in_a_line


def answer_all(channel: Channel, opened: Callable[[dict[str, Any]], Arm] = Arm) -> None:
    """Answer requests until there are no more; ``opened`` makes an arm of the first one."""
    arm: Arm | None = None
    while line := channel.receive():
        request = json.loads(line)
        try:
            if arm is None:
                arm = opened(request)
                gc.collect()
                gc.freeze()
                gc.disable()  # as in rounds; the process lives for seconds
                answer: dict[str, Any] = {"answer": arm.facts()}
            else:
                answer = {"answer": getattr(arm, request["call"])(*request["given"])}
        except Exception as error:  # noqa: BLE001 - the store's, or one of ours: told as it is
            answer = {"error": in_a_line(error)}
        channel.send(json.dumps(answer).encode() + b"\n")
    if arm is not None:
        with contextlib.suppress(Exception):  # closing is judged elsewhere
            arm.close()


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    answer_all(begun("sessionproof.bench.arms.arm_main"))


if __name__ == "__main__":
    main()
