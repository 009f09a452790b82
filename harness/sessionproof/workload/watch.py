"""Looking after clients that work at the same time, so that none of them is waited for for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.operations import HANG, Failure, Outcome
from sessionproof.workload.client import Client

_GRACE_S = 1.0  # for the others to end, once one of them hangs


class Watch:
    """Waits for clients; each puts itself into ``ended`` when it has ended."""

    def __init__(self, clients: Sequence[Client], operation_s: float) -> None:
        """``operation_s`` bounds each single call."""
        self.ended: SimpleQueue[Client] = SimpleQueue()
        self._clients = clients
        self._operation_s = operation_s
        self._late: list[Client] = []

    def hung(self) -> bool:
        """Wait until all have ended, or until one was in a call for too long.

        Then no other begins a further call, all have a moment to end, and what the rest answers
        afterwards is ignored.
        """
        left = set(self._clients)
        while left:
            with suppress(Empty):
                left.discard(self.ended.get(timeout=min(map(self._left_s, left))))
                continue
            self._late = [client for client in left if self._left_s(client) <= 0.0]
            if self._late:
                self._leave(left)
                return True
        return False

    def told(self, stacks: Mapping[str, str]) -> Outcome:
        """The hang as an outcome, with these stacks of what had not ended."""
        late = self._late[0]
        others = f", one of {late.job.clients - 1} clients at once"
        text = (
            f"{late.doing} of {late.named} was not answered within {self._operation_s:g} s"
            f"{'' if late.named == 'quiet' else others}"
        )
        return Outcome("info", failure=Failure(HANG, text, stacks))

    def _left_s(self, client: Client) -> float:
        """How long its call may still last; one that is between calls has all of its time."""
        since_ns = client.since_ns
        spent_s = (monotonic_ns() - since_ns) / 1e9 if since_ns else 0.0
        return max(0.0, self._operation_s - spent_s)

    def _leave(self, left: set[Client]) -> None:
        for client in left:
            client.finish()
        until_s = monotonic_s() + min(_GRACE_S, self._operation_s)
        while left and (wait_s := min(until_s - monotonic_s(), max(map(self._left_s, left)))) > 0:
            with suppress(Empty):
                left.discard(self.ended.get(timeout=wait_s))
        for client in left:
            client.leave()
