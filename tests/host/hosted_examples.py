"""Small stores that the tests of the host serve from another process."""

import asyncio
import os
import sys

from sessionproof import (
    Claims,
    Conflict,
    Expired,
    Health,
    HealthCheck,
    Hit,
    Indefinite,
    Message,
    Migrated,
    NotFound,
    NotRepresentable,
    Page,
    Receipt,
    Recovered,
    Refused,
    Repaired,
    SessionInfo,
    SnapshotInfo,
    SqliteTables,
    Swept,
    TooLarge,
    Verified,
)

print("a stray print while importing")  # noqa: T201

ERRORS = (Refused, Conflict, NotFound, Expired, TooLarge, NotRepresentable, Indefinite)


class Empty:
    """Sessions begin empty."""

    claims = Claims()

    def __init__(self, location):
        self.made = []

    def create(self, session_id=None):
        self.made.append(session_id)
        return session_id or "own"

    def append(self, session_id, messages):
        pass

    def read(self, session_id):
        return []

    def close(self):
        pass


class Plain:
    """Every method of the contract over dicts; parameters are named as it likes."""

    claims = Claims(roles={"user", "tool"}, seq_start=0, sources={"seq_start": "https://a.test/#1"})
    version = "7.1"

    def __init__(self, location):
        self.root = location.root
        self.sessions = {}
        self.state = {}

    def append(self, sid, batch):
        had = self.sessions.setdefault(sid, [])
        had.extend(batch)
        return Receipt(seqs=range(len(had) - len(batch), len(had)))

    def read(self, sid):
        return tuple(self.sessions.get(sid, ()))

    def create(self, sid=None, *, messages=()):
        self.sessions[sid or "new"] = list(messages)
        return sid or "new"

    def get(self, sid):
        if sid not in self.sessions:
            return None
        return SessionInfo(session_id=sid, message_count=len(self.sessions[sid]), metadata={"a": 1})

    def list(self):
        return sorted(self.sessions)

    def delete(self, sid):
        del self.sessions[sid]

    def clear(self, sid):
        self.sessions[sid] = []

    def read_last(self, sid, n):
        return self.sessions[sid][-n:]

    def page(self, sid, *, cursor=None, limit=50):
        start = cursor or 0
        end = start + limit
        return Page(self.sessions[sid][start:end], end if end < len(self.sessions[sid]) else None)

    def count(self, sid):
        return len(self.sessions[sid])

    def pop_last(self, sid):
        return self.sessions[sid].pop() if self.sessions[sid] else None

    def delete_message(self, sid, mid):
        self.sessions[sid] = [one for one in self.sessions[sid] if one.id != mid]

    def edit_message(self, sid, mid, message):
        self.sessions[sid] = [message if one.id == mid else one for one in self.sessions[sid]]

    def replace(self, sid, batch):
        self.sessions[sid] = list(batch)

    def get_state(self, sid, key):
        return self.state.get((sid, key))

    def set_state(self, sid, key, value):
        self.state[sid, key] = value

    def append_with_state(self, sid, batch, state):
        self.state |= {(sid, key): value for key, value in state.items()}
        return self.append(sid, batch)

    def transact(self, steps):
        return [
            self.read(step.session_id)
            if step.messages is None
            else self.append(step.session_id, step.messages)
            for step in steps
        ]

    def add_llm_model(self, model):
        self.state["models", model] = True

    def set_llm_model(self, sid, model):
        self.state["model", sid] = model

    def delete_llm_model(self, model):
        del self.state["models", model]

    def tables(self):
        return SqliteTables(str(self.root / "x.db"), "messages", "session_id", sessions="sessions")

    def verify(self, sid=None):
        return Verified(("s: one message is gone", "\ud83d")) if sid is None else Verified()

    def backup(self, folder, *, keep=None):
        return f"{folder}/{keep}"

    def restore(self, backup, directory):
        return None if backup == "none" else f"{directory}/before"

    def recover(self, damaged, directory):
        return Recovered(sessions=1, messages=2, lost=(damaged, directory))

    def repair(self, directory, *, dry_run=True):
        return Repaired(changes=("counted anew",), backup=None if dry_run else directory)

    def migrate(self, file, directory, *, dry_run=False):
        return Migrated(changed=not dry_run, sessions=1, messages=2, set_aside=3, notes=(file,))

    def rollback(self, directory):
        pass

    def set_limits(self, sid, *, idle_us=None, hard_us=None):
        self.state["limits", sid] = (idle_us, hard_us)

    def touch(self, sid):
        pass

    def set_status(self, sid, status):
        self.state["status", sid] = status

    def sweep(self):
        return Swept(warned=("\ud83d",), expired=("s", "t"))

    def set_clock(self, now_us):
        self.state["clock"] = now_us

    def snapshot(self, sid, *, reason=None):
        return f"{sid}:{reason}"

    def restore_snapshot(self, snapshot_id, *, session_id=None):
        return session_id or snapshot_id

    def snapshots(self, sid=None):
        return (SnapshotInfo(snapshot_id="1", session_id=sid or "\ud83d", message_count=2),)

    def search(self, query, *, limit=100):
        found = Message("user", f"{query} {limit}")
        return [Hit("s", found), Hit("\ud83d", found, snippet=query)]

    def health(self):
        return Health((HealthCheck("orphans", "critical", "10 orphans"),))

    def maintain(self):
        return ("sweep", "optimize")

    def add_user(self, name, password):
        return f"{name}:{password}"

    def sign_in(self, name, password, *, idle_us=None, hard_us=None):
        return f"{name}:{password}:{idle_us}:{hard_us}"

    def whose(self, token):
        return token

    def sign_out(self, token):
        self.state["out"] = token

    def set_user_active(self, user_id, active):
        self.state["active", user_id] = active

    def rename_user(self, user_id, name):
        self.state["name", user_id] = name

    def delete_user(self, user_id):
        self.state["deleted"] = user_id

    def set_owner(self, sid, user_id):
        self.state["owner", sid] = user_id

    def sessions_of(self, user_id):
        return (user_id, "\ud83d")

    def manager(self, call, arguments):
        return {"call": call, **arguments}

    def close(self):
        pass


