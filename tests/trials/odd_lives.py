"""Stores for the rows of a session's life: right in a way of their own, or wrong in an answer."""

import re
from dataclasses import replace

from fixtures.benign.one_process import InOnePlace
from fixtures.benign.sweeps import Keeping, Worded
from fixtures.benign.timeouts import PutAway, WarnsBefore
from sessionproof.contract.claims import Limits
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.searching import Hit
from sessionproof.oracle.memory import MemoryStore


def split(text):
    """The words of a text in small letters."""
    return re.findall(r"[^\W_]+", text.lower())


def is_begun(word, text):
    """Whether a word of the text begins so."""
    return any(one.startswith(word) for one in split(text))


class FindsBeginnings(MemoryStore):
    """A word is found by its beginning, as one types; the newest come first."""

    claims = replace(MemoryStore.claims, search_order="newest")

    def __init__(self, location):
        super().__init__(location)
        self.order = {}

    def append(self, session_id, messages):
        """Remember the order, too."""
        answer = super().append(session_id, messages)
        for number in answer.seqs:
            self.order[session_id, f"m{number}"] = len(self.order)
        return answer

    def search(self, query, *, limit=100):
        """All words of the query, each at the beginning of a word."""
        words = split(query)
        found = [
            Hit(name, message)
            for name in self.list()
            for message in self.read(name)
            if words and all(is_begun(one, str(message.content or "")) for one in words)
        ]
        found.sort(key=lambda hit: -self.order.get((hit.session_id, hit.message.id), 0))
        return found[:limit]


class KeepsThree(FindsBeginnings):
    """Of each session the newest messages."""

    claims = replace(FindsBeginnings.claims, limits=Limits(retention=3))


class FindsNowhere(FindsBeginnings):
    """One hit more, of a session that was never there."""

    claims = replace(FindsBeginnings.claims, search_order=None)

    def search(self, query, *, limit=100):
        """The first of them again."""
        found = super().search(query, limit=limit)
        return [*found, *(replace(one, session_id="nowhere") for one in found[:1])][:limit]


class StatusIsAList(PutAway):
    """No text."""

    def get(self, session_id):
        """In brackets."""
        return replace(super().get(session_id), status=["active"])


class NamesByNumbers(WarnsBefore):
    """Ids that are no texts."""

    claims = replace(WarnsBefore.claims, session_ids="store")

    def create(self, session_id=None, *, messages=()):
        """A number."""
        return 7


class SweepsNothing(WarnsBefore):
    """None is no answer."""

    def sweep(self):
        """No return."""


class SweepsNothingAtOnce(Keeping):
    """None is no answer beside others, either."""

    def sweep(self):
        """No return."""


class ReadsDicts(Keeping):
    """Messages are no dicts."""

    def read(self, session_id):
        """As they are stored."""
        return [{"role": "user", "content": "hello"}]


class SweepsSets(WarnsBefore):
    """A set is no sequence."""

    def sweep(self):
        """In no order."""
        return Swept(expired=set(super().sweep().expired))


class TellsTwice(WarnsBefore):
    """Each id is there two times."""

    def sweep(self):
        """As if two had looked."""
        swept = super().sweep()
        return Swept(warned=swept.warned * 2, expired=swept.expired * 2)


class NoClock(WarnsBefore):
    """Its clock cannot be set after all."""

    def __init__(self, location):
        super().__init__(location)

    def set_clock(self, now_us):
        """It raises."""
        raise RuntimeError("no clock is here")


class Busy:
    """Every third call of some methods is refused, as something else is at work."""

    turns = 0

    def _turn(self):
        self.turns += 1
        if self.turns % 3 == 0:
            raise Conflict("nothing was done: try again")

    def append(self, session_id, messages):
        """At times."""
        self._turn()
        return super().append(session_id, messages)

    def read(self, session_id):
        """At times."""
        self._turn()
        return super().read(session_id)


class BusyLives(Busy, WarnsBefore):
    """With limits, set now and then."""

    def set_limits(self, session_id, *, idle_us=None, hard_us=None):
        """At times."""
        self._turn()
        super().set_limits(session_id, idle_us=idle_us, hard_us=hard_us)


class BusySearch(FindsBeginnings):
    """With a search."""

    turns, _turn = 0, Busy._turn

    def search(self, query, *, limit=100):
        """At times."""
        self._turn()
        return super().search(query, limit=limit)


class AsksAgain(Busy, Keeping):
    """A snapshot is refused now and then, beside writers or not."""

    def snapshot(self, session_id, *, reason=None):
        """At times."""
        self._turn()
        return super().snapshot(session_id, reason=reason)


class Names(Keeping):
    """Ids are made by the store, for restored sessions as well."""

    claims = replace(Keeping.claims, session_ids="store", missing_session="refuses")
    made = 0

    def create(self, session_id=None, *, messages=()):
        """One more."""
        assert session_id is None
        type(self).made += 1
        name = f"named-{self.made}"
        self.append(name, [*messages])
        return name

    def restore_snapshot(self, snapshot_id, *, session_id=None):
        """No id is taken."""
        if session_id is not None:
            raise Refused("ids are made here")
        return super().restore_snapshot(snapshot_id)


class Forgets(InOnePlace):
    """With the last handle of a location all is gone."""

    claims = replace(InOnePlace.claims, shared_handle=True, durability="none")

    def __init__(self, location):
        super().__init__(location)
        self.handles = self.place.more.setdefault("handles", set())
        self.handles.add(self)

    def close(self):
        """The last one empties the place."""
        super().close()
        self.handles.discard(self)
        if not self.handles:
            self.place.sessions.clear()


class KeepsFew(Worded):
    """Too few for this."""

    claims = replace(Worded.claims, limits=Limits(retention=3))
