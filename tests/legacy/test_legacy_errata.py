"""docs/errata.md lists every defect once, and what it names is there."""

import re
from pathlib import Path

from fixtures.legacy import damaged
from fixtures.registry import mutants

PAGE = (Path(__file__).parents[2] / "docs" / "errata.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d+) \| (.+) \| (●?) ?\| (.+) \|$", re.MULTILINE)
ROWS = {int(number): (shown, caught) for number, _, shown, caught in ROW.findall(PAGE)}
NAMED = {
    (int(number), name, guarantee)
    for number, _, _, caught in ROW.findall(PAGE)
    for name, guarantee in re.findall(r"`(\w+)` \(([A-Z]+-\d+)\)", caught)
}


# As in "Erratum 33: no row", "no row (erratum 33)", and "no row (33)" where limits are the topic.
SAYS = re.compile(r"[Ee]rratum (\d+)|\((\d\d)\)$")


def errata_mutants():
    """Number, name and guarantee of each mutant that says of which erratum it is."""
    for mutant in mutants():
        numbers = SAYS.findall(mutant.broken)
        assert numbers or not mutant.store.startswith("fixtures.mutants.errata_"), mutant.broken
        for one, other in numbers:
            yield int(one or other), mutant.store.rpartition(":")[2], mutant.guarantee


def test_every_erratum_has_a_row():
    """All 64, each once, in order."""
    assert [int(number) for number, *_ in ROW.findall(PAGE)] == list(range(1, 65))


def test_the_mutants_on_the_page_are_those_of_the_folder():
    """Each mutant that says it is of an erratum is in its row; each that a row names is there."""
    assert set(errata_mutants()) <= NAMED
    there = {(mutant.store.rpartition(":")[2], mutant.guarantee) for mutant in mutants()}
    assert {(name, guarantee) for _, name, guarantee in NAMED} <= there


def test_the_databases_on_the_page_are_there():
    """No row names a damaged database that is not in the manifest."""
    names = {one.name for one in damaged()}
    named = set(re.findall(r"`((?:plain|enhanced|manager|portal)_\w+)`", PAGE))
    assert named <= names


def test_what_is_marked_has_a_test():
    """The page marks an erratum if, and only if, a test of this folder has its number."""
    source = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    shown = {int(number) for number in re.findall(r"^def test_(\d\d)_", source, re.MULTILINE)}
    assert shown == {number for number, (mark, _) in ROWS.items() if mark}


def test_what_is_not_caught_says_why():
    """A row names a mutant or a database, or why no guarantee can have one."""
    for number, (_, caught) in ROWS.items():
        assert re.search(r"`\w+` \(|audit|none: ", caught), number
        assert "not yet" not in caught, number
