"""Where a store's files lie, and who may read them.

The location of these tests lies two levels deep in a sandbox that holds nothing but bait. What
changes in it outside the location was the store's doing. Elsewhere only names with the test's own
token count, so that no other program can raise an alarm.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sessionproof.checks.transcript import judge_answers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Clear,
    Delete,
    GetState,
    Operation,
    Read,
    SetState,
    as_call,
    session_of,
    shown_text,
)
from sessionproof.contract.seed import derive
from sessionproof.scripts.expressions import call, expression
from sessionproof.trials.inputs import good_message, places_for_text
from sessionproof.trials.lines import made
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import execute
from sessionproof.workload.hostile import paths

_BAIT = "bait.json"
_BAIT_TEXT = b'{"bait": "never read, never written"}\n'
_EVENTS = {  # audit events of Python with a path as their first argument
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir",
    "os.truncate", "os.chmod", "shutil.rmtree", "sqlite3.connect", "os.link", "os.symlink",
}  # fmt: skip


_LOCATION = re.compile(r"location-\w{8}")


def stays_inside(trial: Trial) -> None:
    """Ids and texts that lead out of the directory when they are used as paths.

    Raises NotClaimed for a store that keeps no files below its location.
    """
    sandbox = Path(tempfile.mkdtemp(prefix="sandbox-", dir=trial.store.location.root.parent))
    try:
        inner = sandbox / "outer" / "inner"
        inner.mkdir(parents=True)
        (sandbox / "elsewhere").mkdir()
        for folder in (sandbox, sandbox / "outer", inner, sandbox / "elsewhere"):
            for name in (_BAIT, "bait", "bait.db", "bait.jsonl", "bait.txt"):
                (folder / name).write_bytes(_BAIT_TEXT)
        nested = replace(trial, store=trial.store.below(inner))
        try:
            _lead_out(nested, sandbox)
        finally:
            nested.store.close()
    finally:
        shutil.rmtree(sandbox, ignore_errors=True)


def _lead_out(trial: Trial, sandbox: Path) -> None:
    token = f"sp{derive(trial.seed, 'paths') % 2**40:010x}"
    trial.run(trial.program(Append("s0", (good_message(trial, "plain"),))), examined=0)
    root = trial.store.location.root
    if not any(path.is_file() for path in root.rglob("*")):
        raise NotClaimed("the store keeps no files below its location")
    given = paths(token, outside=str(sandbox / "elsewhere"), beside=root.name, bait=_BAIT)
    swaps = {root.name: "directory.name", str(sandbox / "elsewhere"): "str(directory.parent)"}
    for at, path in enumerate(trial.within_time(given)):
        with _Watched(trial, sandbox, token) as watched:
            _use(trial, path, texts=at % 2 == 0)
        outside = watched.outside()
        root = trial.store.location.root
        trial.require(
            not outside,
            Anomaly.ESCAPE,
            did=f"used {shown_text(path)} as an id, a key and a text, in a store at {root}",
            expected="nothing outside the location is read, written or removed",
            seen="; ".join(outside[:4]),
            program=_program(trial, path),
            script=_script(trial, path, swaps, token) if outside else (),
        )
        trial.count("inputs")


def _use(trial: Trial, path: str, *, texts: bool) -> None:
    """The path as a session's id, a key of its state, an id of a message, and as texts."""
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    looks = [one for one in programs.observations(["h"], kinds) if session_of(one) == "h"]
    removals = [kind("h") for kind in (Clear, Delete) if kind in kinds]
    _carried_out(trial, [*looks, *removals], {"h": path})  # of a session that is unknown
    named = trial.claims.session_ids == "caller"
    steps = programs.beginnings(["h"], trial.words, trial.capabilities)
    steps += [Append("h", (good_message(trial, "hostile"),)), Read("h")]
    for place in places_for_text(trial).values() if texts or not named else ():
        message = place(path)
        if trial.words.representable(message):
            steps.append(Append("h", (message,)))
    if "id" in trial.claims.keeps:
        steps.append(Append("h", (replace(good_message(trial, "named"), id=path),)))
    if SetState in kinds and GetState in kinds:
        steps += [GetState("h", path), SetState("h", path, path), GetState("h", path)]
    _carried_out(trial, [*steps, *looks, *removals, Read("h")], {"h": path} if named else None)
    for method in sorted({"delete_message", "page"} & trial.capabilities):
        trial.handle().perform(f"{method}({path!r})", partial(_named, method=method, path=path))


def _carried_out(trial: Trial, steps: Sequence[Operation], ids: Mapping[str, str] | None) -> None:
    """Only hangs, crashes and malformed answers count here; any refusal is right."""
    transcript = execute(tuple(steps), trial.store, ids=ids)
    trial.conclude(transcript, judge_answers(transcript))


