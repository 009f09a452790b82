"""One damaged record among good ones: it costs one message, is told, and appends go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import Append, Failure, Read
from sessionproof.contract.seed import generator
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.verdicts import Finding
from sessionproof.faults.damage.files import Image, taken
from sessionproof.faults.damage.records import (
    Hit,
    InFile,
    garbage_in_document,
    garbage_line,
    garbage_row,
    torn_document,
    torn_end,
    torn_line,
)
from sessionproof.oracle.model import differing
from sessionproof.scripts.damage import Damaged, alone_script
from sessionproof.trials.damaged import Scene, Shown, broken, filled, spread
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.heard import listening

_NEW = "after the damaged record"
Way = Literal["read", "append", "unnoticed"]
Cost = Literal["record", "document", "session"]
"""What a damage may cost: its record; its session, where a document is all of it; its session."""
Damages = Callable[[Path, int], Hit | None]
"""Damages a record below a folder, another one for each number."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A damaged record, and the files with it.

    ``whole`` says that it is all of its session, ``repaired`` that the store mended it.
    """

    scene: Scene
    hit: Hit
    image: Image
    whole: bool
    repaired: bool = False

    def spared(self, name: str) -> list[Message]:
        """The messages of a session that are not in the record."""
        return [one for one in self.scene.base.messages(name) if not self.holds(one)]

    def holds(self, message: Message) -> bool:
        """Whether the message is in the record."""
        return _has(message, self.hit.tokens)

    @property
    def session(self) -> str:
        """The session of the record."""
        held = (name for name in self.scene.ids if any(map(self.holds, self._all(name))))
        return next(held)

    def _all(self, name: str) -> Sequence[Message]:
        return self.scene.base.messages(name)


def _has(message: Message, tokens: Collection[bytes]) -> bool:
    """Whether the message has one of the tokens."""
    text = canonical([message.content, message.call_id, message.arguments]).encode()
    return any(token in text for token in tokens)


def alone(trial: Trial) -> None:
    """Damage single records: lines, rows of tables that are shown, documents, ends of logs.

    Raises Broken, and NotClaimed for a store that keeps none of these. A damage that shows in no
    read, and costs nothing, is no evidence.
    """
    scene = filled(trial)
    ways = [*_ways(scene)]
    tried = 0
    for number in range(max(trial.profile.damages, 2 * trial.guarantee.least)):
        for way, cost in ways:
            case = _case(scene, way, number, cost)
            tried += case is not None
            if case is not None and _judge(case):
                trial.count("records")
        if number and trial.enough(monotonic_s() - trial.started_s):
            break
    if not trial.examined["records"]:
        raise NotClaimed(
            "no read shows the records that were damaged"
            if tried
            else "no tables are shown, and no lines, records or documents are known"
        )


def _ways(scene: Scene) -> Iterator[tuple[Damages, Cost]]:
    """How records of this store can be damaged, and what that may cost."""
    names = scene.main_files(scene.closed, len(scene.closed.files))
    yield _in_one_of(scene, names, torn_line), "record"
    yield _in_one_of(scene, names, garbage_line), "record"
    logs = [name for name in names if scene.only_grew(name)]
    if logs:
        yield _in_one_of(scene, logs, partial(torn_end, together=scene.together)), "record"
    if len(names) > 1:
        yield _in_one_of(scene, names, torn_document), "document"
    shared = [name for name in names if len(_sessions_in(scene, name)) > 1]
    if shared:
        yield _in_one_of(scene, shared, garbage_in_document), "session"
    tables = _tables(scene)
    if tables is not None:
        file, table = tables

        def of_rows(folder: Path, number: int) -> Hit | None:
            token = generator(scene.trial.seed, "row", number).choice(scene.tokens)
            return garbage_row(folder / file, table, token, file=file)

        yield of_rows, "record"


def _in_one_of(scene: Scene, names: Sequence[str], damage: InFile) -> Damages:
    """The damage in one of these files, another one for each number."""

    def by(folder: Path, number: int) -> Hit | None:
        random = generator(scene.trial.seed, "record", number)
        return damage(folder, random.choice(names), scene.tokens, random)

    return by


def _sessions_in(scene: Scene, name: str) -> list[str]:
    """The sessions of which a file has messages."""
    data = scene.closed.files[name]
    held = [token for token in scene.tokens if token in data]
    return [name for name in scene.ids if any(_has(m, held) for m in scene.base.messages(name))]


def _tables(scene: Scene) -> tuple[str, str] | None:
    """The database below the location, and its table of messages, where the store shows them."""
    trial = scene.trial
    if "tables" not in trial.capabilities:
        return None
    with spread(trial, scene.closed) as folder:
        store = trial.store.below(folder.parent)
        shutil.rmtree(store.location.root)
        store.location = Location(folder)
        outcome = store.handle().perform("tables()", lambda call: call("tables"))
        store.close()
        if not isinstance(outcome.value, SqliteTables):
            return None
        path = Path(str(outcome.value.path)).resolve()
        if not path.is_relative_to(folder.resolve()):
            return None
        file = path.relative_to(folder.resolve()).as_posix()
        return (file, str(outcome.value.messages)) if file in scene.closed.files else None


def _case(scene: Scene, way: Damages, number: int, cost: Cost) -> _Case | None:
    """The damaged files; None where nothing was damaged, or more than one session is in it."""
    with spread(scene.trial, scene.closed) as folder:
        hit = way(folder, number)
        image = taken(folder)
    if hit is None or image == scene.closed:
        return None
    case = _Case(scene=scene, hit=hit, image=image, whole=False)
    held = [name for name in scene.ids if len(case.spared(name)) < len(scene.base.messages(name))]
    if len(held) != 1:
        return None
    all_of_it = cost == "document" and not case.spared(held[0])  # and no file for each message
    return replace(case, whole=cost == "session" or all_of_it)


def _judge(case: _Case) -> bool:
    """Look at the damaged files, mend them where the store can, append, look again.

    Answers whether the damage shows at all.
    """
    scene, trial = case.scene, case.scene.trial
    with spread(trial, case.image) as folder:
        first = scene.look(folder)
        _require_end(case, first)
        told = first.failure is not None or first.problems or first.said
        if not told and scene.difference(first) is None:
            return False
        shown = first
        if first.failure is not None and not case.whole and "repair" in trial.capabilities:
            _repair(case, folder)
            case, shown = replace(case, repaired=True), scene.look(folder)
        _require_read(case, shown, "read")
        if not told:
            raise _broken(
                case, Anomaly.UNNOTICED, "unnoticed",
                "an error, a problem that verify() finds, or a warning", "nobody says so",
            )  # fmt: skip
        _append(case, folder)
        _require_read(case, scene.look(folder), "append")
    return True


def _require_end(case: _Case, shown: Shown) -> None:
    ended = shown.wrong_end
    if ended is not None:
        raise _broken(case, Anomaly(ended.type), "read", "every read ends", ended.text)


def _require_read(case: _Case, shown: Shown, way: Way) -> None:
    """All messages outside the record are there, in order; at most something in its place."""
    after = "after the append, " if way == "append" else ""
    mended = "after repair(), " if case.repaired else ""
    if shown.failure is not None and not shown.reads:
        raise _broken(
            case, Anomaly.UNREADABLE, way, f"{after}{mended}the other messages can be read",
            f"the store does not open: {shown.failure.text[:300]}",
        )  # fmt: skip
    for name in case.scene.ids:
        if case.whole and name == case.session:
            continue
        wanted = case.spared(name)
        outcome = shown.reads[name]
        expected = f"{after}{mended}{name} has the {len(wanted)} messages that are not damaged"
        if outcome.failure is not None:
            anomaly, seen = Anomaly.UNREADABLE, _told(outcome.failure)
            raise _broken(case, anomaly, way, expected, seen, name=name)
        missing = _missing(wanted, outcome.value, case.scene.trial)
        if missing is not None:
            seen = f"{len(outcome.value)} messages; not there, or not in order: {missing.content!r}"
            raise _broken(case, Anomaly.LOST_MESSAGE, way, expected, seen[:600], name=name)


def _missing(wanted: Sequence[Message], seen: Sequence[Message], trial: Trial) -> Message | None:
    """The first message that is not read in its turn."""
    rest = iter(seen)
    for message in wanted:
        if all(differing(message, one, trial.claims.keeps) for one in rest):
            return message
    return None


def _repair(case: _Case, folder: Path) -> None:
    """Let the store mend the folder; it may refuse, then nothing is mended."""
    store = case.scene.trial.store.below(folder.parent)
    try:
        upkeep.repair(store.handle(), folder, dry_run=False)
    except CannotOpen as error:
        raise CouldNotTell(f"an empty location cannot be opened: {error}") from None
    finally:
        store.close()
        shutil.rmtree(store.location.root, ignore_errors=True)


def _append(case: _Case, folder: Path) -> None:
    """Append to the session of the record, or beside it where the record is all of its session."""
    scene, trial = case.scene, case.scene.trial
    name = case.session
    if case.whole:
        name = next(one for one in scene.ids if one != name)
    store = trial.store.below(folder.parent)
    shutil.rmtree(store.location.root)
    store.location = Location(folder)
    message = good_message(trial, _NEW)
    with listening():  # what is said now was told before
        try:
            handle = store.handle()
            appended = handle.invoke(Append(name, (message,)), scene.ids[name])
            read = handle.invoke(Read(name), scene.ids[name])
        except CannotOpen as error:
            appended = error.outcome()
            read = appended
        finally:
            store.close()
    expected = f"the next append to {name} works, and is read back"
    failure = appended.failure or read.failure
    if failure is not None:
        raise _broken(case, Anomaly.STUCK, "append", expected, _told(failure), name=name)
    texts = [(one.content, one.call_id) for one in read.value]
    if (message.content, message.call_id) not in texts:
        seen = f"{len(texts)} messages, and not the new one"
        raise _broken(case, Anomaly.LOST_MESSAGE, "append", expected, seen, name=name)


def _told(failure: Failure) -> str:
    return f"it raised {failure.type}: {failure.text[:300]}"


def _broken(
    case: _Case, anomaly: Anomaly, way: Way, expected: str, seen: str, *, name: str | None = None
) -> Broken:
    scene, trial, hit = case.scene, case.scene.trial, case.hit
    session = name or case.session
    finding = Finding(
        anomaly=anomaly,
        did=f"damaged one record in {hit.file}: {hit.words}; then opened the store and read all",
        expected=expected,
        seen=seen,
    )
    damaged = Damaged(
        folders=case.image.folders,
        files=case.image.files,
        words=f"{hit.file}: {hit.words}",
        ids=scene.ids,
        claims=trial.claims,
        verifies="verify" in trial.capabilities,
    )
    script = partial(
        alone_script,
        damaged,
        session,
        case.spared(session),
        message=good_message(trial, _NEW),
        repairs=case.repaired,
        what=way,
    )
    return broken(trial, finding, script)
