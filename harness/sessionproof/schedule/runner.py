"""Executions of one store, each on a stage that serves: a new one when the last is used up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sessionproof.contract.location import Location
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Ended, Strategy
from sessionproof.schedule.program import Program, Run, Setup
from sessionproof.schedule.stage import Stage

_EXECUTIONS = 50  # on one location, so that what lies there stays small


class Runner:
    """Runs programs; ``locations`` answers an empty location each time.

    With ``wrong``, executions are looked at through a handle that was open before, and those that
    seem wrong once more through one that is opened for it. ``controller`` is that under which the
    store was imported; the attribute of that name is the one that serves at last.
    """

    def __init__(
        self,
        setup: Setup,
        locations: Callable[[], Location],
        wrong: Callable[[Run], object] | None = None,
        controller: Controller | None = None,
    ) -> None:
        self.executions = 0
        self._setup = setup
        self._locations = locations
        self._wrong = wrong
        self._stage: Stage | None = None
        self.controller = controller or Controller()
        self._lent = controller is not None
        self._harmed = False  # threads that serve all handles may have been ended
        self._left = 0

    def run(self, program: Program, strategy: Strategy, *, fresh: bool = False) -> Run:
        """Carry the program out; ``fresh`` on a location of its own, as a replay must."""
        if fresh or self._stage is None or self._left == 0 or self._stage.broken:
            self._leave()
            if self._setup.spec.for_server is not None:  # it waits for locks of the server's
                self.controller.hurry()
            self._stage = Stage(self._setup, self._locations(), self.controller)
            self._left = 1 if fresh else _EXECUTIONS
        self._left -= 1
        self.executions += 1
        quick = self._wrong is not None and not fresh
        run = self._stage.run(program, strategy, fresh=not quick)
        if self._harmed and run.ended is Ended.DEADLOCK:
            run = replace(run, controlled=False)
        if self._wrong is not None and quick and self._wrong(run):
            run = self._stage.looked_at()
        return run

    def close(self) -> None:
        """Close what is open; threads of the store end unless ``controller`` was given."""
        self._leave()
        if not self._lent:
            self.controller.give_up()

    def _leave(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            self._harmed = stage.close() or self._harmed
        if self.controller.given_up:
            self.controller = Controller()
