"""System calls of small programs, and the changes that were found in them."""

import pytest
from traced import same, told, traced

from sessionproof.faults.tracing.strace import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

HEAD = "import os\nC, R, A = os.O_CREAT, os.O_RDWR, os.O_APPEND\n"


def _lines(script, folder):
    followed = traced(HEAD + script, folder)
    assert same(followed, folder), followed.hidden
    return told(followed.changes)


def test_offsets_move_with_writes_reads_and_seeks(tmp_path):
    """A write lands where the last write, read or seek of its open file left off."""
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'abcdef')\nos.lseek(f, 0, 0)\nos.read(f, 2)\n"
        "os.write(f, b'XY')\nos.writev(f, [b'1', b'', b'23'])\nos.pwrite(f, b'!', 9)\n"
        "os.pwritev(f, [b'4', b'5'], 0)\nos.write(f, b'?')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 'abcdef'", "WRITTEN a 2 'XY'", "WRITTEN a 4 '123'",
        "WRITTEN a 9 '!'", "WRITTEN a 0 '45'", "WRITTEN a 7 '?'",
    ]  # fmt: skip


def test_appends_land_at_the_end_whatever_the_offset(tmp_path):
    """A file that is open for appending grows, and so does one that is set to append later."""
    script = (
        "f = os.open('a', R | C | A)\ng = os.open('a', R)\nos.write(f, b'ab')\nos.write(g, b'X')\n"
        "os.lseek(f, 0, 0)\nos.write(f, b'cd')\nimport fcntl\nfcntl.fcntl(g, fcntl.F_SETFL, A)\n"
        "os.write(g, b'ef')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 'ab'", "WRITTEN a 0 'X'", "WRITTEN a 2 'cd'", "WRITTEN a 4 'ef'",
    ]  # fmt: skip


def test_copies_of_a_descriptor_share_its_offset(tmp_path):
    """What dup, fork and a thread write goes on where the other left off."""
    script = (
        "import threading\nf = os.open('a', R | C)\ng = os.dup(f)\nh = 50\nos.dup2(f, h)\n"
        "os.write(f, b'1')\nos.write(g, b'2')\nos.write(h, b'3')\n"
        "if os.fork() == 0:\n    os.write(f, b'4')\n    k = os.open('b', R | C)\n    os._exit(0)\n"
        "os.wait()\nos.write(f, b'5')\n"
        "t = threading.Thread(target=lambda: os.write(g, b'6'))\nt.start()\nt.join()\n"
        "own = os.open('a', R)\nos.write(own, b'!')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 '1'", "WRITTEN a 1 '2'", "WRITTEN a 2 '3'", "WRITTEN a 3 '4'",
        "MADE b", "WRITTEN a 4 '5'", "WRITTEN a 5 '6'", "WRITTEN a 0 '!'",
    ]  # fmt: skip


def test_a_descriptor_that_is_given_to_a_program_leads_on(tmp_path):
    """What a program that was started writes to an inherited file is seen, at its place."""
    script = (
        "import subprocess\nf = os.open('a', R | C)\nos.write(f, b'ab')\n"
        "subprocess.run(['sh', '-c', 'echo cd; echo ef > b; cat b >> a'], stdout=f)\n"
        "os.write(f, b'!')"
    )
    lines = _lines(script, tmp_path)
    assert lines[:4] == ["MADE a", "WRITTEN a 0 'ab'", "WRITTEN a 2 'cd\\n'", "MADE b"]
    assert lines[-1] == "WRITTEN a 5 '!'"


def test_a_number_that_is_given_again_is_another_file(tmp_path):
    """A descriptor that was closed and made anew has nothing of the old one."""
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'abc')\nos.close(f)\n"
        "r, w = os.pipe()\nos.write(w, b'xy')\nos.read(r, 2)\nos.close(r)\n"
        "f = os.open('b', R | C)\nos.write(f, b'd')\nos.closerange(3, 20)\n"
        "f = os.open('a', R)\nos.write(f, b'e')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 'abc'", "MADE b", "WRITTEN b 0 'd'", "WRITTEN a 0 'e'",
    ]  # fmt: skip


def test_files_keep_their_numbers_when_their_names_change(tmp_path):
    """Renames, links and removals name files; what is written goes on to the same file."""
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'1')\nos.rename('a', 'b')\nos.write(f, b'2')\n"
        "os.link('b', 'c')\nos.unlink('b')\nos.write(f, b'3')\ng = os.open('d', R | C)\n"
        "os.write(g, b'4')\nos.replace('d', 'c')\nos.write(f, b'5')\nos.rename('c', 'c')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 '1'", "RENAMED a b", "WRITTEN b 1 '2'", "LINKED b c", "REMOVED b",
        "WRITTEN c 2 '3'", "MADE d", "WRITTEN d 0 '4'", "RENAMED d c", "WRITTEN . 3 '5'",
    ]  # fmt: skip


