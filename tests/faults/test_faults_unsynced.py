"""Pages that a failed sync lost."""

from sessionproof.faults.failing.unsynced import PAGE, Unsynced, contents, without_lost

FILE = (1, 2)


def test_what_was_written_before_a_failed_sync_is_lost():
    """Also when the next sync succeeds: the kernel takes the pages for written."""
    unsynced = Unsynced()
    unsynced.write(FILE, 10, PAGE)
    unsynced.sync(FILE, failed=True)
    unsynced.sync(FILE, failed=False)
    assert unsynced.lost[FILE] == {0, 1}


def test_a_page_that_is_written_again_is_not_lost():
    """It goes to the disk as a whole, with whatever else was in it."""
    unsynced = Unsynced()
    unsynced.write(FILE, 0, 3 * PAGE)
    unsynced.sync(FILE, failed=True)
    unsynced.write(FILE, PAGE + 1, 1)
    assert unsynced.lost[FILE] == {0, 2}


def test_only_what_the_failed_sync_was_about_is_lost():
    """Neither what an earlier sync brought to the disk, nor other files, nor empty writes."""
    unsynced = Unsynced()
    unsynced.write(FILE, 0, PAGE)
    unsynced.sync(FILE, failed=False)
    unsynced.write(FILE, PAGE, 1)
    unsynced.write(FILE, 5 * PAGE, 0)
    unsynced.write((1, 3), 0, 1)
    unsynced.sync(FILE, failed=True)
    assert unsynced.lost[FILE] == {1}
    assert not unsynced.lost[1, 3]


def test_lost_pages_are_what_they_were(tmp_path):
    """The bytes from before, zeros where the file was shorter; renamed files are found."""
    root, to = tmp_path / "a", tmp_path / "b"
    (root / "deep").mkdir(parents=True)
    to.mkdir()
    path = root / "deep" / "log"
    path.write_bytes(b"o" * PAGE)
    (root / "chat-shm").write_bytes(b"memory")
    before = contents(root)
    path.write_bytes(b"n" * (2 * PAGE + 5))
    about = path.rename(root / "new").stat()
    changed = without_lost(root, {(about.st_dev, about.st_ino): {0, 2}}, before, to)
    assert changed == 2
    assert (to / "new").read_bytes() == b"o" * PAGE + b"n" * PAGE + b"\0" * 5
    assert not (to / "chat-shm").exists()
    assert (root / "new").read_bytes() == b"n" * (2 * PAGE + 5)
