"""A store that was filled, its files, and what the store shows of damaged ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import commonprefix
from pathlib import Path

from sessionproof.checks.messages import Difference, compare
from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.errors import NotFound
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Append,
    Delete,
    Failure,
    List,
    Operation,
    Outcome,
    Read,
    session_of,
)
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.damage.classes import main_files
from sessionproof.faults.damage.files import Image, taken
from sessionproof.host.client import HostedStore
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.program import with_awaits
from sessionproof.trials.inputs import good_message
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, Lines, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.execute import StoreUnderTest, Transcript, execute
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.heard import listening, news
from sessionproof.workload.texts import text_bytes

SESSIONS = ("s0", "s1", "s2", "s3")
_GONE = "s4"  # removed before the damage, so that there are pages in no use
_BATCHES, _BATCH = 6, 5  # appends to each session, and messages of each
_SHORT, _LONG = 300, 9_000  # bytes of texts: one of them takes pages of its own


@dataclass(frozen=True)
class Shown:
    """What a store showed of files: opened, read, listed, verified, closed.

    ``reads`` are outcomes by logical session. ``failure`` is the first error that was raised, at
    opening or by a read; ``problems`` what ``verify`` found, or how it failed; ``said`` what the
    store logged, warned of, or wrote to stderr. ``listed`` are the ids that it listed.
    """

    reads: Mapping[str, Outcome] = field(default_factory=dict)
    failure: Failure | None = None
    problems: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    listed: frozenset[str] | None = None

    def messages(self, name: str) -> tuple[Message, ...]:
        """What was read of a session; nothing where the store says that there is none."""
        outcome = self.reads.get(name, Outcome("ok"))
        return tuple(outcome.value or ()) if outcome.type == "ok" else ()

    @property
    def wrong_end(self) -> Failure | None:
        """A hang or a crash, if it came to one."""
        return self.failure if self.failure and self.failure.type in (HANG, CRASH) else None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A store that was filled and closed, and what it shows of its files as they are.

    ``live`` are the files as they were while the handle was open, None where no logs lay beside
    them. ``older`` are those of half way, closed, with the logs that lay beside them before; None
    for a store that does not claim to last. ``ids`` are the sessions' own, ``tokens`` texts of one
    message each.
    """

    trial: Trial
    closed: Image
    live: Image | None
    older: Image | None
    ids: Mapping[str, str]
    tokens: tuple[bytes, ...]
    base: Shown

    def look(self, folder: Path) -> Shown:
        """What the store shows of a folder with its files; what it usually says is left out."""
        shown = _looked(self.trial, folder, self.ids)
        return replace(shown, said=tuple(news([*shown.said], [*self.base.said])))

    def difference(self, shown: Shown) -> tuple[str, Difference] | None:
        """The first session that is not served as it was, and in what; also one not listed."""
        for name in self.ids:
            outcome = shown.reads.get(name)
            if outcome is None:
                continue
            if outcome.failure is not None and outcome.failure.type == MALFORMED:
                wanted = f"{len(self.base.messages(name))} messages as they were"
                return name, Difference(Anomaly.MALFORMED, wanted, outcome.failure.text)
            keeps = self.trial.claims.keeps
            found = compare(self.base.messages(name), shown.messages(name), keeps)
            if found is not None:
                return name, found
        if self.base.listed is not None and shown.listed is not None:
            for name, session_id in self.ids.items():
                if (session_id in self.base.listed) != (session_id in shown.listed):
                    unlisted = Difference(
                        Anomaly.LOST_SESSION, "list() knows the session", "list() lacks it"
                    )
                    return name, unlisted
        return None

    def told(self, name: str, difference: Difference, shown: Shown) -> str:
        """How a session is served, in short: how many messages, and where the first differs."""
        base, seen = self.base.messages(name), shown.messages(name)
        if difference.anomaly in (Anomaly.MALFORMED, Anomaly.LOST_SESSION):
            return f"{name}: {difference.seen}"
        words = f"{name}: {len(seen)} of {len(base)} messages; {MEANINGS[difference.anomaly]}"
        pairs = zip(base, seen, strict=False)
        first = next((pair for pair in pairs if pair[0].content != pair[1].content), None)
        if first is None:
            return words
        texts = [canonical(one.content) for one in first]
        at = len(commonprefix(texts))  # noqa: RUF071 - of texts, and no paths
        was, now = (text[max(0, at - 12) : at + 24] for text in texts)
        return f"{words}; where it had …{was}… there is …{now}…"

    @property
    def images(self) -> tuple[Image, ...]:
        """The closed files, and the live ones if there are any."""
        return (self.closed,) if self.live is None else (self.closed, self.live)

    def only_grew(self, name: str) -> bool:
        """Whether a file was only written at its end since the store was half full: a log."""
        before = self.older.files.get(name, b"") if self.older is not None else b""
        after = self.closed.files[name]
        return len(after) > len(before) > 0 and after.startswith(before)

    @property
    def together(self) -> int:
        """How many messages an append has, and so one record at most."""
        return len(self.trial.several(_BATCH))

    def main_files(self, image: Image, most: int) -> tuple[str, ...]:
        """The files with the store's data, so many of them at most."""
        return main_files(image.files, self.tokens)[:most]


