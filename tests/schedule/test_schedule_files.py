"""Files under control: what is done to those that count is told, and is done as ever."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Usual
from sessionproof.schedule.files import controlled_files
from sessionproof.schedule.locks import controlled_threads
from sessionproof.schedule.times import controlled_times


def managed(*actions: Callable[[], Any]) -> tuple[Controller, list[Any]]:
    """What came of each, in managed threads of which none is interrupted."""
    controller, out = Controller(), [None] * len(actions)
    controller.begin(Usual())
    threads = []

    def keep(number: int) -> None:
        out[number] = actions[number]()

    for number in range(len(actions)):
        task = controller.add(number, f"task {number}")
        work = (task, lambda number=number: keep(number))
        threads.append(threading.Thread(target=controller.work, args=work))
        threads[-1].start()
    controller.run(set(range(len(actions))))
    for one in threads:
        one.join()
    return controller, out


def told(controller: Controller) -> list[str]:
    """What was told, in order."""
    return [step.point.what for step in controller.steps]


Use = Callable[[Path], Any]


def texts(path: Path) -> Any:
    """Text in all modes."""
    out: list[Any] = []
    with open(path, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - that is meant
        out += [file.mode, str(file.name) == str(path), file.write("ä\nb\n"), file.encoding]
        out += [file.readable(), file.writable(), file.newlines]
    with path.open("a", buffering=1, encoding="utf-8") as file:
        out += [
            file.tell(),
            file.write("c\n"),
            path.read_text(encoding="utf-8"),
            file.line_buffering,
        ]
    with path.open("r+", encoding="utf-8") as file:
        out += [file.readline(), list(file), file.seek(0), file.write("x"), file.truncate()]
    with path.open(encoding="ascii", errors="replace") as file:
        out.append(file.read())
    out.append(path.write_text("again"))
    return [*out, path.read_bytes(), path.stat().st_size]


def octets(path: Path) -> Any:
    """Bytes in all modes, with a buffer and without."""
    out: list[Any] = []
    with path.open("xb") as file:
        out += [type(file), file.write(b"12345"), file.mode]
        file.flush()
        os.fsync(file)
        out.append(path.stat().st_size)
    with path.open("r+b") as file:
        out += [type(file), file.read(2), file.seek(0), file.write(b"x"), file.peek(1)]
    with path.open("rb", buffering=0) as file:
        out += [type(file), file.read(), file.read()]
    with path.open("ab", buffering=4) as file:
        out += [file.write(b"more"), file.tell()]
    return [*out, path.read_bytes()]


def numbers(path: Path) -> Any:
    """What ``os`` does by the number of a file."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    out = [os.write(fd, b"abc"), os.pwrite(fd, b"X", 1), os.fsync(fd), os.ftruncate(fd, 2)]
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb") as file:
        out.append(file.read())
    return out


def names(path: Path) -> Any:
    """What moves and removes files."""
    folder = path.with_name(f"{path.name}-folder")
    folder.mkdir()
    one, other = folder / "one", folder / "other"
    one.write_text("1")
    other.write_text("2")
    one.replace(other)
    out = [other.read_text(), one.exists()]
    os.link(other, one)
    other.rename(folder / "third")
    one.unlink()
    out.append(sorted(item.name for item in folder.iterdir()))
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="utf-8") as file:
        out.append(file.write("t"))
    shutil.rmtree(folder)
    return [*out, folder.exists()]


def mistakes(path: Path) -> Any:
    """What is wrong raises what it ever raised."""
    out = []
    for make in (
        lambda: path.with_name("none").open(),
        lambda: path.open("q"),
        lambda: path.open("rw"),
        lambda: path.open("wb", encoding="utf-8"),
        lambda: path.open("w", encoding="no such one"),
        lambda: path.open("w", buffering=0),
        lambda: open(None),  # noqa: PTH123, SIM115 - that is meant
        lambda: os.replace(path.with_name("none"), path),  # noqa: PTH105 - that is meant
        lambda: os.fsync(-1),
        lambda: fcntl.flock(-1, fcntl.LOCK_EX),
    ):
        try:
            make().close()
            out.append("nothing")
        except Exception as error:  # noqa: BLE001 - whatever it is
            out.append(type(error).__name__)
    return out