def _named(asked: Callable[..., Any], *, method: str, path: str) -> None:
    if method == "page":
        asked("page", "s", cursor=path, limit=1)
    else:
        asked(method, "s", path)


def _program(trial: Trial, path: str) -> tuple[str, ...]:
    made = [f"s0 = {shown_text(path)}"] if trial.claims.session_ids == "caller" else []
    append = Append("s0", (good_message(trial, "hostile"),))
    return (*made, as_call(Read("s0")), as_call(append))


def _script(trial: Trial, path: str, swaps: Mapping[str, str], token: str) -> list[str]:
    """Lines that use the path in each way, with bait above the location of the script.

    ``swaps`` are parts of the path that are otherwise there, with the expressions that stand for
    them. Looked at are names with the token or the bait alone, as others write there, too.
    """
    given = expression(path)
    given += "".join(f".replace({old!r}, {new})" for old, new in swaps.items() if old in path)
    uses = [["with suppress(Exception):", f"    {use}", "look()"] for use in _uses(trial, path)]
    return [
        f"given = {given}",
        *made(trial, "s0"),
        "above = [*directory.parents][:4]",
        f"bait = directory.parent / {_BAIT!r}",
        "bait.write_text('{}')",
        "opened = []",
        "",
        "def hear(event, arguments):",
        "    if event == 'open' and os.path.normpath(str(arguments[0])) == str(bait):",
        "        opened.append(str(arguments[0]))",
        "",
        "def around():",
        f"    names = [path for level in above for path in level.glob('*{token}*')]",
        "    return {str(path) for path in [*names, bait] if path.exists()}",
        "",
        "def look():",
        "    now = around()",
        "    assert not opened and now == before, (opened, now ^ before)",
        "",
        "before = around()",
        "sys.addaudithook(hear)",
        *(line for use in uses for line in use),
        "bait.unlink()",
    ]


def _uses(trial: Trial, path: str) -> Iterator[str]:
    """Calls that take ``given`` as an id or key of a script, and the path as a text."""
    hostile = call(Append("h", (good_message(trial, "hostile"),)), "given")
    yield "store.read(given)"
    if trial.claims.session_ids == "caller":
        if trial.claims.missing_session == "refuses" and "create" in trial.capabilities:
            yield "store.create(given)"
        yield hostile
        yield "store.read(given)"
    if {"get_state", "set_state"} <= trial.capabilities:
        yield "store.set_state(s0, given, given)"
        yield "store.get_state(s0, given)"
    for place in places_for_text(trial).values():
        yield call(Append("s0", (place(path),)), "s0")
    if "id" in trial.claims.keeps:
        yield call(Append("s0", (replace(good_message(trial, "named"), id=path),)), "s0")
    for method in ("clear", "delete"):
        if method in trial.capabilities:
            yield f"store.{method}(given)"


@dataclass
class _Watched:
    """What lies outside the location, before and after; and what Python opened meanwhile."""

    trial: Trial
    sandbox: Path
    token: str

    def __enter__(self) -> _Watched:
        self._before = self._seen()
        self._opened = _Hook.start(self.token, str(self.sandbox) + os.sep)
        return self

    def __exit__(self, *_error: object) -> None:
        _Hook.stop()

    def outside(self) -> list[str]:
        """What happened outside the location, a sentence each; what was made is removed again."""
        now = self._seen()
        made = sorted(now.keys() - self._before.keys())
        told = [f"made {path}" for path in made]
        told += [f"removed {path}" for path in sorted(self._before.keys() - now.keys())]
        told += [
            f"changed {path}"
            for path in sorted(now.keys() & self._before.keys())
            if now[path] != self._before[path]
        ]
        told += [
            f"{event} {path}"
            for event, path in dict.fromkeys(self._opened)
            if not self._is_ours(path) and path not in made
        ]
        for path in made:
            _remove(Path(path), self.token)
        return told

    def _is_ours(self, path: str) -> bool:
        """In the location, or above it: a store may sync the directory that its own lies in."""
        root = self.trial.store.location.root.resolve()
        real = Path(os.path.realpath(path))
        return real.is_relative_to(root) or root.is_relative_to(real) or _is_location(real, root)

    def _seen(self) -> dict[str, tuple[int, bytes]]:
        """Every path outside the location: of the sandbox all, elsewhere those with the token."""
        root = self.trial.store.location.root
        found: dict[str, tuple[int, bytes]] = {}
        for folder, folders, files in os.walk(self.sandbox):
            here = Path(folder)
            folders[:] = [name for name in folders if not _is_location(here / name, root)]
            for name in (*folders, *files):
                found[str(here / name)] = _facts(here / name)
        for place in (self.sandbox.parent, Path.cwd(), _home(), Path(tempfile.gettempdir())):
            for name in _listed(place):
                if self.token in name:
                    found[str(place / name)] = _facts(place / name)
        return found


