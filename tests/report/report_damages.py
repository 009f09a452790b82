"""Damaged files of stores that never were: maps by page, counts by class."""

from __future__ import annotations

from sessionproof.contract.measurements import DamageClass, DamagedPage, Damages

ENDS = ("raised", "found", "harmless", "served")
_USES = ("leaf of messages", "index of sqlite_autoindex_messages_1", "overflow of messages", "free")


def page(number: int, use: str, **ends: int) -> DamagedPage:
    """A page with so many damages of each outcome."""
    counts = {name: ends.get(name, 0) for name in ENDS}
    return DamagedPage(page=number, use=use, tried=sum(counts.values()), **counts)


def of_class(name: str, *, owed: bool = True, **ends: int) -> DamageClass:
    """A class of damage with so many of each outcome."""
    counts = {one: ends.get(one, 0) for one in ENDS}
    return DamageClass(name=name, owed=owed, tried=sum(counts.values()), **counts)


def damages(file: str = "sessions.db", pages: int = 31, **changes: object) -> Damages:
    """The map of a file of a store that finds everything."""
    given: dict[str, object] = {
        "file": file,
        "page_bytes": 4096,
        "pages": pages,
        "cells": (
            page(1, "header and schema", raised=1, harmless=2),
            page(7, "interior of messages", raised=2),
            page(8, _USES[1], found=1),
            page(19, _USES[0], raised=1, found=1),
            page(25, "free", harmless=2),
            page(31, _USES[2], found=2, harmless=2),
        ),
        "classes": (
            of_class("bit in the header", raised=1, harmless=2),
            of_class("bit in an interior page", raised=2),
            of_class("bit in an index page", found=1),
            of_class("page zeroed", raised=1, found=1),
            of_class("bit in a free page", harmless=2),
            of_class("bit in a text", found=2, harmless=2),
        ),
        "note": "",
    }
    return Damages(**{**given, **changes})  # type: ignore[arg-type]


ALL_FOUND = damages()
LOG = damages(
    "sessions.db-wal", 73, page_bytes=4120,
    cells=(
        page(1, "log", raised=2, served=4), page(42, "log", served=1), page(50, "log", served=1),
    ),
    classes=(of_class("foreign log", raised=2), of_class("log cut", served=6, owed=False)),
)  # fmt: skip
SERVES = damages(
    "chat.db", 212,
    cells=tuple(
        page(
            number, _USES[number % 4],
            **{ENDS[number % 4]: 1, "served": int(number % 9 == 0 or number % 4 == 3)},
        )
        for number in range(2, 212, 3)
    ),
    classes=(
        of_class("page zeroed", raised=9, served=5), of_class("pages swapped", served=7),
        of_class("bit in a text", served=12, owed=False),
        of_class("bit in a free page", harmless=18),
        of_class("cut at half", raised=2),
    ),
    note="positions were drawn by the seed",
)  # fmt: skip
LARGE = damages(
    "archive/2026/chats.jsonl", 9_000, page_bytes=512,
    cells=(page(1, "", raised=1), page(4_444, "", harmless=3), page(4_445, "", served=1)),
    classes=(of_class("block zeroed", raised=1, harmless=3, served=1),),
)  # fmt: skip
DAMAGES: dict[str, tuple[Damages, ...]] = {
    "COR-01": (ALL_FOUND, LOG, SERVES, LARGE),
    "COR-02": (ALL_FOUND,),
}


def everywhere(text: str) -> Damages:
    """Damages with this text wherever one can stand."""
    return damages(
        text, 2, cells=(page(2, text, served=1),), classes=(of_class(text, served=1),), note=text
    )