def test_folders_are_made_renamed_and_removed(tmp_path):
    """Names are found from the folder in which a process works, and from open folders."""
    script = (
        "os.makedirs('x/y')\nos.chdir('x')\nf = os.open('y/f', R | C)\nos.chdir('..')\n"
        "os.rename('x', 'z')\nd = os.open('z', os.O_RDONLY)\nos.mkdir('w', dir_fd=d)\n"
        "os.rename('y/f', 'f', src_dir_fd=d, dst_dir_fd=d)\nos.write(f, b'1')\n"
        "os.rmdir(os.path.abspath('z/../z/./y'))\nos.fchdir(d)\nos.unlink('f')\n"
        "os.fsync(d)\nos.fsync(os.open('..', os.O_RDONLY))"
    )
    assert _lines(script, tmp_path) == [
        "MADE_FOLDER x", "MADE_FOLDER x/y", "MADE x/y/f", "RENAMED x z", "MADE_FOLDER z/w",
        "RENAMED z/y/f z/f", "WRITTEN z/f 0 '1'", "REMOVED_FOLDER z/y", "REMOVED z/f", "SYNCED z",
        "SYNCED .",
    ]  # fmt: skip


def test_sizes_and_holes_are_followed(tmp_path):
    """Cutting, growing, reserving and opening to nothing are sizes; what is as it was is none."""
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'abcdef')\nos.ftruncate(f, 2)\nos.truncate('a', 5)\n"
        "os.posix_fallocate(f, 0, 8)\nos.ftruncate(f, 8)\nos.open('a', R | os.O_TRUNC)\n"
        "os.pwrite(f, b'z', 10_000)"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 'abcdef'", "SIZED a 2", "SIZED a 5", "SIZED a 8", "SIZED a 0",
        "WRITTEN a 10000 'z'",
    ]  # fmt: skip


def test_copies_in_the_kernel_are_writes(tmp_path):
    """What sendfile and copy_file_range copy is written, also when it comes from elsewhere."""
    (tmp_path / "other").write_bytes(b"elsewhere")
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'abcdef')\ng = os.open('b', R | C)\n"
        "os.sendfile(g, f, 1, 3)\nos.lseek(f, 2, 0)\nos.copy_file_range(f, g, 2)\n"
        "os.copy_file_range(f, g, 1, 0, 9)\no = os.open('../other', os.O_RDONLY)\n"
        "os.copy_file_range(o, g, 4)\nos.sendfile(g, o, 0, 2)\nos.write(g, b'!')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 'abcdef'", "MADE b", "WRITTEN b 0 'bcd'", "WRITTEN b 3 'cd'",
        "WRITTEN b 9 'a'", "WRITTEN b 5 'else'", "WRITTEN b 9 'el'", "WRITTEN b 11 '!'",
    ]  # fmt: skip


def test_syncs_and_answers_stand_where_they_were(tmp_path):
    """Each whole line on the answer pipe is an answer, in one order with writes and syncs."""
    script = (
        "f = os.open('a', R | C)\nos.write(f, b'1')\nos.fsync(f)\nos.write(1, b'{')\n"
        "os.write(f, b'2')\nos.write(1, b'}\\n')\nos.fdatasync(f)\nos.writev(1, [b'{}', b'\\n'])\n"
        "os.sync()\ng = os.open('b', R | C | os.O_DSYNC)\nos.write(g, b'3')\n"
        "os.write(1, b'1\\n2\\n3')"
    )
    assert _lines(script, tmp_path) == [
        "MADE a", "WRITTEN a 0 '1'", "SYNCED a", "WRITTEN a 1 '2'", "ANSWERED", "SYNCED a",
        "ANSWERED", "SYNCED_ALL", "MADE b", "WRITTEN b 0 '3'", "SYNCED b", "ANSWERED", "ANSWERED",
    ]  # fmt: skip


def test_names_and_texts_of_any_bytes(tmp_path):
    """No byte of a name or of a text can be mistaken for the trace's own signs."""
    script = (
        "n = b' <unfinished ...>\\n\\xff\"(deleted) = 3'\nf = os.open(n, R | C)\n"
        "os.write(f, bytes(range(256)))\nos.rename(n, b'b')\nos.unlink(b'b')\n"
        "os.write(f, b'\", 4) = 9\\n')\nos.ftruncate(f, 0)"
    )
    lines = _lines(script, tmp_path)
    assert [line.split()[0] for line in lines] == [
        "MADE", "WRITTEN", "RENAMED", "REMOVED", "WRITTEN", "SIZED",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "TRUNCATE", "PERSIST"])