def _is_location(path: Path, root: Path) -> bool:
    """The test makes its locations beside each other; a store makes none of such a name."""
    return path.parent == root.parent and (path == root or bool(_LOCATION.fullmatch(path.name)))


def _facts(path: Path) -> tuple[int, bytes]:
    """The kind of the path, and for a file what is in it."""
    try:
        mode = path.lstat().st_mode
        return stat.S_IFMT(mode), path.read_bytes()[:4096] if stat.S_ISREG(mode) else b""
    except OSError:
        return 0, b""


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - never raises


def _listed(place: Path) -> list[str]:
    try:
        return os.listdir(place)  # noqa: PTH208 - names alone
    except OSError:
        return []


def _remove(path: Path, token: str) -> None:
    """Clear away what the store left; only below the sandbox or with the token in its name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif token in path.name or path.is_file():
        path.unlink(missing_ok=True)


class _Hook:
    """Python's own audit of what is opened. A hook cannot be taken out, so one stays, asleep."""

    token: str | None = None
    below = ""
    seen: list[tuple[str, str]] = []  # noqa: RUF012 - there is one hook in a process
    added = False

    @classmethod
    def start(cls, token: str, below: str) -> list[tuple[str, str]]:
        """Listen for paths with the token, or below a directory; answers the list that grows."""
        if not cls.added:
            sys.addaudithook(cls.hear)
            cls.added = True
        cls.seen = []
        cls.below = below
        cls.token = token
        return cls.seen

    @classmethod
    def stop(cls) -> None:
        """Sleep again."""
        cls.token = None

    @classmethod
    def hear(cls, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an absolute path; never raises, as that would stop the caller.

        Relative ones are left to the listings: they may be meant below an open directory.
        """
        token = cls.token
        if token is None or event not in _EVENTS:
            return
        for path in arguments[:2]:
            text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
            if token in text or cls.below in text:
                text = text.removeprefix("file://").removeprefix("file:").partition("?mode")[0]
                if text.startswith(os.sep) and "\0" not in text:
                    cls.seen.append((event, text))


def files_are_private(trial: Trial) -> None:
    """Every file and directory that the store makes is its owner's alone, whatever the umask.

    The umask that most systems have lets everybody read new files; it is in effect meanwhile.
    """
    if os.name != "posix":
        raise CouldNotTell("file permissions are those of POSIX alone")
    seen: set[Path] = set()
    with _umask(0o022):
        trial.store.fresh_location()
        for message in _of_all_sizes(trial):
            trial.run(trial.program(Append("s0", (message,))), examined=0)
            seen |= _require_private(trial, "while it was open")
        trial.store.close()
        seen |= _require_private(trial, "after it was closed")
        trial.store.handle()
        seen |= _require_private(trial, "after it was opened again")
    if not seen:
        raise NotClaimed("the store keeps no files below its location")
    trial.count("files", len(seen))


def _of_all_sizes(trial: Trial) -> Iterator[Message]:
    """Small and large ones, so that logs and files beside the first are made."""
    for size in (1, 1, 200_000):
        message = good_message(trial, "x" * size)
        limit = trial.claims.limits.content_bytes
        yield message if limit is None or size < limit else good_message(trial, "x")


def _require_private(trial: Trial, when: str) -> set[Path]:
    root = trial.store.location.root
    found = {path for path in root.rglob("*") if not path.is_symlink()}
    for path in sorted(found):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except OSError:  # gone in the meantime
            continue
        trial.require(
            not mode & 0o077,
            Anomaly.EXPOSED,
            did=f"appended messages, and looked at the files {when}, with umask 022",
            expected="no permission for group and others, as private_files claims",
            seen=f"{path.relative_to(root)} has mode {mode:04o}",
            program=[as_call(Append("s0", (good_message(trial, "x"),)))],
            script=[
                "os.umask(0o022)",
                *made(trial, "s0"),
                call(Append("s0", (good_message(trial, "x"),)), "s0"),
                "modes = {path.name: oct(path.stat().st_mode & 0o777)",
                "         for path in directory.rglob('*')}",
                "assert all(mode.endswith('00') for mode in modes.values()), modes",
            ],
        )
    return found


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """It is the whole process's: no other test runs in a worker meanwhile."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
