"""What damages came to, by page and by class, for the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from sessionproof.contract.measurements import DamageClass, DamagedPage, Damages
from sessionproof.faults.damage.bits import BLOCK
from sessionproof.faults.damage.done import Done
from sessionproof.faults.damage.logs import FRAME_HEAD, LOG_HEAD
from sessionproof.faults.damage.pages import MAGIC, page_size
from sessionproof.trials.damaged import Scene

NOT_ITS_OWN = "not the store's: another database's log was put there"
_ENDS = ("raised", "found", "harmless", "served")


class Outcomes:
    """Counts the outcomes of damages to the files of a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._pages: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._uses: dict[tuple[str, int], str] = {}
        self._classes: dict[str, dict[str, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )

    def add(self, done: Done, name: str, outcome: str, *, owed: bool) -> None:
        """Count a damage of the class of this name. A page of 0 is none."""
        if done.page:
            self._pages[done.file][done.page][outcome] += 1
            self._uses.setdefault((done.file, done.page), done.use)
        counted = self._classes[done.file][name]
        counted[outcome] += 1
        if outcome == "served":
            counted["owed"] += owed

    def measured(self) -> list[Damages]:
        """One map for each file that was damaged."""
        return [self._map(file) for file in sorted(self._classes)]

    def _map(self, file: str) -> Damages:
        data = self._data(file)
        size = _unit(file, data)
        head = LOG_HEAD if file.endswith("-wal") else 0
        cells = tuple(
            DamagedPage(page=page, use=self._uses[file, page], **_counts(counted))
            for page, counted in sorted(self._pages[file].items())
        )
        pages = max([-(-(len(data) - head) // size), *(cell.page for cell in cells)])
        classes = tuple(
            DamageClass(name=name, owed=_is_owed(counted), **_counts(counted))
            for name, counted in self._classes[file].items()
        )
        return Damages(
            file=file, page_bytes=size, pages=pages, cells=cells, classes=classes,
            note="" if self._wrote(file) else NOT_ITS_OWN,
        )  # fmt: skip

    def _wrote(self, file: str) -> bool:
        scene = self._scene
        return any(file in one.files for one in (scene.closed, scene.live, scene.older) if one)

    def _data(self, file: str) -> bytes:
        for image in filter(None, (self._scene.closed, self._scene.live)):
            if file in image.files:
                return image.files[file]
        return b""


def _counts(counted: Mapping[str, int]) -> dict[str, int]:
    ends = {name: counted.get(name, 0) for name in _ENDS}
    return {"tried": sum(ends.values()), **ends}


def _is_owed(counted: Counter[str]) -> bool:
    """Whether damage of the class that is served breaks a promise: until seen otherwise."""
    return not counted["served"] or bool(counted["owed"])


def _unit(file: str, data: bytes) -> int:
    """Bytes of a page, of a block, or of a frame of a log."""
    if file.endswith("-wal") and len(data) >= LOG_HEAD:
        return FRAME_HEAD + int.from_bytes(data[8:12], "big")
    return page_size(data) if data.startswith(MAGIC) else BLOCK
