"""The session manager as a store under test: its calls, and the messages of its sessions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sessionproof.contract.clock import Clock
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.location import Location
from sessionproof.contract.managing import call_manager
from sessionproof.contract.message import Json, Message, Receipt
from sessionproof.reference import upkeep
from sessionproof.reference.managing.appending import append
from sessionproof.reference.managing.claimed import CLAIMS
from sessionproof.reference.managing.manager import SessionManager
from sessionproof.reference.managing.settings import Settings
from sessionproof.reference.store import ReferenceStore

P = ParamSpec("P")
T = TypeVar("T")


def _lent(
    method: Callable[Concatenate[ReferenceStore, P], T],
) -> Callable[Concatenate[Store, P], T]:
    """The reference's method, of the store beneath."""

    @wraps(method)
    def call(store: Store, /, *given: P.args, **named: P.kwargs) -> T:
        return method(store._kept, *given, **named)

    return call


class Store:
    """A session manager of the usual settings, and the messages that its sessions have.

    Sessions that ``create`` makes and those of ``create_session`` are the same. An append is an
    access, too. After the manager's ``shutdown`` the store's own methods go on. What nobody
    accesses is removed by ``sweep``, which is the manager's clean-up: in the background it is done
    after ``start_cleanup``.
    """

    claims = CLAIMS
    version = ReferenceStore.version

    def __init__(
        self, location: Location | os.PathLike[str] | str, *, clock: Clock | None = None
    ) -> None:
        self._kept = ReferenceStore(location, clock=clock, timeouts=Settings().limits())
        self._manager = SessionManager(self._kept, cleanup_interval_us=None)

    def close(self) -> None:
        """End the clean-up and close the file; a second time does nothing."""
        self._manager.shutdown()
        self._kept.close()

    def manager(self, call: str, arguments: Mapping[str, Json]) -> Json:
        """Carry a call of ``contract.managing`` out."""
        return call_manager(self._manager, call, arguments)

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages to the end of a session, all or none; raises ``NotFound``, ``Expired``."""
        return append(self._kept, session_id, messages)

    def sweep(self) -> Swept:
        """Remove the sessions that are over; each is told to one of all callers."""
        return Swept(expired=tuple(self._manager.clean_up()))

    read = _lent(ReferenceStore.read)
    read_last = _lent(ReferenceStore.read_last)
    page = _lent(ReferenceStore.page)
    count = _lent(ReferenceStore.count)
    pop_last = _lent(ReferenceStore.pop_last)
    delete_message = _lent(ReferenceStore.delete_message)
    edit_message = _lent(ReferenceStore.edit_message)
    clear = _lent(ReferenceStore.clear)
    create = _lent(ReferenceStore.create)
    get = _lent(ReferenceStore.get)
    list = _lent(ReferenceStore.list)
    delete = _lent(ReferenceStore.delete)
    set_limits = _lent(ReferenceStore.set_limits)
    touch = _lent(ReferenceStore.touch)
    tables = _lent(ReferenceStore.tables)
    verify = _lent(ReferenceStore.verify)
    health = _lent(ReferenceStore.health)
    backup = _lent(ReferenceStore.backup)
    restore = staticmethod(upkeep.restore)
    recover = staticmethod(upkeep.recover)
    repair = staticmethod(upkeep.repair)