class Core:
    """The core alone; a session's id says what each read does."""

    def __init__(self, location):
        self.closed = False

    def append(self, sid, messages):
        return None

    def read(self, sid):
        return getattr(self, f"_{sid}")()

    def close(self):
        pass

    def _prints(self):
        print('{"jsonrpc":"2.0","id":2,"result":["forged"]}')  # noqa: T201
        os.write(1, b"and past Python\n")
        os.system("echo a child; cat")  # cat would take the next call of the harness
        sys.stdout.flush()
        return []

    def _leaves(self):
        os._exit(0)

    def _exits(self):
        sys.exit("enough")

    def _interrupts(self):
        raise KeyboardInterrupt

    def _hostile(self):
        raise Hostile

    def _malformed(self):
        return [Message("user", {1, 2}), "text", Message("user", "x", metadata={5: 5})]

    def _endless(self):
        nested = []
        nested.append(nested)
        return [Message("user", nested)]


for _error in ERRORS:
    setattr(
        Core, f"_{_error.__name__}", lambda self, error=_error: (_ for _ in ()).throw(error("no"))
    )


class _Own(Conflict):
    """A store's own kind of conflict."""


Core._own = lambda self: (_ for _ in ()).throw(_Own("version 3"))


class Hostile(Exception):
    def __str__(self):
        raise SystemExit(9)


class Unopenable(Core):
    def __init__(self, location):
        raise RuntimeError("the licence has run out")


class Misshapen:
    def __init__(self, location):
        pass

    def append(self, session_id):
        pass

    def read(self):
        pass

    def close(self):
        pass


class Asynchronous:
    """Counts how often a task of its own has run: it must run between the calls, too."""

    def __init__(self, location):
        self.ticks = 0
        self.loop = asyncio.get_running_loop()
        self.ticking = asyncio.create_task(self.tick())

    async def tick(self):
        while True:
            self.ticks += 1
            await asyncio.sleep(0.001)

    async def append(self, session_id, messages):
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is self.loop

    async def read(self, session_id):
        if session_id == "exits":
            sys.exit(3)
        return []

    async def count(self, session_id):
        return self.ticks

    async def close(self):
        self.ticking.cancel()


def open_coroutine(location):
    """A plain function that answers an awaitable."""

    async def opened():
        return Asynchronous(location)

    return opened()


class Loops(Core):
    """A synchronous store that runs a loop of its own inside each call."""

    def read(self, sid):
        return asyncio.run(self._later())

    async def _later(self):
        return [Message("user", "from a loop")]
