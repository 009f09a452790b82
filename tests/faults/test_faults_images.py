"""Images of files: the same as what plain bytes say, written and read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_changes import Disk, drawn
from plain_crashes import files_after

from sessionproof.contract.seed import generator
from sessionproof.faults.crashes.images import Image, Images, image_in, image_of
from sessionproof.faults.crashes.models import states
from sessionproof.faults.crashes.states import MODELS, State


def _shown(image: Image) -> tuple[object, object]:
    files = (
        (path, bytes(content), image.same_as.get(path, path))
        for path, content in image.files.items()
    )
    return tuple(sorted(image.folders)), tuple(sorted(files))


@pytest.mark.parametrize("seed", range(10))
def test_an_image_is_what_plain_bytes_say(seed: int) -> None:
    """For every state of random changes, the image holds what a plain replay holds."""
    changes = drawn(seed, length=30)
    images = Images(changes)
    for model in MODELS:
        for state in states(changes, model, generator=generator(seed), most=40):
            assert _shown(images.image(state)) == files_after(changes, state)


def test_an_image_is_written_and_found_again(tmp_path: Path) -> None:
    """Folders, holes, empty files, zeros and further names come back as they were written."""
    disk = Disk()
    disk.make_folder("f")
    disk.make_folder("f/g")
    disk.make("f/g/data")
    disk.write("f/g/data", 3 * 4096 + 5, b"far behind")
    disk.size("f/g/data", 9 * 4096 + 1)
    disk.make("empty")
    disk.make("zeros")
    disk.write("zeros", 0, bytes(5000))
    disk.link("f/g/data", "again")
    changes = disk.changes()
    image = image_of(changes, State("kill", len(changes)))
    image.write(tmp_path)
    found = image_in(tmp_path)
    assert found.digest == image.digest
    assert _shown(found) == _shown(image)
    assert (tmp_path / "zeros").read_bytes() == bytes(5000)
    assert (tmp_path / "again").samefile(tmp_path / "f/g/data")


def test_images_that_differ_have_digests_that_differ() -> None:
    """A byte, a length, a name, an empty folder and a further name each change the digest."""
    made = []
    for change in ("", "byte", "longer", "name", "folder", "linked", "copied"):
        disk = Disk()
        disk.make("b" if change == "name" else "a")
        disk.write("b" if change == "name" else "a", 0, b"2" if change == "byte" else b"1")
        if change == "longer":
            disk.size("a", 2)
        if change == "folder":
            disk.make_folder("f")
        if change == "linked":
            disk.link("a", "z")
        if change == "copied":
            disk.make("z")
            disk.write("z", 0, b"1")
        changes = disk.changes()
        made.append(image_of(changes, State("kill", len(changes))).digest)
    assert len(set(made)) == len(made)


def test_a_removed_file_that_is_written_to_leaves_nothing() -> None:
    """What is written to a file without a name is in no image."""
    disk = Disk()
    disk.make("a")
    number = disk.numbers["a"]
    disk.remove("a")
    disk.numbers["a"] = number
    disk.write("a", 0, b"unseen")
    changes = disk.changes()
    assert image_of(changes, State("kill", len(changes))).files == {}


def test_a_folder_is_renamed_with_what_is_in_it() -> None:
    """The files of a renamed folder are found under its new name."""
    disk = Disk()
    disk.make_folder("old")
    disk.make("old/a")
    disk.write("old/a", 0, b"kept")
    disk.rename("old", "new")
    changes = disk.changes()
    image = image_of(changes, State("kill", len(changes)))
    assert {path: bytes(content) for path, content in image.files.items()} == {"new/a": b"kept"}
    assert image.folders == ("new",)
