"""The files of a report: whole or not there, described by the schema, readable again."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from enum import Enum
from pathlib import Path

import jsonschema
import pytest
from report_crashes import CRASHES
from report_measurements import GROWTHS, LOAD, MEMORIES, SPEEDS, TRAFFIC, everywhere
from report_samples import SAMPLES, all_hold, fast, three_broken

import sessionproof.report.write as write_module
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.measurements import (
    CrashCell,
    Latency,
    LoadPoint,
    Measured,
    Phase,
    Ratio,
    measured_to_json,
)
from sessionproof.contract.verdicts import CrashWindow, Finding, ScheduleTable, Verdict, Window
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.result import GuaranteeResult, RunResult, to_json
from sessionproof.report.write import read_result, write_report

SCHEMA = json.loads((Path(write_module.__file__).parent / "result.schema.json").read_text("utf-8"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "result.md"
TABLES = {
    "The run": (RunResult, SCHEMA),
    "A guarantee": (GuaranteeResult, SCHEMA["$defs"]["guarantee"]),
    "A finding": (Finding, SCHEMA["$defs"]["finding"]),
    "A window": (Window, SCHEMA["$defs"]["window"]),
    "A crash": (CrashWindow, SCHEMA["$defs"]["crash_window"]),
    "A schedule": (ScheduleTable, SCHEMA["$defs"]["schedule_table"]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_is_read_back(name, tmp_path):
    """Reading a result gives the result that was written, lone surrogates as their escapes."""
    page = write_report(SAMPLES[name], tmp_path / "deep" / "report")
    read = read_result(page.with_name("result.json"))
    assert (read == SAMPLES[name]) is (name != "hostile")
    text = json.dumps(to_json(SAMPLES[name]), ensure_ascii=False)
    escaped = re.sub("[\ud800-\udfff]", lambda found: rf"\\u{ord(found[0]):x}", text)
    assert json.loads(json.dumps(to_json(read))) == json.loads(escaped)
    assert json.dumps(to_json(read), ensure_ascii=False).encode("utf-8")
    assert page.read_text("utf-8") == render_html(SAMPLES[name])
    assert page.with_name("junit.xml").read_text("utf-8") == render_junit(SAMPLES[name])


def test_samples_take_little_room(tmp_path):
    """Lists of numbers stand in one line, and a text that looks like them stays as it is."""
    text = "[\n 1,\n 2\n ]"
    write_report(dataclasses.replace(fast, store=text), tmp_path)
    written = (tmp_path / "result.json").read_text("ascii")
    assert '"store": [1000, 1020]' in written
    assert read_result(tmp_path / "result.json").store == text


@pytest.mark.parametrize("name", SAMPLES)
def test_the_schema_describes_every_result(name):
    """What a run writes is valid by the schema, with the names and words of the code."""
    value = json.loads(json.dumps(to_json(SAMPLES[name])))
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert list(value) == list(SCHEMA["properties"])


def test_the_schema_is_a_schema():
    """The schema is valid JSON Schema 2020-12, and each of its fields has a description."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for _, part in TABLES.values():
        assert all(value["description"] for value in part["properties"].values())


# Fields that came within the schema's version: older files lack them.
ADDED = (
    "baseline", "known", "script", "reproducer", "steps", "measured", "timings", "window", "crash",
    "schedule", "seeds", "change", "same_cause_as",
)  # fmt: skip


def _has_default(item):
    missing = dataclasses.MISSING
    return item.default is not missing or item.default_factory is not missing