class spread:  # noqa: N801 - used as a function
    """A folder of its own with the files of an image, for a ``with`` block; removed afterwards."""

    def __init__(self, trial: Trial, image: Image) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="damaged-", dir=parent_of(trial)))
        image.put(self._folder)

    def __enter__(self) -> Path:
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def filled(trial: Trial) -> Scene:
    """Fill the store in the trial's location, close it, and look at a copy of its files.

    Raises NotClaimed for a store without files below its location, CouldNotTell where a copy of
    the files is not the store.
    """
    store = trial.store
    store.fresh_location()
    if store.location.url is not None:
        raise NotClaimed("the data lies on a server, and not in files below the location")
    tokens = _Tokens(trial)
    names = (*SESSIONS, _GONE) if "delete" in trial.capabilities else SESSIONS
    ids = _half(trial, tokens, names)
    lasting = trial.claims.at_least("durability", "process")
    older = _half_way(store) if lasting else None
    _other_half(trial, tokens, ids)
    live = taken(store.location.root) if lasting else None
    store.close()
    closed = taken(store.location.root)
    if not any(closed.files.values()):
        raise NotClaimed("the store writes no file below its location")
    kept = {name: ids[name] for name in SESSIONS if name in ids}
    base = _undamaged(trial, closed, kept)
    scene = Scene(
        trial=trial,
        closed=closed,
        live=None,
        older=older,
        ids=kept,
        tokens=tuple(_shown_of(tokens.given, base)),
        base=base,
    )
    if live is None or not any(name.endswith("-wal") for name in live.files):
        return scene
    with spread(trial, live) as folder:
        as_killed = scene.look(folder)
    lives = as_killed.failure is None and scene.difference(as_killed) is None
    return replace(scene, live=live) if lives else scene


def _shown_of(tokens: Sequence[bytes], base: Shown) -> Iterator[bytes]:
    """Those tokens that are read; a store may keep the newest messages alone."""
    texts = [
        canonical([one.content, one.call_id, one.arguments])
        for name in base.reads
        for one in base.messages(name)
    ]
    whole = "\n".join(texts).encode()
    return (token for token in tokens if token in whole)


