"""One connection that writes, and the queue of those who wait for it.

Whoever finds the writer free writes at once, in its own thread: a lone client pays for a lock and
nothing else. Whoever finds it taken queues up. A writer that is done hands the lock to the first in
the queue, who *leads*: it carries out what waits by then, at most ``MOST`` operations in the order
of their arrival, as one transaction with one commit, tells each its own answer or error after the
commit, and hands on in its turn. So nobody is overtaken, and a disk that syncs is waited for once
for all of a group.

An operation does not notice its group. One that is refused undoes itself alone (a statement by
itself, a ``connections.transaction`` by its savepoint). Whatever else goes wrong ends the group:
it is rolled back, and each of its operations is carried out again alone, as if it had had no
company. Only when the commit itself failed in a way that leaves its effect open, nothing is
repeated, and each is told so.

Ctrl-C strikes in the main thread, which for that reason never leads others: it writes its own
operation and hands on. It may strike after any call, also before what the call answered is kept.
So the lock is a dict that tells whose it is, each step that moves it is one call into C, and
``_hand_on`` goes on where it was struck.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Indefinite, Refused, StoreError
from sessionproof.reference import connections
from sessionproof.reference.failures import is_busy, is_definite, refuses_one

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

MOST = 64
"""Most operations in one transaction: the next group, and other processes, wait for it."""

_HOLDER = "holder"
_LOOK_S = 0.01  # between two looks of a thread that Ctrl-C struck at a bad moment
_QUEUED = "other threads kept the writer busy; nothing was stored, try again"
_UNCLOSED = "another thread kept the writer busy: close the store again when it is done"
STOPPED = "the thread that wrote was stopped; whether the write took effect is open"


class Outcome(NamedTuple):
    """What came of an operation: an answer, or the error that its caller is to get."""

    answer: Any = None
    error: BaseException | None = None

    def told(self) -> Any:
        """The answer; raises the error."""
        if self.error is not None:
            raise self.error
        return self.answer


class _Turn:
    """A place in the queue. Its thread waits at ``gate`` for the outcome, or for the lock.

    Without ``work`` it is for the lock alone, and belongs to no group. ``moves`` has one entry when
    it joined the queue and a second when it withdrew, each made by the very call that did it.
    """

    __slots__ = ("gate", "moves", "outcome", "work")

    def __init__(self, work: Work[Any] | None) -> None:
        self.work = work
        self.gate = threading.Lock()
        self.gate.acquire()
        self.moves: list[None] = []
        self.outcome: Outcome | None = None


class Writer:
    """The one connection that writes, used by one thread at a time."""

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        self._lock: dict[str, object] = {}  # its holder; passes along the queue
        self._queue: deque[_Turn] = deque()
        self._grouping: int | None = None  # the thread that is in ``together``
        self._connection = open_connection()
        self._pauses = connections.fresh_pauses()
        self.waited: deque[connections.Wait] = deque(maxlen=connections.WAITS)
        self.ended: str | None = None
        # From here on waiting is ours, see ``patiently``.
        self._connection.execute("PRAGMA busy_timeout = 0").close()

    def run(self, work: Work[T]) -> T:
        """The answer of ``work``, which is called again when it was undone with its group.

        ``work`` leaves nothing behind when it raises. Raises ``Refused`` after close and fork, and
        after ``QUEUE_S`` in the queue.
        """
        if self.ended:  # before the lock: after a fork it may be held for ever
            raise Refused(self.ended)
        me = object()
        try:
            if not self._queue and self._lock.setdefault(_HOLDER, me) is me:
                answer = self._alone(work)
                self._hand_on(me)
                return answer
        except BaseException:
            self._give_up(me)
            raise
        return self._queued(work)

    def together(self, calls: Sequence[Callable[[], Any]]) -> list[Outcome]:
        """The outcomes of calls that each write by ``run``, as one group, in order."""

        def carry_out() -> list[Outcome]:
            self._grouping = threading.get_ident()
            try:
                return self._outcomes([_without_connection(call) for call in calls])
            finally:
                self._grouping = None

        answer, error = self._locked(carry_out)
        return answer if error is None else [Outcome(error=copy(error)) for _ in calls]

    def close(self) -> None:
        """Close the connection after the group under way; those who wait are refused.

        Raises ``Refused`` when that group takes longer than ``QUEUE_S``; it may be called again.
        """
        self.ended = self.ended or connections.CLOSED
        if self.ended == connections.CLOSED:
            error = self._locked(lambda: self._connection.close()).error
            if error is not None:
                raise Refused(_UNCLOSED)

    def forget(self) -> None:
        """In a forked child: refuse from now on, and leave the parent's connection alone."""
        self.ended = connections.FORKED  # also while another thread of the parent closes it
        connections.leave(self._connection)

    # The queue

    def _queued(self, work: Work[T]) -> T:
        if self._grouping == threading.get_ident():
            return self._alone(work)
        turn = _Turn(work)
        begun_s = monotonic_s()
        self._in_turn(turn, self._lead)
        now_s = monotonic_s()
        self.waited.append((now_s, now_s - begun_s))
        answer: T = turn.outcome.told()  # type: ignore[union-attr]
        return answer

    def _locked(self, action: Callable[[], Any]) -> Outcome:
        """The answer of an action with the lock, whose errors are raised; or why it never came."""

        def act(turn: _Turn) -> None:
            turn.outcome = Outcome(action())

        turn = _Turn(None)
        self._in_turn(turn, act)
        return turn.outcome or Outcome(error=Indefinite(STOPPED))

    def _in_turn(self, turn: _Turn, lead: Callable[[_Turn], None]) -> None:
        """Wait for the outcome; when the lock comes instead, lead and hand on."""
        try:
            self._wait(turn)
            if self._lock.get(_HOLDER) is turn:
                lead(turn)
                self._hand_on(turn)
        except BaseException:
            try:
                if turn.outcome is None:
                    self._withdraw(turn)
            finally:
                self._give_up(turn)
            raise

    def _wait(self, turn: _Turn) -> None:
        if not self._queue and self._lock.setdefault(_HOLDER, turn) is turn:
            return
        turn.moves.extend(map(self._queue.append, (turn,)))
        self._wake()
        if not turn.gate.acquire(timeout=connections.QUEUE_S):
            self._withdraw(turn)

    def _withdraw(self, turn: _Turn) -> None:
        """Leave the queue; if it is too late for that, wait for the outcome or the lock."""
        try:
            if len(turn.moves) == 1:
                turn.moves.extend(map(self._queue.remove, (turn,)))
        except ValueError:
            while turn.outcome is None and self._lock.get(_HOLDER) is not turn:
                turn.gate.acquire(timeout=_LOOK_S)
        else:
            turn.outcome = Outcome(error=Refused(_QUEUED))

    def _wake(self) -> None:
        """See to those who queued up where the last writer had left before it saw them."""
        me = object()
        try:
            if self._queue and not self._lock:
                self._hand_on(me)
        except BaseException:
            self._give_up(me)
            raise

    def _give_up(self, me: object) -> None:
        """After an error: leave nothing open and hand on, as far as that was not done yet."""
        if self._lock.get(_HOLDER) is me:
            self._undo()
        self._hand_on(me)

    def _hand_on(self, me: object) -> None:
        """Give the lock to the first in the queue, or free it; also a free one, if any wait.

        Called again after it was struck, it does the rest; without the lock, it does no harm.
        """
        lock, queue = self._lock, self._queue
        while True:
            while lock.get(_HOLDER) is me:
                if not queue:
                    del lock[_HOLDER]
                    break
                with suppress(IndexError):  # the last one was withdrawn in between
                    lock.update(zip((_HOLDER,), map(deque.popleft, (queue,)), strict=False))
            holder = lock.get(_HOLDER)
            if type(holder) is _Turn:
                with suppress(RuntimeError):  # it was woken already
                    holder.gate.release()
            if not queue or lock.setdefault(_HOLDER, me) is not me:
                return

    def _lead(self, first: _Turn) -> None:
        """Carry out a group that begins with one's own turn."""
        group = [first]
        try:
            if threading.current_thread() is not threading.main_thread():
                with suppress(IndexError):  # turns may be withdrawn at any time
                    while len(group) < MOST:
                        turn = self._queue.popleft()
                        if turn.work is None:
                            self._queue.appendleft(turn)
                            break
                        group.append(turn)
            outcomes = self._outcomes([turn.work for turn in group if turn.work is not None])
            for turn, outcome in zip(group, outcomes, strict=True):
                turn.outcome = outcome
        finally:
            for turn in group:
                turn.outcome = turn.outcome or Outcome(error=Indefinite(STOPPED))
                if turn is not first:
                    turn.gate.release()

    # With the lock

    def _alone(self, work: Work[T]) -> T:
        if self.ended:
            raise Refused(self.ended)
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            if not is_busy(error):
                raise
        return connections.patiently(lambda: work(self._connection), pause_s=self._pauses)

    def _outcomes(self, works: Sequence[Work[Any]]) -> list[Outcome]:
        if self.ended:
            return [Outcome(error=Refused(self.ended)) for _ in works]
        grouped = self._grouped(works) if len(works) > 1 else None
        return [self._outcome_alone(work) for work in works] if grouped is None else grouped

    def _outcome_alone(self, work: Work[Any]) -> Outcome:
        try:
            return Outcome(self._alone(work))
        except BaseException as error:  # noqa: BLE001 - it is told to whom it concerns
            self._undo()
            return Outcome(error=error)

    def _grouped(self, works: Sequence[Work[Any]]) -> list[Outcome] | None:
        """The outcomes of one transaction; None when it was undone."""
        db = self._connection
        begun = committing = False
        try:
            connections.patiently(lambda: db.execute("BEGIN IMMEDIATE"), pause_s=self._pauses)
            begun = True
            outcomes = [_member(work, db) for work in works]
            committing = True
            db.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - it is told, or strikes again alone
            self._undo()
            if (committing and not is_definite(error)) or (not begun and is_busy(error)):
                told = error if isinstance(error, sqlite3.Error) else Indefinite(STOPPED)
                return [Outcome(error=copy(told)) for _ in works]
            return None
        return outcomes

    def _undo(self) -> None:
        """Leave no transaction open: Ctrl-C may strike between BEGIN and what would undo it."""
        with suppress(sqlite3.Error):  # the first error says more
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _without_connection(call: Callable[[], Any]) -> Work[Any]:
    return lambda _: call()


def _member(work: Work[Any], db: sqlite3.Connection) -> Outcome:
    """What came of an operation within a group; raises what the group cannot go on after."""
    try:
        return Outcome(work(db))
    except Exception as error:
        cause = error.__cause__ if isinstance(error, StoreError) else error
        if isinstance(cause, sqlite3.Error) and not refuses_one(cause):
            raise
        if not db.in_transaction:  # RAISE(ROLLBACK) in a trigger of somebody else's
            raise
        return Outcome(error=error)