@pytest.mark.parametrize("title", TABLES)
def test_schema_and_document_have_every_field(title):
    """Fields of the code, of the schema and of the document are the same, in one order."""
    kind, part = TABLES[title]
    expected = [item.name for item in dataclasses.fields(kind)]
    if kind is RunResult:
        expected = ["schema", *expected]
    assert list(part["properties"]) == expected
    added = {item.name for item in dataclasses.fields(kind) if _has_default(item)} & {*ADDED}
    assert part["required"] == [name for name in expected if name not in added]
    text = DOCUMENT.read_text("utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == expected


@pytest.mark.parametrize(
    "kind", [*typing.get_args(Measured), Ratio, Latency, LoadPoint, Phase, CrashCell]
)
def test_schema_and_document_have_every_field_of_a_measurement(kind):
    """What a measurement holds is required by the schema and stands in the document."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    expected = [item.name for item in dataclasses.fields(kind)]
    assert list(SCHEMA["$defs"][name]["properties"]) == expected
    assert SCHEMA["$defs"][name]["required"] == expected
    chapter = DOCUMENT.read_text("utf-8").split("## A measurement\n")[1].split("\n## ")[0]
    if kind in typing.get_args(Measured):
        table = chapter.split(f"### {name}\n")[1].split("\n### ")[0]
        rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        assert [one for row in rows for one in re.findall(r"`(\w+)`", row)] == expected
    else:
        assert all(f"`{one}`" in chapter for one in expected)


@pytest.mark.parametrize(
    "one",
    [*everywhere("x"), *SPEEDS, *GROWTHS, *MEMORIES, LOAD, *TRAFFIC["CONC-01"], *CRASHES["DUR-01"]],
)
def test_a_measurement_has_the_fields_of_its_kind(one):
    """Each kind fits the schema, and without one of its fields, or as another kind, it does not."""
    validator = jsonschema.Draft202012Validator({**SCHEMA, "$ref": "#/$defs/measured",
                                                 "type": "object", "required": []})  # fmt: skip
    value = json.loads(json.dumps(measured_to_json(one)))
    assert validator.is_valid(value)
    for name in value:
        assert not validator.is_valid({key: value[key] for key in value if key != name}), name
    others = {"speed", "size", "growth", "load", "memory", "traffic", "crashes"} - {one.kind}
    for kind in (*others, "other"):
        assert not validator.is_valid({**value, "kind": kind})


def test_words_are_those_of_the_code():
    """Verdicts, anomalies and exit codes of schema and document are those of the code."""
    guarantee = SCHEMA["$defs"]["guarantee"]["properties"]
    assert guarantee["verdict"]["enum"] == [str(one) for one in Verdict]
    finding = SCHEMA["$defs"]["finding"]["properties"]
    assert finding["anomaly"]["examples"] == [str(one) for one in Anomaly]
    document = DOCUMENT.read_text("utf-8")
    codes = document.split("## Exit codes\n")[1].split("\n## ")[0]
    found = {int(code) for code in re.findall(r"^\| (\d+) \|", codes, re.MULTILINE)}
    assert found == set(SCHEMA["properties"]["exit_code"]["enum"])
    verdicts = document.split("## Verdicts\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z ]+)` \| ([a-z ]+) \|", verdicts, re.MULTILINE)
    assert rows[1:] == [(str(one), one.shown) for one in Verdict]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"seed": "7"},
        {"complete": 1},
        {"workers": True},
        {"exit_code": 99},
        {"claims": []},
        {"guarantees": [{}]},
        {"store": None},
    ],
)
def test_the_schema_refuses_what_is_wrong(change):
    """A wrong type, word or version in a result is found by the schema and by the reader."""
    value = json.loads(json.dumps(to_json(all_hold))) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"schema": NaN}', "not JSON"),
        (b"[1]", "no field schema"),
        (b'{"tests": 3}', "no field schema"),
        (b'{"schema": 2}', "schema version 2"),
        (b'{"schema": true}', "schema version true"),
        (b'{"schema": "\\n\\u001b[2J"}', "schema version"),
        (b'{"schema": 1}', "store is missing"),
        (b'{"schema": 1, "store": 5}', "store must be a string"),
    ],
)
def test_other_files_are_refused_in_one_line(content, words, tmp_path):
    """A file that is no result, or of another version, is refused with its name and the reason."""
    path = tmp_path / "result.json"
    path.write_bytes(content)
    _refused(path, words)


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("seed",), True, "seed must be a number"),
        (("seed",), 1.5, "seed must be a number"),
        (("duration_s",), "1", "duration_s must be a number"),
        (("complete",), 0, "complete must be true or false"),
        (("notes",), "text", "notes must be a list"),
        (("claims",), 3, "claims must be an object"),
        (("environment", "python"), 3, "environment.python must be a string"),
        (("guarantees", 1, "verdict"), "passed", 'guarantees[1].verdict has the unknown word "p'),
        (("guarantees", 5, "findings", 0, "anomaly"), "x\n", "guarantees[5].findings[0].anomaly"),
        (("guarantees", 5, "findings", 0, "evidence"), {"\x1b\n": 1}, "evidence.\\x1b\\n must"),
        (("guarantees", 0), None, "guarantees[0] must be an object"),
    ],
)
def test_a_wrong_field_is_named(where, value, words, tmp_path):
    """The one line names the field that does not fit, wherever it lies."""
    whole = json.loads(json.dumps(to_json(three_broken)))
    inner = whole
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    path = tmp_path / "result.json"
    path.write_text(json.dumps(whole), "utf-8")
    _refused(path, words)


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    """A file that is not there, or is a directory, is named in one line."""
    _refused(tmp_path / "none.json", "cannot read")
    _refused(tmp_path, "cannot read")


def _refused(path: Path, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_result(path)
    message = str(caught.value)
    assert words in message
    assert str(path) in message
    assert message.isprintable()
    assert len(message) < 300 + len(str(path))


def test_fields_of_the_future_are_passed_over(tmp_path):
    """A field that was added within the version does no harm, at any depth."""
    whole = json.loads(json.dumps(to_json(three_broken)))
    whole["later"] = whole["guarantees"][5]["later"] = {"any": 1}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(whole), "utf-8")
    jsonschema.Draft202012Validator(SCHEMA).validate(whole)
    assert read_result(path) == three_broken


def test_a_crash_leaves_the_old_files(tmp_path, monkeypatch):
    """When writing fails half way, the old report is still whole, and no draft stays."""
    write_report(all_hold, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {
        "result.json", "index.html", "junit.xml", "summary.md", "badge.json",
    }  # fmt: skip

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_module.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_report(three_broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_are_replaced_in_one_step(tmp_path):
    """Who has an old file open goes on reading the old one, whole."""
    write_report(all_hold, tmp_path)
    old = {
        name: (tmp_path / name).open("rb") for name in ("result.json", "index.html", "junit.xml")
    }
    before = {name: (tmp_path / name).read_bytes() for name in old}
    write_report(three_broken, tmp_path)
    for name, file in old.items():
        with file:
            assert file.read() == before[name]
        assert (tmp_path / name).read_bytes() != before[name]


def test_the_result_is_there_when_a_form_fails(tmp_path, monkeypatch):
    """``result.json`` is written first: whatever breaks later, the run's data is kept."""

    def broken(result):
        raise RuntimeError("no page")

    monkeypatch.setattr(write_module, "render_html", broken)
    with pytest.raises(RuntimeError):
        write_report(three_broken, tmp_path)
    assert read_result(tmp_path / "result.json") == three_broken


def test_every_type_of_the_result_can_be_read():
    """The reader knows each type that the result's fields have: none was added without it."""
    known = {str, int, float, bool, type(None), typing.Any}
    for kind in (RunResult, GuaranteeResult, Finding):
        for hint in typing.get_type_hints(kind).values():
            leaves = _leaves(hint)
            assert all(
                leaf in known or dataclasses.is_dataclass(leaf) or issubclass(leaf, Enum)
                for leaf in leaves
            )


def _leaves(hint):
    parts = [part for part in typing.get_args(hint) if part is not Ellipsis]
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [hint]


def test_the_code_of_the_document_reads_a_result(tmp_path, monkeypatch):
    """The block of Python finds what is broken in the result of a run."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    write_report(three_broken, tmp_path / "sessionproof-report")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code, DOCUMENT.name, "exec"), names)
    assert len(names["broken"]) == 3