def _half(trial: Trial, tokens: _Tokens, names: Sequence[str]) -> dict[str, str]:
    """Begin the sessions and append half of the messages; answers the ids of the sessions."""
    first = [_append(trial, tokens, name) for _ in range(_BATCHES // 2) for name in names]
    done = execute(trial.program(*first, sessions=names)[: -len(names)], trial.store)
    _require_answers(done)
    return {session_of(one.operation): one.session_id for one in done if one.session_id}


def _other_half(trial: Trial, tokens: _Tokens, ids: Mapping[str, str]) -> None:
    """The rest of the messages, a long one among them; and the session that goes."""
    rest: list[Operation] = [
        _append(trial, tokens, name) for _ in range(_BATCHES // 2) for name in SESSIONS
    ]
    rest.append(Append("s1", (good_message(trial, tokens.text(_LONG)),)))
    if _GONE in ids:
        rest.append(Delete(_GONE))
    _require_answers(execute(tuple(rest), trial.store, ids=ids))


def _require_answers(done: Transcript) -> None:
    lost = next((one.outcome.failure for one in done if one.outcome.type == "info"), None)
    if lost is not None:
        raise CouldNotTell(f"the store could not be filled: {lost.type}: {lost.text[:200]}")


def _half_way(store: StoreUnderTest) -> Image:
    """The files of a store that is closed for this, and the logs that it had while it was open."""
    logs = {
        name: data
        for name, data in taken(store.location.root).files.items()
        if name.endswith("-wal")
    }
    store.close()
    image = taken(store.location.root)
    return replace(image, files={**image.files, **logs})


def broken(trial: Trial, finding: Finding, lines: Lines) -> Broken:
    """What is raised with this finding; its script opens the store itself, on the damaged files."""
    trial.store.close()  # what closing answers is known only then
    try:
        made = "\n".join(lines())
    except Unwritable as why:
        return Broken(replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}")))
    script = tuple(with_awaits(made, trial.store.awaited).split("\n")) if made else ()
    return Broken(replace(finding, script=script))


def _undamaged(trial: Trial, image: Image, ids: Mapping[str, str]) -> Shown:
    with spread(trial, image) as folder:
        base = _looked(trial, folder, ids)
    if base.failure is not None or not ids:
        why = f"{base.failure.type}: {base.failure.text[:200]}" if base.failure else "no sessions"
        raise CouldNotTell(f"a copy of the store's files cannot be read: {why}")
    if base.problems:
        raise CouldNotTell(f"verify() finds an undamaged copy damaged: {base.problems[0][:200]}")
    if not all(base.messages(name) for name in ids):
        raise CouldNotTell("a copy of the store's files does not show what was appended")
    return base


class _Tokens:
    """Gives each message a text with a word that no other has."""

    def __init__(self, trial: Trial) -> None:
        self._claims = trial.claims
        self.given: list[bytes] = []

    def text(self, wanted: int) -> str:
        """A text of so many bytes, or as many as the store takes."""
        token = f"mark{len(self.given):04d}word{len(self.given) * 7919 % 10_000:04d}"
        self.given.append(token.encode())
        length = text_bytes(self._claims, wanted)
        return f"{token} {'and so on, ' * (wanted // 11)}"[:length]


def _append(trial: Trial, tokens: _Tokens, session: str) -> Append:
    number = len(trial.several(_BATCH))
    texts = [tokens.text(_SHORT) for _ in range(number)]
    return Append(session, tuple(good_message(trial, text) for text in texts))


def _looked(trial: Trial, folder: Path, ids: Mapping[str, str]) -> Shown:
    """Open the store on the folder, read the sessions, verify, close."""
    store = trial.store.below(folder.parent)
    shutil.rmtree(store.location.root)
    store.location = Location(folder)
    with listening() as heard:
        try:
            shown = _read(store.handle(), ids)
        except CannotOpen as error:
            hung = str(error).startswith("did not open within")
            return Shown(
                failure=Failure(HANG if hung else "CannotOpen", str(error), error.evidence)
            )
        said, closed = _closed(store)
    failed = () if closed.failure is None else (f"close() raised {closed.failure.text[:200]}",)
    return replace(shown, said=(*heard, *said, *failed))


def _read(handle: Handle, ids: Mapping[str, str]) -> Shown:
    shown = Shown()
    reads: dict[str, Outcome] = {}
    for name, session_id in ids.items():
        reads[name] = handle.invoke(Read(name), session_id)
        shown = replace(shown, failure=shown.failure or _error_of(reads[name]))
    shown = replace(shown, reads=reads)
    if "list" in handle.capabilities and not handle.dropped:
        listed = handle.invoke(List())
        if listed.type == "ok":
            shown = replace(shown, listed=frozenset(listed.value))
        shown = replace(shown, failure=shown.failure or _error_of(listed))
    if "verify" in handle.capabilities and not handle.dropped:
        shown = replace(shown, problems=problems_of(upkeep.verify(handle)))
    return shown


def problems_of(outcome: Outcome) -> tuple[str, ...]:
    """What ``verify`` found; where it raised, that is told, too."""
    failure = outcome.failure
    if failure is not None:
        return (f"verify() raised {failure.type}: {failure.text[:300]}",)
    return tuple(outcome.value.problems)


def _error_of(outcome: Outcome) -> Failure | None:
    """What was raised, unless it says that there is no such session, or is no error at all."""
    failure = outcome.failure
    if failure is None or failure.type in (NotFound.__name__, MALFORMED):
        return None
    return failure


def _closed(store: StoreUnderTest) -> tuple[Sequence[str], Outcome]:
    """What the store's process wrote to stderr, if it is one, and how closing it ended."""
    handle = store.handle() if not store.dropped else None
    lent = handle.lend("the store itself", lambda opened, _wait: opened) if handle else None
    outcome = store.close()
    if lent is not None and isinstance(lent.value, HostedStore):
        return lent.value.stderr_tail().splitlines(), outcome
    return (), outcome
