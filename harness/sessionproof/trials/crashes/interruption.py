"""One state after a crash in the middle of an upkeep: is it old or new, and can it be done again.

What the files were before it, and what they are behind it, is looked at first: a crash may leave
either, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import Upkeep
from sessionproof.faults.crashes.images import Image, Images
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import Recording
from sessionproof.trials.crashes.appearance import Appearance
from sessionproof.trials.crashes.survival import Survived
from sessionproof.trials.crashes.upkeep_places import Closed, Places, Shown, Wrong, wrong
from sessionproof.workload.guard import CannotOpen, FlightRecorder
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.whole_stores import LIVE, MADE


class Interruption:
    """Judges the states of one recorded upkeep; what it writes lies below ``parent``."""

    def __init__(
        self,
        spec: StoreSpec,
        recording: Recording,
        *,
        parent: Path,
        deadlines: Deadlines,
        recorder: FlightRecorder | None = None,
    ) -> None:
        """Raises CannotOpen where nothing can be told of crashes: the text is why."""
        self._act = recording.acts[0]
        if not isinstance(self._act.operation, Upkeep):
            raise AssertionError("the recording of an upkeep begins with it")
        self._operation = self._act.operation
        self._images = Images(recording.changes)
        self._places = Places(
            spec, recording.claims, self._operation,
            parent=parent, deadlines=deadlines, recorder=recorder,
        )  # fmt: skip
        first = self._images.image(State("none", self._act.after + 1))
        last = self._images.image(State("none", len(recording.changes)))
        try:
            self._begin(first, last)
        except (Wrong, CannotOpen) as why:
            self.close()
            raise CannotOpen(f"without a crash: {why}") from None

    def _begin(self, first: Image, last: Image) -> None:
        """Look at both ends; raises CannotOpen where they are no measure for what lies between."""
        method = self._operation.method
        self._source = _source(self._operation, first)
        self._suffix = next((PurePath(name).suffix for name in entries_of(first, None)), None)
        self._old, self._new = self._places.live(first), self._places.live(last)
        self._older: Shown | None = None
        if method == "backup":
            if isinstance(self._old, Closed):
                raise CannotOpen(str(self._old))
            self._older = next(iter(self._restored(first).values()), None)
            if not _among(self._old, self._restored(last).values()):
                raise CannotOpen("what is restored of the backup is not what the store had")
        elif isinstance(self._new, Closed):
            raise CannotOpen(f"after {method} {self._new}")
        elif _alike(self._old, self._new) and method != "maintain":  # it has other things to do
            raise CannotOpen(f"{method} changes nothing that can be read")

    def close(self) -> None:
        """Close what is open."""
        self._places.close()

    def survived(self, state: State) -> Survived:
        """What this state shows. Raises OSError where it cannot be written."""
        image = self._images.image(state)
        answered = self._act.answered is not None and self._act.answered < state.point
        try:
            if self._operation.method == "backup":
                self._judge_backups(image, answered=answered)
            else:
                self._judge_directory(image, answered=answered)
            self._judge_again(image)
        except Wrong as found:
            hung = found.flaw.anomaly is Anomaly.HANG
            return Survived(state=state, flaws=(found.flaw,), opened_s=None, hung=hung)
        return Survived(state=state, flaws=(), opened_s=None)

    def _judge_directory(self, image: Image, *, answered: bool) -> None:
        """The directory has the old content or the new, and the new once it was acknowledged."""
        method, shown = self._operation.method, self._places.live(image)
        is_old = _alike(shown, self._old)
        # A store may say that a migration is not done yet: whether it can be done is seen next.
        says_so = isinstance(shown, Closed) and shown.why.startswith("Refused:")
        waits = method == "migrate" and says_so and not answered
        some = method == "sweep" and not answered and _is_part(shown, self._old, self._new)
        if not (_alike(shown, self._new) or waits or some or (is_old and not answered)):
            allowed = f"the new content ({self._new})"
            if not answered:
                allowed = f"the old content ({self._old}), or {allowed}"
            closed = isinstance(shown, Closed)
            lost = Anomaly.LOST_MESSAGE if is_old else Anomaly.PARTIAL
            raise wrong(
                Anomaly.UNREADABLE if closed else lost,
                "open" if closed else "messages",
                f"after a crash in {method} the directory has {allowed}",
                str(shown),
            )
        if self._source is not None:
            self._judge_source(image, *self._source)

    def _judge_source(self, image: Image, path: str, data: bytes) -> None:
        """The file that is migrated is there byte for byte: elsewhere, at its place."""
        inside = path.startswith(f"{LIVE}/")
        for name, content in image.files.items():
            if (inside or name == path) and content.size == len(data) and bytes(content) == data:
                return
        raise wrong(
            Anomaly.OVERWRITTEN,
            "messages",
            "after a crash in migrate the old file is there, byte for byte",
            "no file has its bytes" if inside else f"{path} is gone, or has other bytes",
        )

    def _judge_backups(self, image: Image, *, answered: bool) -> None:
        """The store is as it was; what looks like a backup is refused or whole; one is there."""
        live = self._places.live(image)
        if not _alike(live, self._old):
            closed = isinstance(live, Closed)
            raise wrong(
                Anomaly.UNREADABLE if closed else Anomaly.PARTIAL,
                "open" if closed else "messages",
                f"after a crash in backup the store has what it had ({self._old})",
                str(live),
            )
        restored = self._restored(image)
        older = () if self._older is None else (self._older,)
        for name, shown in restored.items():
            if not _among(shown, (self._old, *older)):
                raise wrong(
                    Anomaly.BAD_BACKUP,
                    "messages",
                    f"after a crash in backup {name} is refused, or is whole ({self._old})",
                    f"it is restored without an error, and then: {shown}",
                )
        wanted = (self._old, *(() if answered else older))
        owed = answered or older
        if owed and not any(_among(one, restored.values()) for one in wanted):
            raise wrong(
                Anomaly.BAD_BACKUP,
                "messages",
                "after a crash in backup there is "
                + ("the backup that was acknowledged" if answered else "a backup that is whole"),
                f"{len(restored)} of the files in the folder can be restored"
                + (", and have what was there earlier" if restored else ""),
            )

    def _judge_again(self, image: Image) -> None:
        """It can be done again, and then it is done."""
        method = self._operation.method
        if method == "restore_snapshot" and _alike(self._places.live(image), self._new):
            return  # it is done, and over what is there it may be refused
        shown = self._places.again(image)
        wanted = self._old if method == "backup" else self._new
        done = _newest(shown) == _newest(wanted) if method == "snapshot" else False
        if not (done or _among(shown, (wanted,))):
            raise wrong(
                Anomaly.BAD_BACKUP if method == "backup" else Anomaly.STUCK,
                "going on",
                f"after a crash {method} can be done again, and then is done: {wanted}",
                str(shown),
            )

    def _restored(self, image: Image) -> dict[str, Shown]:
        return self._places.restored(image, entries_of(image, self._suffix))


def entries_of(image: Image, suffix: str | None) -> list[str]:
    """The names in the folder of backups that look like one.

    What has another suffix than the first backup, or is hidden, is under way, or belongs to the
    file beside it. None for any.
    """
    found = {
        PurePath(path).parts[1]
        for path in (*image.files, *image.folders)
        if path.startswith(f"{MADE}/")
    }
    return sorted(
        name
        for name in found
        if not name.startswith(".") and suffix in (None, PurePath(name).suffix)
    )


def _source(operation: Upkeep, first: Image) -> tuple[str, bytes] | None:
    """The file that is migrated, and its bytes."""
    if operation.method != "migrate":
        return None
    path = operation.paths[0]
    return path, bytes(first.files[path])


def _alike(one: Shown, other: Shown) -> bool:
    if isinstance(one, Closed) or isinstance(other, Closed):
        return isinstance(one, Closed) and isinstance(other, Closed)
    return one == other


def _is_part(one: Shown, old: Shown, new: Shown) -> bool:
    """Whether each session is as it was before a sweep, or as it is after it."""
    if isinstance(one, Closed) or isinstance(old, Closed) or isinstance(new, Closed):
        return False
    names = {name for each in (one, old, new) for name in (*each.reads, *each.lives)}
    sound = one.sound in (old.sound, new.sound)
    return sound and all(_of(one, name) in (_of(old, name), _of(new, name)) for name in names)


def _of(shown: Appearance, name: str) -> tuple[object, ...]:
    """All that is shown of one session."""
    return shown.reads.get(name), shown.counted.get(name), shown.lives.get(name)


def _newest(shown: Shown) -> object:
    """What can be read, and what the newest snapshot of each session restores to."""
    if isinstance(shown, Closed):
        return None
    return shown.reads, shown.sound, {name: each[-1] for name, each in shown.kept.items()}


def _among(one: Shown, others: Iterable[Shown]) -> bool:
    """Whether it is one of these, apart from what hangs on the time at which it was done."""
    return isinstance(one, Appearance) and any(
        isinstance(other, Appearance) and one.lasting == other.lasting for other in others
    )
