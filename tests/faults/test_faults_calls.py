"""Lines of a trace, and the calls that stand in them."""

from sessionproof.faults.tracing.calls import Call, calls

TRACE = r"""
7 openat(AT_FDCWD<\x2f>, "\x61", O_RDONLY) = -1 ENOENT (No such file or directory)
7 write(3<\x2f\x61>, "\x62", 1 <unfinished ...>
8 fsync(4<\x2f\x63>)                        = 0
9  read(0x3, 0x7ffe82e6c278, 0x340)  = 0x340
7 <... write resumed>)              = 1
7 clone3({flags=CLONE_VM|CLONE_FILES, stack_size=0x7fff80} <unfinished ...>
8 --- SIGCHLD {si_signo=SIGCHLD} ---
7 <... clone3 resumed> => {parent_tid=[10]}, 88) = 10
8 write(4<\x2f\x63>, "\x62", 1 <unfinished ...>
8 +++ killed by SIGKILL +++
7 exit_group(0)                     = ?
7 mmap(NULL, 2, PROT_READ, MAP_SHARED, 6<\x2f\x6f>, 0) = 0x7fd5d0547000
strace: something went wrong
7 write(3<\x2f\x61>, "\x62", 1) = 1 (INJECTED)
"""


def test_calls_stand_in_the_order_of_their_completion():
    """What was interrupted is joined; failures, and what never returned, answer -1."""
    found = [*calls(TRACE.splitlines(keepends=True))]
    assert [(call.pid, call.name, call.result) for call in found] == [
        (7, "openat", -1), (8, "fsync", 0), (9, "read", 0x340), (7, "write", 1), (7, "clone3", -1),
        (7, "clone3", 10), (7, "exit_group", -1), (7, "mmap", 0x7FD5D0547000), (7, "write", 1),
    ]  # fmt: skip
    assert found[3].arguments == r'3<\x2f\x61>, "\x62", 1'
    assert found[4] == Call(
        7, "clone3", "{flags=CLONE_VM|CLONE_FILES, stack_size=0x7fff80}", -1, began=True
    )


def test_an_empty_trace_has_no_calls():
    """A program that was ended at once leaves nothing."""
    assert [*calls([])] == []


def test_a_descriptor_is_closed_when_its_closing_begins():
    """Another thread may be given the same number before the call is seen to end."""
    lines = [
        "7 close(0x5 <unfinished ...>", r'8 openat(AT_FDCWD, "\x61", O_RDONLY) = 5<\x61>',
        "7 <... close resumed>)              = 0", "7 close(0x6)                     = 0",
    ]  # fmt: skip
    found = [(call.name, call.arguments, call.result) for call in calls(lines)]
    assert found[0] == ("close", "0x5", 0)
    assert [name for name, _, _ in found] == ["close", "openat", "close"]
