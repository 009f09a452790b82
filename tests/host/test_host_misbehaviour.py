"""Processes that break the protocol, die, hang or will not go: each is told and buried."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.message import Message
from sessionproof.host import process
from sessionproof.host.client import (
    HostedStore,
    ProcessEnded,
    ProtocolError,
    Unexpected,
    command_store,
    frame_told,
)
from sessionproof.workload.guard import outcome_of

# A store that answers the handshake, then runs the body with ``line``, the next call.
PRELUDE = """
import json, os, signal, subprocess, sys, time
def say(text, end="\\n"):
    os.write(1, (text if isinstance(text, bytes) else text.encode()) + end.encode())
def result(number, value):
    say(json.dumps({"jsonrpc": "2.0", "id": number, "result": value}))
shaken = {"protocol": 1, "name": "x", "version": None, "claims": None, "capabilities": []}
"""
HANDSHAKE = "sys.stdin.readline(); result(1, shaken)\n"
ANSWERED = HANDSHAKE + "line = sys.stdin.readline()\n"


@contextmanager
def driven(tmp_path, body, **options):
    """A hosted store on a script; afterwards its process must be gone."""
    script = tmp_path / "driver.py"
    script.write_text(PRELUDE + body, encoding="utf-8")
    store = HostedStore([sys.executable, "-S", "-E", str(script)], Location(tmp_path), **options)
    try:
        yield store
    finally:
        store.kill()
        with pytest.raises(ProcessLookupError):
            os.kill(store.pid, 0)


def refused_handshake(tmp_path, body, **options):
    """The error with which a script's handshake ends."""
    with pytest.raises((ProtocolError, ProcessEnded)) as caught, driven(tmp_path, body, **options):
        pass
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('"Loading model..."', "not JSON (Expecting value at character 0): 'Loading model...'"),
        ("b'\\xff\\xfe'", "not UTF-8 at byte 0: '\\xff\\xfe'"),
        ("'[1]'", "not an object"),
        ('\'{"jsonrpc":"1.0","id":2,"result":[]}\'', "no JSON-RPC 2.0"),
        ('\'{"jsonrpc":"2.0","id":7,"result":[]}\'', "another call (it needs the id 2)"),
        ('\'{"jsonrpc":"2.0","id":true,"result":[]}\'', "another call"),
        ('\'{"jsonrpc":"2.0","id":2}\'', "exactly one of result and error"),
        ('\'{"jsonrpc":"2.0","id":2,"result":NaN}\'', "NaN is not JSON"),
        ('\'{"jsonrpc":"2.0","id":2,"error":"no"}\'', "an error that is no object"),
        ('\'{"jsonrpc":"2.0","id":2,"error":{"code":1.5,"message":""}}\'', "a whole code"),
        ("'['*100_000", "nested too deeply"),
        ("'x'*3000", "more than 2,000 bytes"),
    ],
)
def test_garbage_is_shown(tmp_path, answer, words):
    """A line that is no answer ends the process, and the error shows how it begins."""
    limit = 200_000 if "100_000" in answer else 2000
    body = ANSWERED + f"say({answer}); time.sleep(60)"
    with driven(tmp_path, body, line_bytes=limit) as store:
        with pytest.raises(ProtocolError) as caught:
            store.read("s")
        assert words in str(caught.value)
        assert "driver.py" in str(caught.value)
        with pytest.raises(Refused, match=r"has ended \(signal SIGKILL\)"):
            store.read("s")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("shaken | {'protocol': 2}", "it speaks protocol 2, this harness speaks 1"),
        ("shaken | {'claims': {'handle': 'one'}}", "unknown claims: handle"),
        ("shaken | {'claims': {'handles': 'many'}}", "claim handles must be one of"),
        ("shaken | {'capabilities': ['readlast']}", "unknown capabilities 'readlast'"),
        ("shaken | {'capabilities': 'count'}", "capabilities must be a list of names"),
        ("shaken | {'name': 5, 'version': 5}", "name must be a text; version must be a text"),
        ("'hello'", "must be an object of protocol, name"),
    ],
)
def test_wrong_handshakes_list_their_problems(tmp_path, answer, words):
    """A handshake is believed only when all of it can be understood."""
    body = f"sys.stdin.readline(); result(1, {answer}); time.sleep(60)"
    assert words in str(refused_handshake(tmp_path, body))


