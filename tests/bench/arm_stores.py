"""Stores that arms open: in memory, and each wrong in one way."""

import os
import time
from dataclasses import replace

from sessionproof.contract.claims import Claims


class Plain:
    """Keeps its messages in a dict."""

    claims = Claims()
    version = "1.5"

    def __init__(self, location):
        self.kept = {}

    def append(self, session_id, messages):
        self.kept.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.kept.get(session_id, ()))

    def close(self):
        pass


class Prints(Plain):
    """Prints at every turn, to both streams, and reads its stdin."""

    def append(self, session_id, messages):
        print('{"answer": 5}', flush=True)  # noqa: T201 - as a library may
        os.write(1, b"raw\n")
        assert os.read(0, 100) == b""
        super().append(session_id, messages)


class Slow(Plain):
    """Works a while at each append; the while is the processor's, not a sleep."""

    def append(self, session_id, messages):
        for _ in range(3_000):
            pass
        super().append(session_id, messages)


class Counts(Plain):
    """Can count, too."""

    def count(self, session_id):
        return len(self.kept.get(session_id, ()))


class CountFails(Plain):
    """Can count until it was asked twenty times."""

    asked = 0

    def count(self, session_id):
        self.asked += 1
        if self.asked == 20:
            raise RuntimeError("no more\ncounting")
        return 5


class CountDies(Plain):
    """Ends its process when it is asked to count."""

    def count(self, session_id):
        os.write(2, b"out of fingers\n")
        os._exit(3)


class CountHangs(Plain):
    """Never answers when it is asked to count."""

    def count(self, session_id):
        time.sleep(600)


class NeverOpens(Plain):
    """Refuses its location."""

    def __init__(self, location):
        raise OSError("the disk is upside down")


class Exits(Plain):
    """Ends its process when it is opened."""

    def __init__(self, location):
        os._exit(0)


class TakesNothing(Plain):
    """Refuses every message."""

    def append(self, session_id, messages):
        raise ValueError("no")


class Awaits(Plain):
    """Answers awaitables."""

    async def append(self, session_id, messages):
        super().append(session_id, messages)

    async def read(self, session_id):
        return super().read(session_id)

    async def close(self):
        pass


class Told(Plain):
    """Says in its version how its process was started."""

    version = None

    def __init__(self, location):
        super().__init__(location)
        self.version = f"{os.environ['PYTHONHASHSEED']} {id(int):x} {hash('x')}"


class Heavy(Plain):
    """Works a while at each message, so that sessions are filled with few."""

    each_s = 0.006

    def append(self, session_id, messages):
        _work(self.each_s * len(messages))
        super().append(session_id, messages)

    def delete(self, session_id):
        _work(0.002)
        self.kept.pop(session_id, None)


class Heavier(Heavy):
    """Works twice as long."""

    each_s = 0.012


class CountsSlowly(Counts):
    """Takes a twentieth of a second to count."""

    def count(self, session_id):
        _work(0.05)
        return super().count(session_id)


class Durable(Counts):
    """Says that it survives more than it does; it can count, too."""

    claims = Claims(durability="power")


class Sets(Plain):
    """Keeps a state."""

    def set_state(self, session_id, name, value):
        pass


class Edits(Plain):
    """Changes messages."""

    def read(self, session_id):
        return [replace(one, id=str(at)) for at, one in enumerate(super().read(session_id))]

    def edit_message(self, session_id, message_id, message):
        pass


def _work(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
