"""The published protocol, the guide and the contract say the same as the real traffic."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import ERRORS
from sessionproof.contract.location import Location
from sessionproof.contract.message import MESSAGE_FIELDS, Message, SessionInfo
from sessionproof.contract.store import CAPABILITIES, CORE, SqliteTables
from sessionproof.contract.transactions import Step
from sessionproof.host import wire
from sessionproof.host.client import HostedStore, Unexpected, python_store_command
from sessionproof.host.values import ANSWERS

SCHEMA = json.loads(Path(wire.__file__).with_name("protocol.schema.json").read_text("utf-8"))
DEFINED = SCHEMA["$defs"]
GUIDE = Path(__file__).parents[2].joinpath("docs", "protocol.md").read_text("utf-8")
METHODS = {"open", *CORE, *CAPABILITIES}

# Stands between the harness and a store, and keeps every line of both directions.
RELAY = """
import subprocess, sys
log = open(sys.argv[1], "wb")
store = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.stdin.buffer:
    store.stdin.write(line)
    store.stdin.flush()
    answer = store.stdout.readline()
    log.write(line + answer)
    log.flush()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
store.stdin.close()
store.wait()
"""


def problems(value, name=None):
    """What the schema says against a call, or against the part of this name."""
    schema = SCHEMA if name is None else {"$ref": f"#/$defs/{name}", "$defs": DEFINED}
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


def test_the_schema_is_a_schema():
    """The published file is itself valid JSON Schema, draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_has_every_method_with_its_parameters():
    """Calls are described with exactly the names that the contract's signatures have."""
    described = {name.removesuffix(".request") for name in DEFINED if name.endswith(".request")}
    assert described == METHODS == {*ANSWERS, "open"}
    assert {name for name in DEFINED if name.endswith(".response")} == {
        f"{name}.response" for name in METHODS
    }
    for name, shape in wire.SHAPES.items():
        params = DEFINED[f"{name}.request"]["properties"]["params"]
        expected = {*shape.positional, *shape.keywords}
        assert set(params["properties"]) == set(params["required"]) == expected, name


@pytest.mark.parametrize(
    ("name", "record"),
    [("session_info", SessionInfo), ("sqlite_tables", SqliteTables), ("claims", Claims)],
)
def test_the_schema_has_every_field(name, record):
    """Records of the contract are described field by field."""
    assert set(DEFINED[name]["properties"]) == {item.name for item in fields(record)}


def test_the_schema_has_every_name():
    """Fields of messages, limits, capabilities and codes of errors are those of the contract."""
    assert list(DEFINED["message"]["properties"]) == list(MESSAGE_FIELDS)
    assert DEFINED["claims"]["properties"]["keeps"]["items"]["enum"] == list(MESSAGE_FIELDS)
    limits = DEFINED["claims"]["properties"]["limits"]["properties"]
    assert set(limits) == {item.name for item in fields(Limits)}
    named = DEFINED["handshake"]["properties"]["capabilities"]["items"]["enum"]
    assert set(named) == set(CAPABILITIES)
    paired = {
        rule["then"]["properties"]["data"]["properties"]["type"]["const"]: rule["if"]["properties"][
            "code"
        ]["const"]
        for rule in DEFINED["error"]["properties"]["error"]["allOf"]
    }
    assert paired == wire.CODES


def test_every_error_has_a_code_of_its_own():
    """Each class of the contract's errors has one code, in the range that is kept for servers."""
    assert set(wire.CODES) == set(ERRORS)
    assert len({*wire.CODES.values(), wire.UNEXPECTED}) == len(ERRORS) + 1
    assert all(-32099 <= code <= -32000 for code in (*wire.CODES.values(), wire.UNEXPECTED))


@pytest.mark.parametrize("changed", [{"seq_start": "1"}, {"keeps": ["colour"]}, {"handle": "one"}])
def test_the_schema_refuses_wrong_claims(changed):
    """A claim that the harness would refuse is refused by the schema, too."""
    assert problems({"handles": "one"}, "claims") == []
    assert problems(changed, "claims") != []


def exercised(store):
    """Every method once at least, with one error, and one message that breaks the schema."""
    full = Message(
        "tool", {"a": [1.5]}, kind="tool_result", name="n", call_id="c", arguments=[], tokens=1,
        duration_us=2, created_at_us=3, id="m", metadata={"k": "\ud83d"},
    )  # fmt: skip
    store.append("s", [full, Message("user", "\0", id="m2")])
    store.create("t", messages=[full])
    for name in ("read", "get", "count", "pop_last", "clear", "pop_last", "delete"):
        getattr(store, name)("s")
    with pytest.raises(Unexpected, match="KeyError"):
        store.delete("s")
    store.create(None)
    store.get("nobody")
    store.read_last("t", 1)
    store.page("t")
    store.edit_message("t", "m", full)
    store.delete_message("t", "m")
    store.set_state("t", "k", {"v": None})
    store.append_with_state("t", [full], {"k": {"v": 1}})
    store.transact([Step("t", (full,)), Step("t"), Step("u", ())])
    store.get_state("t", "k")
    store.list()
    store.tables()
    store.add_llm_model("large-1")
    store.set_llm_model("t", "large-1")
    store.set_llm_model("t", None)
    store.delete_llm_model("large-1")
    store.verify()
    store.backup("folder", keep=2)
    store.restore("none", "folder")
    store.recover("damaged", "folder")
    store.repair("folder", dry_run=False)
    store.migrate("file", "folder")
    store.rollback("folder")
    store.set_limits("t", idle_us=5)
    store.touch("t")
    store.set_status("t", "paused")
    store.sweep()
    store.set_clock(1)
    store.snapshot("t", reason="why")
    store.restore_snapshot("1", session_id="u")
    store.snapshots()
    store.search("words", limit=2)
    store.health()
    store.maintain()
    store.add_user("a", "p")
    store.sign_in("a", "p", hard_us=1)
    store.whose("t")
    store.sign_out("t")
    store.set_user_active("1", True)
    store.rename_user("1", "b")
    store.delete_user("1")
    store.set_owner("t", "1")
    store.sessions_of("1")
    store.manager("create_session", {"first_user_message": "hi"})
    store.replace("t", [Message(5, "a wrong role travels as it is")])
    store.read("t")