def test_a_process_that_exits_at_once(tmp_path):
    """The error names the exit code and shows what was said on stderr, made harmless."""
    body = "sys.stderr.write('no \\x1b[31mmodule\\n'); sys.exit(3)"
    with pytest.raises((ProcessEnded, Refused)) as caught, driven(tmp_path, body):
        pass
    assert "exit code 3" in str(caught.value)
    assert "no \\x1b[31mmodule" in str(caught.value)


def test_a_process_that_ended_before_the_first_call():
    """Its last words are told by the call that finds it gone, and by no later one."""
    argv = [sys.executable, "-S", "-E", "-c", "raise SystemExit('no module')"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    popen = subprocess.Popen(argv, bufsize=0, start_new_session=True, **pipes)
    popen.wait()
    gone = process.Process(argv, started=popen)
    with pytest.raises(Refused, match=r"ended \(exit code 1\): open was not sent .*\n?no module"):
        gone.exchange(b"{}\n", "open")
    with pytest.raises(Refused, match=r"ended \(exit code 1\): read was not sent$"):
        gone.exchange(b"{}\n", "read")


@pytest.mark.parametrize(
    "body",
    ["say('Load', end=''); time.sleep(60)", "while True: say('Load', end=''); time.sleep(0.01)"],
    ids=["once", "for ever"],
)
def test_a_handshake_has_a_deadline(tmp_path, body):
    """A process that never ends its first line is ended; what there is of the line is shown."""
    error = refused_handshake(tmp_path, body, handshake_s=0.3)
    assert "did not answer the handshake within 0.3 s; its line begins 'Load" in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit(4)", "(exit code 4) in the middle of read"),
        ("os.kill(0, signal.SIGSEGV)", "(signal SIGSEGV) in the middle of read"),
        ("say('{\"half', end=''); sys.exit(0)", "in the middle of read; its line begins '{\"half'"),
        ("os.close(1); time.sleep(60)", "it closed its pipe and lived on"),
        ("subprocess.Popen(['sleep', '60']); os._exit(5)", "(exit code 5) in the middle of read"),
        (
            "subprocess.Popen(['sleep', '2'], start_new_session=True); os._exit(6)",
            "(exit code 6) in the middle of read",
        ),
    ],
    ids=["exit", "signal", "half a line", "closes stdout", "child", "child in a session"],
)
def test_death_in_the_middle_of_a_call(tmp_path, body, words, monkeypatch):
    """A call whose process ends is open, and told apart; grandchildren cannot hide the end."""
    if "lived on" in words:  # the others end by themselves, and are given the time
        monkeypatch.setattr(process, "_LAST_WORDS_S", 0.1)
    with driven(tmp_path, ANSWERED + body) as store:
        begun = time.perf_counter()
        with pytest.raises(ProcessEnded) as caught:
            store.read("s")
        assert words in str(caught.value)
        assert time.perf_counter() - begun < 2
        with pytest.raises(Refused, match="the store's process has ended"):
            store.read("s")


def test_children_die_with_the_store(tmp_path):
    """The whole process group goes: no child of a store outlives its handle."""
    body = ANSWERED + "child = subprocess.Popen(['sleep', '60']); print(child.pid, file=sys.stderr)"
    with driven(tmp_path, body + "\nresult(2, [])\nsys.stdin.readline(); result(3, None)") as store:
        assert store.read("s") == []
        store.close()
        child = int(store.stderr_tail())
        for _ in range(100):  # init reaps it soon after
            if not _alive(child):
                break
            time.sleep(0.02)
        assert not _alive(child)


def _alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text("ascii").split()[2] != "Z"


def test_death_between_calls_is_definite(tmp_path):
    """A call to a process that has ended already was never sent: Refused, also for close."""
    with driven(tmp_path, HANDSHAKE + "sys.exit(7)") as store:
        time.sleep(0.2)
        with pytest.raises(Refused, match="exit code 7"):
            store.close()
        store.close()


def test_death_while_a_call_is_sent_is_definite(tmp_path):
    """A process that ends before it has taken a whole line has not taken the call."""
    body = HANDSHAKE + "sys.stdin.buffer.raw.read(10); os._exit(8)"
    words = r"ended \(exit code 8\) before it took append"
    with driven(tmp_path, body) as store, pytest.raises(Refused, match=words):
        store.append("s", [Message("user", "x" * 1_000_000)])


def test_kill_ends_a_blocked_call(tmp_path):
    """kill() from another thread makes a call that waits for ever end with an error."""
    with driven(tmp_path, ANSWERED + "time.sleep(60)") as store:
        threading.Timer(0.1, store.kill).start()
        with pytest.raises(ProcessEnded, match="signal SIGKILL"):
            store.read("s")


