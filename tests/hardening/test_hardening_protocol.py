"""Damaged lines between harness and store: each is an error of the protocol, on both sides."""

import json
import os
import random

import pytest
from damaging import damaged

from sessionproof.contract.message import Message, to_json
from sessionproof.host import wire
from sessionproof.host.server import Host, _at_once
from sessionproof.host.values import ANSWERS, params_to_json

NUMBER = 2_000 if "SESSIONPROOF_DEEP" in os.environ else 60
MESSAGES = [
    Message("user", "a"),
    Message("tool", None, kind="call", name="n", call_id="c", arguments={"x": [1, {"y": None}]}),
]
SESSION = {"session_id": "s"}
CALLS = [
    ("create", {**SESSION, "messages": MESSAGES}),
    ("append", {**SESSION, "messages": MESSAGES}),
    ("read", SESSION),
    ("page", {**SESSION, "cursor": None, "limit": 2}),
    ("get", SESSION),
    ("list", {}),
    ("count", SESSION),
    ("pop_last", SESSION),
    ("set_state", {**SESSION, "key": "k", "value": {"a": [1.5]}}),
    ("get_state", {**SESSION, "key": "k"}),
    ("delete", SESSION),
]


def opened(folder):
    """A host in this process with its store open."""
    host = Host("sessionproof.oracle.memory:MemoryStore")
    asked = {"protocol": wire.VERSION, "root": str(folder), "url": None, "namespace": None}
    assert "result" in answer(host, wire.line_of(wire.request(0, "open", asked)))
    return host


def answer(host, line):
    """The answer to a line, as JSON; it is always one line of JSON-RPC."""
    said = _at_once(host.answer(line))
    assert said.endswith(b"\n")
    assert said.count(b"\n") == 1
    value = json.loads(said)
    assert value["jsonrpc"] == "2.0"
    assert ("result" in value) != ("error" in value)
    return value


@pytest.fixture
def lines(tmp_path):
    """Every call as a line, with its answer: name, call, answer."""
    host, made = opened(tmp_path), []
    for number, (method, params) in enumerate(CALLS, 1):
        call = wire.line_of(wire.request(number, method, params_to_json(params)))
        said = answer(host, call)
        assert "result" in said, (method, said)
        made.append((method, call, wire.line_of(said)))
    host.end()
    return made


def test_a_damaged_answer_is_an_error_of_the_protocol(lines):
    """An answer is what the contract allows, an error, or is refused with its reason in a line."""
    refused = []
    for seed in range(NUMBER):
        for number, (method, _, said) in enumerate(lines, 1):
            bad = damaged(said, random.Random(f"{method} {seed}")).partition(b"\n")[0]
            try:
                value = wire.answer_of(bad, number)
                if not isinstance(value, wire.Failed):
                    ANSWERS[method].from_json(value)
            except (ValueError, RecursionError) as error:
                refused.append(str(error))
    assert len(refused) > NUMBER
    assert all(reason and "Traceback" not in reason for reason in refused)


def test_a_damaged_call_is_answered_by_an_error(lines, tmp_path):
    """A host answers every line with one line, and goes on: a good call is answered after it."""
    host = opened(tmp_path)
    for seed in range(NUMBER):
        for method, call, _ in lines:
            for line in damaged(call, random.Random(f"{method} {seed}")).split(b"\n"):
                answer(host, line + b"\n")
        good = {**SESSION, "messages": [to_json(MESSAGES[0])]}
        said = answer(host, wire.line_of(wire.request(1, "append", good)))
        assert "result" in said, seed
    host.end()