def test_databases_are_rebuilt_byte_by_byte(mode, tmp_path):
    """All changes of an SQLite database together are its files, but for its index in memory."""
    script = f"""
        import sqlite3
        for _ in range(2):
            db = sqlite3.connect("a.sqlite", isolation_level=None)
            db.execute("PRAGMA journal_mode={mode}")
            db.execute("CREATE TABLE IF NOT EXISTS t(x)")
            for n in range(20):
                db.execute("INSERT INTO t VALUES (?)", ("x" * n * 500,))
                print("ok", flush=True)
            db.execute("DELETE FROM t WHERE length(x) < 3000")
            db.execute("VACUUM")
            db.close()
    """
    followed = traced(script, tmp_path)
    assert same(followed, tmp_path), followed.hidden
    lines = told(followed.changes)
    assert lines.count("ANSWERED") == 40
    assert "SYNCED a.sqlite" in lines
    assert not any("-shm" in line for line in lines)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import mmap\nf = os.open('a', R | C)\nos.write(f, b'12')\nmmap.mmap(f, 2)[0] = 65",
         "it writes a through a memory mapping, which cannot be traced"),
        ("os.symlink('b', 'a')", "it makes symbolic links, which are not followed"),
        ("open('../b', 'w').close()\nos.rename('../b', 'b')",
         "b was moved here from elsewhere, and what it holds was not seen"),
        ("f = os.open('.', os.O_TMPFILE | os.O_RDWR)\nos.write(f, b'1')",
         "it writes files that have no name (O_TMPFILE), which are not followed"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told(script, reason, tmp_path):
    """A program whose writes cannot all be seen gives a reason, never a wrong picture."""
    assert traced(HEAD + script, tmp_path).hidden == reason


def test_io_uring_is_refused(tmp_path):
    """A traced program has no io_uring, whose writes would not be seen, and its calls are."""
    script = (
        "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "assert libc.syscall(425, 4, bytes(120)) == -1\n"
        "assert ctypes.get_errno() == errno.ENOSYS\n"
        "os.write(os.open('a', R | C), b'1')"
    )
    followed = traced(HEAD + script, tmp_path)
    assert same(followed, tmp_path), followed.hidden
    assert (followed.ringless, told(followed.changes)) == (True, ["MADE a", "WRITTEN a 0 '1'"])


def test_a_private_mapping_and_a_readable_one_hide_nothing(tmp_path):
    """Only mappings that write to a file are none of ours."""
    script = (
        "import mmap\nf = os.open('a', R | C)\nos.write(f, b'12')\n"
        "mmap.mmap(f, 2, access=mmap.ACCESS_COPY)[0] = 65\nmmap.mmap(f, 2, access=mmap.ACCESS_READ)"
    )
    assert _lines(script, tmp_path) == ["MADE a", "WRITTEN a 0 '12'"]


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        (lambda root: (root / "b").touch(), "b is there and no traced call made it"),
        (lambda root: (root / "a").unlink(), "a is gone and no traced call removed it"),
        (lambda root: (root / "a").write_text("34"), "a does not hold what the traced calls wrote"),
        (lambda root: (root / "a").write_text("1"), "a does not hold what the traced calls wrote"),
    ],
)
def test_a_writer_that_was_not_traced_is_noticed(meddle, reason, tmp_path):
    """Files that are not what the trace says make the recording hidden."""
    script = "f = os.open('a', R | C)\nos.write(f, b'12')"
    assert traced(HEAD + script, tmp_path, meddle=meddle).hidden == reason


@pytest.mark.parametrize(
    ("script", "unsure"),
    [
        ("f = os.open('a', R | C)\nos.write(f, b'12')\nos.write(f, b'3')\nos.pwrite(f, b'4', 0)",
         False),
        ("f = os.open('a', os.O_WRONLY | C)\nos.write(f, b'12')\nos.lseek(f, 0, 0)\n"
         "os.write(f, b'3')", False),
        ("f = os.open('a', R | C | A)\nos.write(f, b'12')\nos.lseek(f, 0, 0)\nos.read(f, 9)\n"
         "os.write(f, b'3')", False),
        ("f = os.open('a', R | C)\nos.write(f, b'12')\nos.close(f)\nr, w = os.pipe()\n"
         "os.write(w, b'no')\nf = os.open('b', R | C)\nos.write(f, b'3')", False),
        ("f = os.open('a', R | C)\nos.write(f, b'12')\nos.lseek(f, 0, 0)\nos.write(f, b'3')",
         True),
        ("f = os.open('a', R | C)\nos.write(f, b'12')\nf = os.open('a', R)\nos.read(f, 2)\n"
         "os.write(f, b'3')", True),
        ("f = os.open('a', R | C)\nos.write(f, b'12')\nos.lseek(f, 0, 0)\nos.read(f, 2)\n"
         "g = os.open('b', R | C)\nos.copy_file_range(f, g, 2)\n", True),
    ],
)  # fmt: skip
def test_without_reads_what_depends_on_them_is_known(script, unsure, tmp_path):
    """Where a read could have moved an offset that counts, the trace without reads says so."""
    followed = traced(HEAD + script, tmp_path, reads=False)
    assert followed.unsure == unsure
    assert unsure or same(followed, tmp_path), followed.hidden