@pytest.mark.parametrize(
    "use", [texts, octets, numbers, names, mistakes], ids=lambda use: use.__name__
)
def test_files_are_as_ever(use: Use, tmp_path: Path) -> None:
    """All answers and errors are those of files without control."""
    without = use(tmp_path / "without")
    with controlled_files([tmp_path]):
        unmanaged = use(tmp_path / "unmanaged")
        controller, (under,) = managed(lambda: use(tmp_path / "under"))
    assert unmanaged == without
    assert under == without
    assert told(controller)


def test_what_is_done_is_told(tmp_path: Path) -> None:
    """Opening, reading, writing a whole buffer, syncing and moving are points."""

    def use() -> None:
        with (tmp_path / "new").open("w", encoding="utf-8") as file:
            file.write("one")
            file.write("two")
            file.flush()
            os.fsync(file.fileno())
        (tmp_path / "new").replace(tmp_path / "s")
        (tmp_path / "s").read_text(encoding="utf-8")
        (tmp_path / "s").unlink()

    with controlled_files([tmp_path]):
        controller, _ = managed(use)
    assert told(controller) == [
        "open (w) new",
        "write new",
        "fsync new",
        "replace s",
        "open (r) s",
        "read s",
        "unlink s",
    ]
    points = [step.point for step in controller.steps]
    assert [point.writes for point in points] == [True, True, False, True, False, False, True]
    assert points[0].on == ("file", str(tmp_path.resolve() / "new"))


def test_other_folders_do_not_count(tmp_path: Path) -> None:
    """A file elsewhere, and a folder whose name begins alike, tell nothing."""
    inside, beside = tmp_path / "in", tmp_path / "in-side"
    inside.mkdir()
    beside.mkdir()

    def use() -> str:
        (beside / "s").write_text("text")
        return (beside / "s").read_text()

    with controlled_files([inside]):
        controller, (text,) = managed(use)
    assert text == "text"
    assert told(controller) == []


def test_nothing_of_files_is_left_behind(tmp_path: Path) -> None:
    """Behind the block all is as it was."""
    before = (open, io.open, os.open, os.replace, os.close, fcntl.flock)
    with controlled_files([tmp_path]):
        assert open is not before[0]
    assert (open, io.open, os.open, os.replace, os.close, fcntl.flock) == before


@pytest.mark.parametrize("take", [fcntl.flock.__name__, fcntl.lockf.__name__])
def test_a_lock_is_waited_for_in_virtual_time(take: str, tmp_path: Path) -> None:
    """Who can't have the lock of a file lets others go on, and gets it when it is free."""
    order: list[str] = []

    def use(name: str, seconds: float) -> None:
        with (tmp_path / "lock").open("a", encoding="utf-8") as file:
            controller.sleep(seconds)
            getattr(fcntl, take)(file, fcntl.LOCK_EX)
            order.append(f"{name} has it")
            controller.sleep(5)
            order.append(f"{name} lets go")
            getattr(fcntl, take)(file, fcntl.LOCK_UN)

    controller = Controller()
    with controlled_files([tmp_path]):
        controller.begin(Usual())
        threads = []
        for number, (name, seconds) in enumerate([("a", 1), ("b", 2)]):
            task = controller.add(number, name)
            work = (task, lambda name=name, seconds=seconds: use(name, seconds))
            threads.append(threading.Thread(target=controller.work, args=work))
            threads[-1].start()
        controller.run({0, 1})
        for one in threads:
            one.join()
    assert controller.taken == 0
    if take == "flock":
        assert order == ["a has it", "a lets go", "b has it", "b lets go"]
    else:  # locks of POSIX are of the process: its threads do not keep each other out
        assert order == ["a has it", "b has it", "a lets go", "b lets go"]


@pytest.mark.parametrize("way", ["descriptor", "exclusive", "folder"])
def test_a_lock_is_as_old_as_the_clock_of_threads_says(way, tmp_path):
    """Its date is that of its last write, also when virtual time has run far ahead."""
    lock = tmp_path / "lock"

    def take() -> float:
        time.sleep(1_000.0)
        if way == "descriptor":
            number = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(number, b"1")
            os.close(number)
        elif way == "exclusive":
            with lock.open("x", encoding="utf-8") as file:
                file.write("1")
        else:
            lock.mkdir()
        return time.time() - lock.stat().st_mtime

    with controlled_threads(), controlled_times(), controlled_files([tmp_path]):
        _, (age_s,) = managed(take)
    assert 0 <= age_s < 1
