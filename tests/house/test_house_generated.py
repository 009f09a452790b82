"""Pages and pictures that are made of the code are those that it makes now."""

import house_api
import house_cli
import house_pictures
import pytest

import sessionproof


@pytest.mark.parametrize("made", [house_cli, house_api], ids=["commands", "python"])
def test_a_page_is_that_of_the_code(made):
    """A new option, a new field, other words are on the page."""
    remedy = f"run: python -m tests.house.{made.__name__} --write"
    assert made.PAGE.read_text("utf-8") == made.page(), remedy


def test_everything_that_can_be_imported_is_on_the_page():
    """A name that adapters import is told of, and nothing else is."""
    told = {*house_api.TYPES, *house_api.ERRORS, *house_api.ELSEWHERE}
    assert told == set(sessionproof.__all__)


@pytest.mark.parametrize("name", house_pictures.PICTURES)
def test_a_picture_is_that_of_the_code(name):
    """The file is what is drawn; it has words for those who do not see it."""
    drawn = house_pictures.PICTURES[name]()
    remedy = "run: python -m tests.house.house_pictures --write"
    assert (house_pictures.ASSETS / name).read_text("utf-8") == drawn, remedy
    assert "<title>" in drawn
