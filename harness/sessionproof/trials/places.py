"""Locations that cannot be used: read-only, not there, or a file where a folder should be.

The store runs in a process of its own, without root's right to pass permissions, in an empty folder
with an empty home, and a listener notes each new name that it makes elsewhere.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from sessionproof.checks.transcript import judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.location import Location
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Append,
    Completed,
    Failure,
    Outcome,
    Read,
    Reopen,
    session_of,
)
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.failing.injection import CannotInject, Injector, Setting
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import Unwritable, call
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest, Transcript, execute
from sessionproof.workload.guard import CannotOpen

_BEFORE, _SENT, _AFTER = "before-8c2f", "sent-8c2f", "after-8c2f"
_READ_ONLY = stat.S_IRUSR | stat.S_IXUSR
_CONFUSED = frozenset(
    {"AttributeError", "TypeError", "NameError", "UnboundLocalError", "KeyError", "IndexError",
     "AssertionError", "RecursionError", "NotImplementedError"}
)  # fmt: skip
"""What a program raises that has lost its way: no word about the place."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """``make`` makes a location unusable, ``mend`` undoes it. ``filled``: it had a chat before.

    ``lines`` do the same as ``make`` in a script, with the location in ``directory``.
    ``missing``: there is no folder, which a store may make unless it claims to refuse it.
    """

    words: str
    filled: bool
    make: Callable[[Path], None]
    mend: Callable[[Path], None]
    lines: tuple[str, ...]
    missing: bool = False


def refused(trial: Trial) -> None:
    """Append at each unusable place; raises Broken.

    A place counts when it was refused by a clear error, with nothing made elsewhere and nothing
    changed, or when a missing folder was made, as is claimed. What a store can write all the same,
    and keeps there, is not judged. Raises NotClaimed for a store without files.
    """
    with ExitStack() as stack:
        try:
            injector = stack.enter_context(Injector(trial.store.spec))
        except CannotInject as error:
            raise CouldNotTell(str(error)) from None
        parent = Path(mkdtemp(prefix="places-", dir=parent_of(trial)))
        writable: list[str] = []
        for number, place in enumerate(trial.within_time(_PLACES)):
            folder = parent / str(number)
            folder.mkdir()
            if _Visit(trial, injector, folder, place).judged():
                trial.count("places")
            else:
                writable.append(place.words)
        if writable:
            trial.notes.append(
                f"{len(writable)} of {len(_PLACES)} places could be written all the same: "
                + "; ".join(writable)
            )


def is_clear(failure: Failure) -> bool:
    """Whether an error has words, and is not that of a program that has lost its way."""
    named = failure.type if failure.type != "CannotOpen" else failure.text.partition(":")[0]
    return named not in _CONFUSED and bool(failure.text.strip())


class _Visit:
    """One place: what the store does there, and what is there when it has been mended."""

    def __init__(self, trial: Trial, injector: Injector, folder: Path, place: _Place) -> None:
        self._trial = trial
        self._injector = injector
        self._place = place
        self._around = folder / "elsewhere"
        self._around.mkdir()
        self._root = folder / "location"
        self._root.mkdir()
        deadlines = trial.store.deadlines
        self._store = StoreUnderTest(
            injector.spec, trial.claims, parent=folder, deadlines=deadlines
        )
        self._store.location = Location(self._root)

    def judged(self) -> bool:
        """Whether the place was refused, or made, as it should be; raises Broken."""
        trial, place = self._trial, self._place
        before: Transcript = ()
        ids: dict[str, str] = {}
        self._injector.setting = Setting()
        if place.filled:
            append = Append("s0", (good_message(trial, _BEFORE),))
            before = execute(trial.program(append), self._store)
            ids = {session_of(one.operation): one.session_id for one in before if one.session_id}
            self._store.close()
            if not any(path.is_file() for path in self._root.rglob("*")):
                raise NotClaimed("the store writes no file below its location")
        place.make(self._root)
        try:
            tried, outcome, elsewhere = self._tried(ids)
        finally:
            place.mend(self._root)
        self._require_nothing_elsewhere(outcome, elsewhere)
        self._require_clear(outcome)
        if place.filled:
            self._require_untouched(before, tried, ids, outcome)
        elif _may_make(trial, place):
            self._require_made(tried, ids, outcome)
            return outcome.failure is not None or trial.claims.missing_folder == "makes"
        else:
            self._require_unmade(outcome)
        return outcome.failure is not None

    def _tried(self, ids: dict[str, str]) -> tuple[Transcript, Outcome, list[Path]]:
        """Open the place and append: what was called, the first error, files made elsewhere."""
        here = str(self._around)
        environment = {"HOME": here, "TMPDIR": here, "XDG_DATA_HOME": here, "XDG_STATE_HOME": here}
        self._injector.setting = Setting(folder=self._around, environment=environment, rights=False)
        self._injector.watch(self._root)
        done: Transcript = ()
        try:
            self._store.handle()
        except CannotOpen as error:
            outcome = error.outcome("fail")
        else:
            append = Append("s0", (good_message(self._trial, _SENT),))
            program = self._trial.program(append)[:-1] if not ids else (append,)
            done = execute(program, self._store, ids=ids or None)
            ids |= {session_of(one.operation): one.session_id for one in done if one.session_id}
            failed = (one.outcome for one in done if one.outcome.failure is not None)
            outcome = next(failed, Outcome("ok"))
            self._store.close()
        self._injector.setting = Setting()
        return done, outcome, self._injector.met().elsewhere

    def _require_nothing_elsewhere(self, outcome: Outcome, elsewhere: list[Path]) -> None:
        found = next((path for path in elsewhere if _is_data(path)), None)
        if found is not None:
            raise self._broken(
                Anomaly.ESCAPE,
                outcome,
                "nothing is made elsewhere",
                f"there is a file of the store's at {found}",
            )

    def _require_unmade(self, outcome: Outcome) -> None:
        """A place that must be refused is not made, whatever was answered."""
        made = self._root.is_dir()
        if outcome.failure is None:
            seen = "the place was made" if made else "nothing is at the place"
            seen = f"the append returned normally: {seen}"
            raise self._broken(Anomaly.ACCEPTED_INVALID, outcome, "a clear error", seen)
        if made:
            seen = "the folder that was missing was made"
            raise self._broken(Anomaly.ESCAPE, outcome, "nothing is made", seen)

    def _require_made(self, tried: Transcript, ids: dict[str, str], outcome: Outcome) -> None:
        """A missing folder that may be made is there, with what was acknowledged, or refused."""
        if outcome.failure is None and self._root.is_dir():
            self._require_untouched((), tried, ids, outcome)
        elif outcome.failure is None:
            self._require_unmade(outcome)
        elif self._trial.claims.missing_folder == "makes":
            seen = outcome.failure.text[:300]
            expected = "the folder is made, as is claimed"
            raise self._broken(Anomaly.UNEXPECTED_REFUSAL, outcome, expected, seen)

    def _require_clear(self, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None:
            return
        if failure.type in (HANG, CRASH, MALFORMED):
            raise self._broken(Anomaly(failure.type), outcome, "a clear error", failure.text)
        if not is_clear(failure):
            text = failure.text[:300] or f"{failure.type} without a word"
            raise self._broken(
                Anomaly.UNEXPECTED_REFUSAL, outcome, "an error that says what is wrong", text
            )

    def _require_untouched(
        self, before: Transcript, tried: Transcript, ids: dict[str, str], outcome: Outcome
    ) -> None:
        """When the place has been mended, all is as it was, and what was acknowledged is there."""
        trial = self._trial
        if not trial.claims.at_least("durability", "process"):
            return
        sent = tried or (Completed(Append("s0", (good_message(trial, _SENT),)), outcome),)
        after = Append("s0", (good_message(trial, _AFTER),))
        try:
            self._store.handle()
            done = execute((Read("s0"), after, Read("s0")), self._store, ids=ids)
        except CannotOpen as error:
            failure = Failure("CannotOpen", str(error), error.evidence)
            done = (Completed(Reopen(), Outcome("info", failure=failure)),)
        self._store.close()
        disturbed = range(len(before), len(before) + len(sent))
        fault = judge((*before, *sent, *done), trial.claims, disturbed=disturbed)
        if fault is not None:
            lost = fault.anomaly is Anomaly.LOST_MESSAGE and outcome.type == "ok"
            anomaly = Anomaly.SWALLOWED if lost else fault.anomaly
            raise self._broken(anomaly, outcome, fault.expected, fault.seen, fault.change)

    def _broken(
        self, anomaly: Anomaly, outcome: Outcome, expected: str, seen: str, change: str = ""
    ) -> Broken:
        place, failure = self._place, outcome.failure
        ended = "it returned normally" if failure is None else f"it raised {failure.text[:200]}"
        finding = Finding(
            anomaly=anomaly,
            did=f"appended to a store whose {place.words}; {ended}",
            expected=expected,
            seen=seen,
            evidence=dict(failure.evidence) if failure is not None else {},
            change=change,
        )
        try:
            return Broken(replace(finding, script=tuple(_script(self._trial, place, anomaly))))
        except Unwritable as why:
            said = Reproducer(file="", said=f"no script: {why}")
            return Broken(replace(finding, reproducer=said))


def _script(trial: Trial, place: _Place, anomaly: Anomaly) -> list[str]:
    """The visit as lines that fail as long as the store does this; raises Unwritable."""

    def append(text: str) -> str:
        return call(Append("s0", (good_message(trial, text),)), "s0")

    may = place.filled or _may_make(trial, place)
    opens = "store = injector.spec.open(location)"
    begun = [opens, *made(trial, "s0")]
    mend = ["for path in [directory, *directory.rglob('*')]:", "    path.chmod(0o700)"]
    wrong = {
        Anomaly.ACCEPTED_INVALID: ["assert raised, 'a clear error'"],
        Anomaly.SWALLOWED: [
            *mend,
            "injector.setting = Setting()",
            opens,
            texts_of("s0"),
            f"assert raised or {_SENT!r} in str(texts), texts",
        ],
        Anomaly.ESCAPE: [
            "kept = [path for path in elsewhere if path.is_file()]",
            "kept = [path for path in kept if path.suffix != '.pyc']",
            "assert not kept, kept",
            *([] if may else ["assert not directory.is_dir(), 'made'"]),
        ],
    }.get(anomaly)
    if wrong is None:
        raise Unwritable(f"{anomaly} at an unusable place shows in the harness alone")
    lines = [
        *([*begun, append(_BEFORE), "store.close()"] if place.filled else []),
        *place.lines,
        "home = tempfile.mkdtemp()",
        "injector.setting = Setting(",
        "    folder=Path(home), environment={'HOME': home, 'TMPDIR': home}, rights=False",
        ")",
        "injector.watch(directory)",
        *attempt(*([opens] if place.filled else begun), append(_SENT), "store.close()"),
        "elsewhere = injector.met().elsewhere",
        *wrong,
    ]
    return [
        "from sessionproof.contract.lookup import find_store",
        "from sessionproof.faults.failing.injection import Injector, Setting",
        "",
        "with Injector(find_store(STORE)) as injector:",
        *(f"    {line}" for line in lines),
    ]


def _may_make(trial: Trial, place: _Place) -> bool:
    """Whether the folder that is missing may be made: nothing claims that it is refused."""
    return place.missing and trial.claims.missing_folder != "refuses"


def _is_data(path: Path) -> bool:
    """Whether a file holds what was sent, or is a database; not what libraries keep for caches."""
    with suppress(OSError):
        if path.is_file() and "__pycache__" not in path.parts:
            data = path.read_bytes()
            return _SENT.encode() in data or data.startswith(b"SQLite format 3\0")
    return False


def _read_only(root: Path) -> None:
    for path in _all(root):
        path.chmod(_READ_ONLY)


def _files_read_only(root: Path) -> None:
    for path in _all(root):
        if path.is_file():
            path.chmod(stat.S_IRUSR)


def _writable(root: Path) -> None:
    for path in _all(root):
        path.chmod(stat.S_IRWXU)


def _all(root: Path) -> Iterator[Path]:
    return iter([root, *root.rglob("*")])


def _file_instead(root: Path) -> None:
    root.rmdir()
    root.write_text("no folder")


def _nothing(_root: Path) -> None:
    """Left as it is: what is there then is evidence."""


_ALL_PATHS = "for path in [directory, *directory.rglob('*')]:"
_PLACES = (
    _Place(
        words="folder is read-only, with all that is in it",
        filled=True,
        make=_read_only,
        mend=_writable,
        lines=(_ALL_PATHS, "    path.chmod(0o500)"),
    ),
    _Place(
        words="folder is missing",
        filled=False,
        make=Path.rmdir,
        mend=_nothing,
        lines=("directory.rmdir()",),
        missing=True,
    ),
    _Place(
        words="files are read-only",
        filled=True,
        make=_files_read_only,
        mend=_writable,
        lines=(_ALL_PATHS, "    path.chmod(0o700 if path.is_dir() else 0o400)"),
    ),
    _Place(
        words="place is a file",
        filled=False,
        make=_file_instead,
        mend=_nothing,
        lines=("directory.rmdir()", "directory.write_text('no folder')"),
    ),
)
