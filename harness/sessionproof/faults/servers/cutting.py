"""A socket between clients and a PostgreSQL server that cuts connections at chosen moments.

It reads the protocol as far as it must: where a request ends, and which answer says that a change
is done. Cut in the place of that answer, a transaction took effect, and its client never hears so.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_HEAD_BYTES = 5  # a letter and a length
_ENCRYPTION = (80877103, 80877104)  # requests for it, instead of a beginning
_REQUEST_ENDS = (b"Q", b"S")  # a query by itself, or Sync
_DONE, _READY = b"C", b"Z"
_CHANGES = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COMMIT")
_OUTSIDE = b"I"  # of a transaction: what was answered before is committed
_JOIN_S = 5.0


class Moment(StrEnum):
    """Where a connection is cut."""

    BEFORE = "before a request"
    INSIDE = "inside a request"
    SENT = "behind a request"
    UNANSWERED = "in the place of the answer to a change that is done"
    HALF_ANSWERED = "inside the answer to a change that is done"


@dataclass(frozen=True)
class Cut:
    """What becomes of a connection: it is cut at its request number ``after``, or behind it.

    Answers are cut with the first change from there on that has been carried out. ``part`` is how
    much of a request or an answer still goes through, between 0 and 1.
    """

    moment: Moment
    after: int
    part: float = 0.5


class CuttingProxy:
    """Listens in ``folder`` as the server does in its own; ``draw`` says how each link ends.

    A link whose cut is None lives on, as all do while it is not ``armed``. Use it in a ``with``
    block. ``done`` counts the cuts by their moments.
    """

    def __init__(self, server: Path, draw: Callable[[], Cut | None]) -> None:
        """``server`` is the server's socket."""
        self.armed = False
        self.done: Counter[Moment] = Counter()
        self.folder = Path(tempfile.mkdtemp(prefix="sessionproof-cut-"))
        self._server = server
        self._draw = draw
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / server.name))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, name="cutting", daemon=True)
        self._thread.start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut every link, listen no more, and remove the folder."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_JOIN_S)
        self._listener.close()
        for link in self._links:
            link.end()
        for link in self._links:
            link.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def told(self, moment: Moment) -> bool:
        """Whether a link is to be cut now; it is counted."""
        with self._lock:
            if self.armed:
                self.done[moment] += 1
            return self.armed

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._server))
            except OSError:  # it is down, and so are we
                server.close()
                client.close()
                continue
            self._links = [link for link in self._links if link.living]
            self._links.append(_Link(client, server, self._draw(), self.told))


class _Link:
    """One connection: a thread for each direction."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        cut: Cut | None,
        told: Callable[[Moment], bool],
    ) -> None:
        self._client, self._server = client, server
        self._cut = cut
        self._told = told
        self._requests = 0
        self._cutting = threading.Lock()  # a cut that has begun reaches the server as it is to be
        self._threads = [
            threading.Thread(target=self._carry, args=(work,), daemon=True)
            for work in (self._ask, self._answer)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def living(self) -> bool:
        """Whether anything is carried still."""
        return any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Cut both ends; a second time does nothing."""
        with self._cutting:
            for one in (self._client, self._server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until nothing is carried any more, and close."""
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _carry(self, work: Callable[[], None]) -> None:
        with suppress(OSError, ValueError):  # the other direction ended it
            work()
        self.end()
        if threading.current_thread() is self._threads[0]:
            self._threads[1].join(_JOIN_S)
            self._client.close()
            self._server.close()

    def _ask(self) -> None:
        with self._client.makefile("rb") as stream:
            self._begin(stream)
            for frame in _frames(stream):
                if frame[:1] in _REQUEST_ENDS:
                    self._requests += 1
                    if self._cut_at(frame):
                        return
                self._server.sendall(frame)

    def _begin(self, stream: BinaryIO) -> None:
        """Hand on how the client begins, without encryption."""
        while True:
            length = stream.read(4)
            body = stream.read(int.from_bytes(length, "big") - len(length))
            if int.from_bytes(body[:4], "big") not in _ENCRYPTION:
                self._server.sendall(length + body)
                return
            self._client.sendall(b"N")

    def _cut_at(self, frame: bytes) -> bool:
        """Whether the connection ends with this request, of which a part may have gone through."""
        cut = self._cut
        early = (Moment.BEFORE, Moment.INSIDE, Moment.SENT)
        if cut is None or self._requests < cut.after or cut.moment not in early:
            return False
        if not self._told(cut.moment):
            return False
        through = {Moment.BEFORE: 0, Moment.INSIDE: int(cut.part * len(frame))}
        with self._cutting:
            with suppress(OSError):  # at once, or an answer could be quicker than the cut
                self._client.shutdown(socket.SHUT_RDWR)
            self._server.sendall(frame[: through.get(cut.moment, len(frame))])
        return True

    def _answer(self) -> None:
        held = b""
        with self._server.makefile("rb") as stream:
            for frame in _frames(stream):
                kind = frame[:1]
                if kind == _DONE and self._waits_for_a_change():
                    held += frame  # what comes next says whether it is committed
                    continue
                held += frame
                if kind == _READY and self._cut_here(held):
                    return
                self._client.sendall(held)
                held = b""

    def _waits_for_a_change(self) -> bool:
        cut = self._cut
        late = (Moment.UNANSWERED, Moment.HALF_ANSWERED)
        return cut is not None and cut.moment in late and self._requests >= cut.after

    def _cut_here(self, answer: bytes) -> bool:
        """Whether the connection ends with this answer, of which a part may have gone through."""
        cut = self._cut
        if cut is None or not self._waits_for_a_change():
            return False
        if not _says_committed(answer) or not self._told(cut.moment):
            return False
        if cut.moment is Moment.HALF_ANSWERED:
            self._client.sendall(answer[: int(cut.part * len(answer))])
        return True


def _frames(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of a stream, each whole."""
    while len(head := stream.read(_HEAD_BYTES)) == _HEAD_BYTES:
        left = int.from_bytes(head[1:], "big") - 4
        body = stream.read(left)
        if len(body) < left:
            return
        yield head + body


def _says_committed(answer: bytes) -> bool:
    """Whether the messages say that a change was carried out, and no transaction is open."""
    changed = answer[:1] == _DONE and answer[_HEAD_BYTES:].startswith(_CHANGES)
    return changed and answer[-1:] == _OUTSIDE