def test_kill_ends_a_blocked_send(tmp_path):
    """The same while the process does not read what is sent."""
    with driven(tmp_path, HANDSHAKE + "time.sleep(60)") as store:
        threading.Timer(0.1, store.kill).start()
        with pytest.raises(Refused, match="signal SIGKILL"):
            store.append("s", [Message("user", "x" * 1_000_000)])


def test_close_ends_a_process_that_stays(tmp_path, monkeypatch):
    """A process that ignores the end of stdin and SIGTERM is killed after its grace."""
    body = ANSWERED + "signal.signal(15, signal.SIG_IGN); result(2, None); time.sleep(60)"
    monkeypatch.setattr(process, "_TERMINATE_S", 0.1)
    with driven(tmp_path, body, grace_s=0.1) as store:
        store.close()
        assert store.ended == "signal SIGKILL"


def test_floods_of_stderr_do_not_block(tmp_path):
    """Megabytes on stderr never stop a store; the last 64 KB are kept."""
    body = ANSWERED + "sys.stderr.write('flood\\n' * 800_000 + 'the end\\n'); result(2, [])\n"
    with driven(tmp_path, body + "sys.stdin.readline(); result(3, None)") as store:
        assert store.read("s") == []
        store.close()
        assert store.stderr_tail().endswith("flood\nthe end\n")
        assert len(store.stderr_tail()) == 64 * 1024


def test_threads_take_turns(tmp_path):
    """One handle may be called from several threads: each gets its own answer."""
    body = HANDSHAKE + (
        "for line in sys.stdin:\n"
        "    call = json.loads(line)\n"
        "    result(call['id'], [{'role': None, 'content': call['params']['session_id']}])\n"
    )
    wrong = []
    with driven(tmp_path, body) as store:

        def client(name):
            wrong.extend(name for _ in range(50) if store.read(name) != [Message(None, name)])

        threads = [threading.Thread(target=client, args=(f"s{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_unknown_error_codes_leave_the_outcome_open(tmp_path):
    """An error with a code of its own is Unexpected, and shows the store's word for it."""
    error = '{"code": -32042, "message": "disk on fire", "data": {"type": "EIO"}}'
    body = ANSWERED + f'say(\'{{"jsonrpc": "2.0", "id": 2, "error": {error}}}\'); time.sleep(60)'
    with driven(tmp_path, body) as store, pytest.raises(Unexpected, match="on fire") as caught:
        store.read("s")
    assert caught.value.type == "EIO"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "names no command"),
        ("node 'store.mjs", "cannot be split into words"),
        ("no-such-program --serve", "there is no program 'no-such-program' on the PATH"),
        ("/", "cannot be started"),
    ],
)
def test_commands_that_cannot_be_started(tmp_path, command, words):
    """A command that cannot run is one line for the user, with the remedy."""
    with pytest.raises(StoreNotFound) as caught:
        command_store(command)(Location(tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_scheme_is_registered(tmp_path):
    """``cmd:`` names a command wherever a store can be named."""
    spec = find_store("cmd:no-such-program")
    with pytest.raises(StoreNotFound, match="no-such-program"):
        spec.open(Location(tmp_path))


@pytest.mark.parametrize(
    ("error", "type_name", "words", "at"),
    [
        (
            {"message": "SyntaxError: bad", "data": {"type": "SyntaxError"}},
            "SyntaxError",
            "bad",
            "",
        ),
        ({"message": "bad", "data": {"type": "Odd", "at": "a.mjs:3"}}, "Odd", "bad", "a.mjs:3"),
        ({"message": "bad", "data": {"type": "Odd", "at": 3}}, "Odd", "bad", ""),
        ({"message": "bad"}, "Unexpected", "error -32000: bad", ""),
    ],
)
def test_an_error_is_told_once(tmp_path, error, type_name, words, at):
    """The name of its type and the method do not come twice; an older host names no line."""
    sent = json.dumps({"jsonrpc": "2.0", "id": 2, "error": {"code": -32000, **error}})
    with driven(tmp_path, ANSWERED + f"say({sent!r}); time.sleep(60)") as store:
        with pytest.raises(Unexpected) as caught:
            store.read("s")
        failure = outcome_of(caught.value).failure
    assert failure.type == type_name
    assert failure.text.startswith(f"{words} [")
    assert frame_told(caught.value) == at
