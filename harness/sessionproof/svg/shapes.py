"""The elements of a picture. Every text and attribute is escaped here, and nowhere else.

Colours are the page's: shapes carry class names, and its style sheet says what they look like, so
one picture serves light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

SHAPES = ("circle", "square", "diamond", "triangle")
DOT = 3  # half the size of a mark
CHARACTER = 6.65  # width of one in the picture's monospaced font of 11 px, a little generous


def element(tag: str, *inside: Markup | str, **attributes: str | float) -> Markup:
    """One element: ``class_`` stands for class, and underscores for hyphens.

    A plain string inside is text, and is escaped; Markup is taken as it is.
    """
    given = Markup().join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _value(value))
        for name, value in attributes.items()
    )
    if not inside:
        return Markup("<{}{}/>").format(tag, given)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, given, Markup().join(inside))


def drawing(
    width: float, height: float, inside: Iterable[Markup], *, label: str, role: str = "img"
) -> Markup:
    """A whole picture of so many pixels; ``label`` says in words what it shows.

    What is in an ``img`` is for the eye alone; a picture whose parts have words is a ``group``.
    """
    return element(
        "svg",
        *inside,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role=role,
        aria_label=label,
    )


def text(x: float, y: float, content: str, *, class_: str = "", anchor: str = "start") -> Markup:
    """A line of text that starts, ends or has its middle at ``x``, on the base line ``y``."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def cut(words: str, most: int) -> str:
    """The words, or their beginning where they have more than so many characters."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def box(
    x: float, y: float, width: float, height: float, *, class_: str, radius: float = 3
) -> Markup:
    """A rectangle with round corners."""
    return element("rect", x=x, y=y, width=width, height=height, rx=radius, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def arrow(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> Markup:
    """A line that leaves and arrives sideways, bent between, with a head where it arrives."""
    side = 1 if x2 >= x1 else -1
    bend = max(12.0, abs(x2 - x1) / 2) * side
    way = f"M{number(x1)} {number(y1)} C{number(x1 + bend)} {number(y1)} "
    way += f"{number(x2 - bend)} {number(y2)} {number(x2)} {number(y2)}"
    head = f"M{number(x2 - 6 * side)} {number(y2 - 4)} L{number(x2)} {number(y2)} "
    head += f"L{number(x2 - 6 * side)} {number(y2 + 4)}"
    return element("path", d=f"{way} {head}", class_=class_)


def way(points: Sequence[tuple[float, float]], *, class_: str) -> Markup:
    """A line through these points, bent at each."""
    d = " L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{d}", class_=class_)


def dot(x: float, y: float, *, class_: str, shape: str = "circle", title: str = "") -> Markup:
    """A mark of one of ``SHAPES``, that shows its title when it is pointed at.

    Shapes tell series apart for those to whom their colours look alike.
    """
    r, d = DOT, ""
    match shape:
        case "square":
            d = f"M{number(x - r)} {number(y - r)} h{2 * r} v{2 * r} h{-2 * r} Z"
        case "diamond":
            d = f"M{number(x)} {number(y - r - 1)} l{r + 1} {r + 1} l{-r - 1} {r + 1}"
            d += f" l{-r - 1} {-r - 1} Z"
        case "triangle":
            d = f"M{number(x)} {number(y - r - 1)} l{r + 1} {2 * r + 1} h{-2 * r - 2} Z"
        case "bar":
            d = f"M{number(x)} {number(y - r - 2)} v{2 * r + 4}"
        case _:
            d = f"M{number(x - r)} {number(y)} a{r} {r} 0 1 0 {2 * r} 0 a{r} {r} 0 1 0 {-2 * r} 0 Z"
    inside = [element("title", title)] if title else []
    return element("path", *inside, d=d, class_=class_)


def number(value: float) -> str:
    """A number for an attribute: at most one digit after the point, none where it is 0."""
    return f"{value:.1f}".removesuffix(".0")


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
