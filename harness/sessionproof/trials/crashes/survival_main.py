"""The program of a process that judges states: ``python -m …trials.crashes.survival_main``.

It reads one request a line, as JSON, and answers each with one line: ``open`` a recording, then
``judge`` some of its states, again and again; then it may open another. It ends when its stdin
does. What the store prints goes to stderr.

The store lives in guarded handles of this process. Should it end the process, or hang it beyond
what a guard can see, a small file shows what was asked last.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.operations import Upkeep
from sessionproof.faults.crashes.states import State
from sessionproof.faults.tracing.saving import RecordingError, load
from sessionproof.host.server import begun
from sessionproof.trials.crashes.interruption import Interruption
from sessionproof.trials.crashes.survival import Survival, Survived
from sessionproof.workload.guard import CannotOpen, FlightRecorder, outcome_of
from sessionproof.workload.profiles import Deadlines

JSON = dict[str, Any]


class Desk:
    """What this process works on: one recording at a time."""

    def __init__(self) -> None:
        self._survival: Survival | Interruption | None = None
        self._recorder: FlightRecorder | None = None
        self._judged = 0

    def answer(self, request: JSON) -> JSON:
        """The answer to any request; ``error`` is a mistake of ours."""
        try:
            return self._open(request) if request["do"] == "open" else self._judge(request)
        except (CannotOpen, StoreNotFound, RecordingError) as refusal:
            return {"refused": " ".join(str(refusal).split())}
        except Exception as error:  # noqa: BLE001 - calls of the store are caught singly
            failure = outcome_of(error).failure
            told = str(failure) if failure else ""
            return {"error": f"{told} {failure.evidence if failure else ''}"}

    def _open(self, request: JSON) -> JSON:
        if self._recorder is not None:
            self._recorder.close()
        self._recorder = FlightRecorder(Path(request["note"]))
        if isinstance(self._survival, Interruption):
            self._survival.close()
        self._survival = None
        recording = load(Path(request["recording"]))
        of_upkeep = any(isinstance(act.operation, Upkeep) for act in recording.acts)
        self._survival = (Interruption if of_upkeep else Survival)(
            find_store(recording.store),
            recording,
            parent=Path(request["parent"]),
            deadlines=Deadlines(operation_s=request["operation_s"], open_s=request["open_s"]),
            recorder=self._recorder,
        )
        return {}

    def _judge(self, request: JSON) -> JSON:
        """The states up to the first that hung; ``used`` counts all that this process judged."""
        if self._survival is None:
            raise RuntimeError("no recording is open")
        told: list[JSON] = []
        for given in request["states"]:
            faulthandler.dump_traceback_later(request["patience_s"], exit=False)
            survived = self._survival.survived(state_from_json(given))
            faulthandler.cancel_dump_traceback_later()
            self._judged += 1
            told.append(_told(survived))
            if survived.hung:
                break
        return {"told": told, "used": self._judged}


def _told(survived: Survived) -> JSON:
    return {
        "flaws": [asdict(flaw) for flaw in survived.flaws],
        "opened_s": survived.opened_s,
        "hung": survived.hung,
    }


def state_to_json(state: State) -> JSON:
    """A state as JSON values."""
    return {**asdict(state), "digest": state.digest.hex()}


def state_from_json(value: JSON) -> State:
    """The inverse of ``state_to_json``."""
    cut, sectors = value["cut"], value["sectors"]
    return State(
        value["model"],
        value["point"],
        tuple(value["lost"]),
        None if cut is None else (cut[0], cut[1]),
        None if sectors is None else (sectors[0], tuple(sectors[1])),
        bytes.fromhex(value["digest"]),
    )


def main(given: Sequence[str] | None = None) -> None:
    """Take the pipes, then the import path that the command line gives, then answer."""
    channel = begun("sessionproof.trials.crashes.survival_main", given)
    faulthandler.enable()
    desk = Desk()
    while line := channel.receive():
        channel.send(json.dumps(desk.answer(json.loads(line))).encode() + b"\n")
    sys.stdout.flush()
    os._exit(0)  # what hangs in a thread does not keep the process


if __name__ == "__main__":
    main()