def test_real_traffic_follows_the_schema(tmp_path):
    """Every line of both directions, for every method, is what the schema allows."""
    log = tmp_path / "traffic"
    relay = [sys.executable, "-c", RELAY, str(log)]
    store = HostedStore(
        [*relay, *python_store_command("hosted_examples:Plain")], Location(tmp_path)
    )
    try:
        exercised(store)
        store.close()
    finally:
        store.kill()
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    seen = set()
    for call, answer in zip(lines[::2], lines[1::2], strict=True):
        method = call["method"]
        seen.add((method, "error" in answer))
        assert (problems(call) != []) is ("a wrong role" in json.dumps(call))
        assert (problems(answer, f"{method}.response") != []) is ("a wrong" in json.dumps(answer))
    assert {method for method, _ in seen} == METHODS
    assert {method for method, failed in seen if failed} == {"delete"}


@pytest.fixture
def host(tmp_path):
    """A raw conversation with a hosted Python store: send a line, get the answer's error code."""
    command = python_store_command("hosted_examples:Core")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:

        def answered(line):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            return answer.get("error", {}).get("code"), answer["id"]

        answered.open = (
            '{"jsonrpc":"2.0","id":"o","method":"open","params":{"protocol":1,'
            f'"root":{json.dumps(str(tmp_path))},"url":null,"namespace":null}}}}'
        )
        yield answered


def test_the_host_tells_what_is_wrong_with_a_line(host):
    """A line that is no call is answered by the codes of JSON-RPC, and the host goes on."""
    wrong = [
        ("garbage", (wire.PARSE_ERROR, None)),
        ("[" * 100_000, (wire.PARSE_ERROR, None)),
        ("[]", (wire.INVALID_REQUEST, None)),
        ('{"jsonrpc":"2.0","method":"read"}', (wire.INVALID_REQUEST, None)),
        (_call("read", {"session_id": "s"}), (wire.INVALID_REQUEST, 5)),
        (host.open.replace('"protocol":1', '"protocol":2'), (wire.INVALID_PARAMS, "o")),
        (host.open, (None, "o")),
        (host.open, (wire.INVALID_REQUEST, "o")),
        (_call("count", {"session_id": "s"}), (wire.METHOD_NOT_FOUND, 5)),
        (_call("__init__", {}), (wire.METHOD_NOT_FOUND, 5)),
        (_call("read", {"session": "s"}), (wire.INVALID_PARAMS, 5)),
        (_call("append", {"session_id": "s", "messages": [{"rol": 1}]}), (wire.INVALID_PARAMS, 5)),
        (_call("append", {"session_id": "s", "messages": []}), (None, 5)),
        (_call("close", {}), (None, 5)),
    ]
    for line, expected in wrong:
        assert host(line) == expected, line[:200]


def _call(method, params):
    return json.dumps(wire.request(5, method, params))


def block(language):
    """The guide's one block in this language."""
    return re.search(rf"^```{language}\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)[1]


def test_the_guides_transcript_is_real(tmp_path):
    """The session that the guide prints is what its store answers, line by line."""
    (tmp_path / "tiny.py").write_text(block("python"), "utf-8")
    lines = block("text").replace("/data/one", str(tmp_path)).splitlines()
    calls = [line.removeprefix("→ ") for line in lines if line.startswith("→ ")]
    expected = [json.loads(line.removeprefix("← ")) for line in lines if line.startswith("← ")]
    assert len(calls) == len(expected) == len(lines) / 2
    process = subprocess.run(
        [sys.executable, str(tmp_path / "tiny.py")],
        input="\n".join(calls) + "\n", capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert [json.loads(line) for line in process.stdout.splitlines()] == expected
    for call, answer in zip(calls, expected, strict=True):
        assert problems(json.loads(call)) == []
        assert problems(answer, f"{json.loads(call)['method']}.response") == []


def test_the_guides_store_works(tmp_path):
    """The store that the guide prints is opened by the harness and keeps what it was given."""
    (tmp_path / "tiny.py").write_text(block("python"), "utf-8")
    message = Message("user", "\ud83d\0\u2028")
    for expected in ([message], [message, message]):
        store = HostedStore([sys.executable, str(tmp_path / "tiny.py")], Location(tmp_path))
        try:
            store.append("s", [message])
            assert store.read("s") == expected
            store.close()
        finally:
            store.kill()
        with (tmp_path / "messages.jsonl").open("a") as file:
            file.write('["s", [{"role": "user", "cont')  # what a crash would leave


def test_the_guide_names_everything():
    """Every method, parameter, field of a message and error stands in the guide."""
    rows = {
        match[1]: match[2] for match in re.finditer(r"^\| `(\w+)` \| (.*?) \|", GUIDE, re.MULTILINE)
    }
    assert set(rows) == METHODS
    for name, shape in wire.SHAPES.items():
        named = re.findall(r"`(\w+)`", rows[name].replace("`null`", ""))
        assert named == [*shape.positional, *shape.keywords], name
    for name, code in wire.CODES.items():
        assert f"| {code} | `{name}` |" in GUIDE
    assert all(f"`{name}`" in GUIDE for name in MESSAGE_FIELDS)
