"""Secrets are found in each form in which they can be used, and in no data without them."""

import base64
import hashlib
import json
from collections import Counter
from urllib.parse import quote

import pytest

from sessionproof.checks.secrets import forms, shown_in, tells_equal

SECRET = "Pw4f0c7e21b95d83a6ff120c77e9b4d5a1q"
BYTES = SECRET.encode()

KEPT = {
    "as it is": BYTES,
    "in JSON": json.dumps({"password": SECRET}).encode(),
    "in an address": f"https://x/?password={quote(SECRET)}&y=1".encode(),
    "in UTF-16": SECRET.encode("utf-16-le"),
    "in UTF-16, the other way": SECRET.encode("utf-16-be"),
    "backwards": BYTES[::-1],
    "in hexadecimal": BYTES.hex().encode(),
    "in large hexadecimal": BYTES.hex().upper().encode(),
    "in base64": base64.b64encode(BYTES),
    "inside of what is in base64": base64.b64encode(b"ab" + BYTES + b"cdef"),
    "as basic authentication": base64.b64encode(b"ada:" + BYTES),
    "each letter escaped": "".join(f"\\u{ord(one):04x}" for one in SECRET).encode(),
    "its md5": hashlib.md5(BYTES, usedforsecurity=False).hexdigest().encode(),
    "its sha1 in base64": base64.b64encode(hashlib.sha1(BYTES, usedforsecurity=False).digest()),
    "its sha256 in bytes": hashlib.sha256(BYTES).digest(),
    "its sha512 in large hexadecimal": hashlib.sha512(BYTES).hexdigest().upper().encode(),
    "its sha256 over UTF-16": hashlib.sha256(SECRET.encode("utf-16-le")).digest(),
}


@pytest.mark.parametrize("name", KEPT)
def test_each_form_is_found(name):
    """Wherever it lies in the data, with other bytes around it; its expression makes the same."""
    form = shown_in(b"\x00\xffbefore" + KEPT[name] + b"after\x00", forms(SECRET, "password"))
    assert form is not None
    made = eval(form.expression, {"secret": SECRET, "base64": base64, "hashlib": hashlib})
    assert made == form.data


@pytest.mark.parametrize(
    "secret",
    [SECRET, "??>0f4c21??>9a7", "Pw290f4c7e21b95d"],  # of the last, sha384 in base64 ends with X
)
def test_each_expression_makes_its_form(secret):
    """A script looks for what the harness looked for."""
    for form in forms(secret, "password"):
        made = eval(form.expression, {"secret": secret, "base64": base64, "hashlib": hashlib})
        assert made == form.data


def test_what_may_stand_anywhere_by_chance_is_not_looked_for():
    """Twelve bytes are enough."""
    assert shown_in(b"x" + BYTES[:12], forms(SECRET[:12], "password")) is not None
    assert shown_in(b"x" + BYTES[:11], forms(SECRET[:11], "password")) is None


@pytest.mark.parametrize("secret", ["???0f4c21???9a7", ">>>0f4c21>>>9a7"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_in_both_alphabets(encode, secret):
    """A secret whose code has a slash, or a plus, looks otherwise in an address."""
    assert base64.b64encode(secret.encode()) != base64.urlsafe_b64encode(secret.encode())
    for before in (b"", b"a", b"ab"):
        data = b"x" + encode(before + secret.encode() + b"after") + b"y"
        form = shown_in(data, forms(secret, "password"))
        assert form is not None
        made = eval(form.expression, {"secret": secret, "base64": base64, "hashlib": hashlib})
        assert made == form.data
        assert made in data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Pw" + hashlib.sha256(b"another").digest(),
        hashlib.scrypt(BYTES, salt=b"its own salt", n=16, r=1, p=1),
        hashlib.sha256(b"its own salt" + BYTES).hexdigest().encode(),
        BYTES[:-1],
    ],
)
def test_what_does_not_give_it_away_is_spared(data):
    """A salted digest, another secret, a part of it."""
    assert shown_in(data, forms(SECRET, "password")) is None


def test_a_token_may_be_kept_as_its_digest_and_not_as_its_bytes():
    """Nobody guesses a token, so its digest helps nobody; what it spells is the token itself."""
    raw = hashlib.sha256(b"random").digest()
    dashed = f"{raw[:4].hex()}-{raw[4:].hex()}"
    for token in (raw.hex(), dashed, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()):
        wanted = forms(token, "token")
        assert shown_in(hashlib.sha256(token.encode()).digest(), wanted) is None
        form = shown_in(b"x" + raw + b"y", wanted)
        assert form is not None
        assert eval(form.expression, {"secret": token, "base64": base64}) == raw


def test_a_token_that_spells_no_bytes_is_looked_for_as_it_is():
    """It is neither hexadecimal nor base64, and is found all the same."""
    token = "session:7f3a:99d1:own!"
    wanted = forms(token, "token")
    assert not [form for form in wanted if form.words == "as its bytes"]
    assert shown_in(b"x" + token.encode() + b"y", wanted) is not None


PASSWORDS = ("same", "a", "same", "same", "b", "same")


def counts(rows):
    """The stored values before the first user and after each."""
    found = [Counter()]
    for row in rows:
        found.append(found[-1] + Counter(row))
    return found


def test_a_value_that_stands_for_a_password_is_found():
    """It comes with each user who has it, and with nobody else."""
    rows = [(f"user {at}", f"hash of {given}") for at, given in enumerate(PASSWORDS)]
    assert tells_equal(counts(rows), PASSWORDS) == "hash of same"


def test_two_users_of_one_password_and_a_short_value_are_enough():
    """Whoever came first, with a password of their own."""
    column = [["of ada!!"], ["of both!"], ["of both!"]]
    assert tells_equal(counts(column), ("ada", "both", "both")) == "of both!"


@pytest.mark.parametrize(
    "column",
    [
        [f"salted {at}" for at in range(6)],
        ["constant"] * 6,
        ["second 1", "second 1", "second 1", "second 2", "second 2", "second 3"],
        [f"shard number {at % 2}" for at in range(6)],
        [f"shard number {at % 3}" for at in range(6)],
        ["1", "2", "1", "1", "3", "1"],  # too short to be made of a password
    ],
)
def test_other_equal_values_tell_nothing(column):
    """Times, flags, places that are given in turn: they do not follow the passwords."""
    assert tells_equal(counts([[one] for one in column]), PASSWORDS) is None
