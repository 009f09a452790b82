"""Stores that attack whoever runs them; each must end as a finding or as exit code 2."""

import ctypes
import os
import sys
import threading
import time

from sessionproof import Claims, Message


class Plain:
    """A store in memory, for others to go wrong from."""

    claims = Claims()

    def __init__(self, location):
        self.sessions = {}

    def append(self, session_id, messages):
        self.sessions.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.sessions.get(session_id, []))

    def close(self):
        pass


class Exits(Plain):
    """Ends the process, with success, in its third append."""

    appends = 0

    def append(self, session_id, messages):
        Exits.appends += 1
        if Exits.appends >= 3:
            os._exit(0)
        super().append(session_id, messages)


class HangsInC(Plain):
    """Holds the interpreter's lock for ever."""

    def append(self, session_id, messages):
        ctypes.PyDLL(None).sleep(1000)


class Hangs(Plain):
    """Never answers a read, but lets others run."""

    def read(self, session_id):
        time.sleep(1000)


class Prints(Plain):
    """Writes garbage to both streams, by Python and by the system."""

    def append(self, session_id, messages):
        print('{"jsonrpc": garbage')  # noqa: T201 - the attack
        sys.stderr.write("more \x1b[31m garbage\n")
        os.write(1, b"\x00\xff raw garbage\n")
        os.write(2, b"\x00\xff raw garbage\n")
        super().append(session_id, messages)


class RaisesWhenMade(Plain):
    """Cannot be opened."""

    def __init__(self, location):
        raise RuntimeError("no database\nhere, on two lines")


class HangsWhenMade(Plain):
    """Cannot be opened in time."""

    def __init__(self, location):
        time.sleep(1000)


class HangsInCWhenMade(Plain):
    """Cannot be opened in time, and holds the interpreter's lock."""

    def __init__(self, location):
        ctypes.PyDLL(None).sleep(1000)


class ExitsWhenMade(Plain):
    """Ends the process, with success, when it is opened."""

    def __init__(self, location):
        os._exit(0)


class _Hostile:
    __hash__ = None

    def __eq__(self, other):
        raise SystemExit(0)

    def __repr__(self):
        os._exit(0)

    __str__ = __repr__


class _HostileText(str):
    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return True

    def __repr__(self):
        os._exit(0)

    __str__ = __repr__


class ReturnsHostileObjects(Plain):
    """Answers objects that end the process when they are compared or shown."""

    def read(self, session_id):
        return [_Hostile() for _ in super().read(session_id)]


class ReturnsHostileTexts(Plain):
    """Answers texts that claim to equal everything."""

    def read(self, session_id):
        return [Message(m.role, _HostileText("wrong")) for m in super().read(session_id)]


class _HostileError(Exception):
    def __str__(self):
        raise KeyboardInterrupt

    __repr__ = __str__


class RaisesHostileErrors(Plain):
    """Raises errors whose text cannot be had."""

    def append(self, session_id, messages):
        raise _HostileError


class RaisesSystemExit(Plain):
    """Asks the interpreter to end."""

    def append(self, session_id, messages):
        raise SystemExit(0)


class RaisesKeyboardInterrupt(Plain):
    """Pretends that the user interrupted."""

    def append(self, session_id, messages):
        raise KeyboardInterrupt


class EndlessAnswer(Plain):
    """Answers a sequence without end."""

    def read(self, session_id):
        class Endless(list):
            def __iter__(self):
                while True:
                    yield Message("user", "again")

        return Endless()


class LeavesThreads(Plain):
    """Keeps the process alive by a thread that never ends."""

    def __init__(self, location):
        super().__init__(location)
        threading.Thread(target=time.sleep, args=(1000,)).start()


class NoRead:
    """Has no read."""

    def __init__(self, location):
        pass

    def append(self, session_id, messages):
        pass

    def close(self):
        pass


class WrongShape(Plain):
    """Has a capability that cannot be called as the contract says."""

    def read_last(self, session_id):
        return []
