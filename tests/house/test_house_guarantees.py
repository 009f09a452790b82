"""Pages that are generated are up to date."""

import json

from house_guarantees import PAGE, TITLES, page

from fixtures import matrix
from fixtures.registry import mutants
from sessionproof.contract.guarantees import GUARANTEES


def test_the_page_of_guarantees_is_up_to_date():
    """docs/guarantees.md is what the registry and the mutants say."""
    assert PAGE.read_text("utf-8") == page(), "python -m tests.house.house_guarantees --write"
    assert set(TITLES) == {row.group for row in GUARANTEES.values()}


def test_the_matrix_is_up_to_date():
    """The matrix has every mutant and every guarantee, and its page is made of it."""
    rows = json.loads(matrix.DATA.read_text("utf-8"))
    assert set(rows) == {matrix.name_of(one) for one in mutants()}, "python -m fixtures.matrix"
    for one in mutants():
        assert set(rows[matrix.name_of(one)]) == set(matrix.rows_of(one)), (
            "python -m fixtures.matrix"
        )
    assert matrix.PAGE.read_text("utf-8") == matrix.page(rows), "python -m fixtures.matrix"


def test_each_mutant_of_the_matrix_is_caught_by_its_own_guarantee():
    """The bold cells are all broken."""
    rows = json.loads(matrix.DATA.read_text("utf-8"))
    missed = [
        one.store for one in mutants() if rows[matrix.name_of(one)][one.guarantee] != "broken"
    ]
    assert not missed
