"""A page as elements and texts, for the tests of what stands on it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """The elements of a page with their attributes and texts; a wrong nesting is an error."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[int] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open[-1]][0] == tag
        self.open.pop()

    def handle_data(self, data):
        for number in self.open:
            self.texts[number] += data

    def all(self, tag: str, **attributes: str) -> list[str]:
        """The texts of the elements with this tag and these attributes, blanks made one."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            " ".join(text.split())
            for (name, given), text in zip(self.elements, self.texts, strict=True)
            if name == tag and wanted.items() <= given.items()
        ]
