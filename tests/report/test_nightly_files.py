"""Nights are written whole and read back as they were; a file that is none is named in a line."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
from nightly_samples import STORE, left, night, ran, replay, seen, speed
from report_samples import HOSTILE

from sessionproof.report.nightly import files
from sessionproof.report.nightly.corpus import Corpus

BUSY = night(
    ran(broken="CONC-01", held="CONC-02", rows=(seen("CORE-06", known=HOSTILE, said=HOSTILE),)),
    ran(unsure="DUR-01", part="crash", version="1.2", report="runs/n/0002-crash"),
    ran(held="DUR-01", part="crash", seed=9, stale=("b.toml lists SEQ-01: strike it.",)),
    speed(3),
    replay(state="died", problem=HOSTILE, asked=("CONC-01",)),
)


def schema(name):
    """A schema that is shipped."""
    text = (resources.files("sessionproof.report.nightly") / name).read_text("utf-8")
    return json.loads(text)


def test_a_night_is_read_back(tmp_path):
    """Every field, whatever a store said; lone surrogates too."""
    files.write_night(BUSY, tmp_path)
    assert files.names(tmp_path) == [BUSY.name] == ["2026-01-05T031700Z"]
    assert files.read_night(tmp_path, BUSY.name) == BUSY


def test_a_corpus_is_read_back(tmp_path):
    """And is empty before the first night."""
    assert files.read_corpus(tmp_path) == Corpus()
    corpus = left(BUSY)
    assert {one.kind for one in corpus.entries} == {"broken", "unsure"}
    files.write_corpus(corpus, tmp_path)
    assert files.read_corpus(tmp_path) == corpus


def test_both_fit_their_schemas(tmp_path):
    """The schemas are those of docs/nightly.md."""
    files.write_night(BUSY, tmp_path)
    files.write_corpus(left(BUSY), tmp_path)
    written = json.loads((tmp_path / "nights" / f"{BUSY.name}.json").read_bytes())
    jsonschema.validate(written, schema("night.schema.json"))
    jsonschema.validate(json.loads((tmp_path / "corpus.json").read_bytes()),
                        schema("corpus.schema.json"))  # fmt: skip


def test_the_corpus_takes_in_nights_that_were_left(tmp_path):
    """A night that was interrupted, and never gone on with, is not lost."""
    first, second = night(ran(broken="CONC-01")), night(ran(broken="DUR-01"), day=6, ended=False)
    files.write_night(first, tmp_path)
    files.write_night(second, tmp_path)
    corpus = files.corpus_before(tmp_path, night(day=7).name)
    assert corpus == left(first, second) == files.read_corpus(tmp_path)
    assert files.corpus_before(tmp_path, night(day=7).name) == corpus


def test_the_night_that_goes_on_is_not_taken_in_before_its_end(tmp_path):
    """Its breaks are not known to itself."""
    files.write_night(night(ran(broken="CONC-01"), ended=False), tmp_path)
    assert files.corpus_before(tmp_path, night().name) == Corpus()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON"),
        ("[]", "no field schema"),
        ('{"schema": 2}', "another schema version"),
        ('{"schema": 1}', "started_at is missing"),
        ('{"schema": 1, "started_at": 5}', "started_at must be a string"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_damaged_night_is_named(tmp_path, text, why):
    """In one line, with what to do; the others are shown all the same."""
    files.write_night(BUSY, tmp_path)
    (tmp_path / "nights" / "2026-01-04T031700Z.json").write_text(text)
    with pytest.raises(ValueError, match=why) as refused:
        files.read_night(tmp_path, "2026-01-04T031700Z")
    assert "2026-01-04T031700Z.json" in str(refused.value)
    assert "\n" not in str(refused.value)
    nights, unread = files.newest(tmp_path, 10)
    assert (nights, len(unread)) == ([BUSY], 1)


def test_a_night_under_a_wrong_name_is_refused(tmp_path):
    """A copy is not a second night."""
    files.write_night(BUSY, tmp_path)
    (tmp_path / "nights" / "2026-01-04T031700Z.json").write_bytes(
        (tmp_path / "nights" / f"{BUSY.name}.json").read_bytes()
    )
    with pytest.raises(ValueError, match="about another night"):
        files.read_night(tmp_path, "2026-01-04T031700Z")


def test_a_damaged_corpus_is_named(tmp_path):
    """Nothing is overwritten that somebody may want to mend."""
    (tmp_path / "corpus.json").write_text('{"schema": 1, "until": "", "entries": [{}]}')
    with pytest.raises(ValueError, match=r"corpus\.json is not a corpus: .* is missing"):
        files.read_corpus(tmp_path)


def test_only_reports_of_nights_are_forgotten(tmp_path):
    """Whatever else lies there is not ours."""
    for name in ("2026-01-04T031700Z", "2026-01-05T031700Z", "notes"):
        (tmp_path / name).mkdir()
    assert files.forget(tmp_path, ["2026-01-05T031700Z"]) == [tmp_path / "2026-01-04T031700Z"]
    assert files.forget(tmp_path / "none", []) == []


def test_the_names_of_stores_are_kept():
    """What a night says of a store is found by its name."""
    assert BUSY.version(STORE) == "1.2"
    assert len(BUSY.of(STORE)) == len(BUSY.ran)
