"""Good files made bad: cut, flipped, filled with garbage, and JSON of the wrong shape."""

import json

_ODD = (
    None, True, -1, 0, 2**63, 10**400, -0.0, 1.5e308, "", "\x1b[31m\n::error::x", "\u202e",
    "x" * 5_000, "\ud800", [], {}, [[]], {"": {}}, "NaN", "../../x", "2020-13-45T99:99:99Z",
)  # fmt: skip
_GARBAGE = (
    b"\x00", b"\xff\xfe", b"\n", b"\n\n{", b"[" * 20_000, b'{"a":' * 5_000, b"NaN", b"1e999",
    b"9" * 6_000, b'"\\ud800"', b"\x1b]0;x\x07", b"\r\n::error::x\n", b"SQLite format 3\x00",
    b"PK\x03\x04", b"\xef\xbb\xbf", b"'; DROP TABLE x; --", b"A" * 100_000,
)  # fmt: skip


def damaged(data, random):
    """The bytes with one thing done to them; ``random`` is a ``random.Random``."""
    if random.random() < 0.5 and (values := _values(data)) is not None:
        return _misshapen(values, random)
    way = random.randrange(7)
    at = random.randrange(len(data) + 1)
    to = min(len(data), at + random.choice((1, 2, 16, 100, 4_096)))
    match way:
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:to] + data[at:]
        case 3:
            return data[:at] + random.choice(_GARBAGE) + data[at:]
        case 4:
            return data[:at] + random.choice(_GARBAGE) + data[to:]
        case 5:
            return data[:at] + bytes(len(data[at:to])) + data[to:]
        case _:
            return data[:at] + random.randbytes(len(data[at:to])) + data[to:]


def _values(data):
    """The JSON values of the file, a line each or one in all; None when it has none."""
    try:
        return [json.loads(data)], 1
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in data.splitlines()], 0
    except ValueError:
        return None


def _misshapen(values, random):
    """One value somewhere in it is another one, or gone, or there under another name."""
    lines, indent = values
    place = random.randrange(len(lines))
    lines[place] = _changed(lines[place], random)
    text = "\n".join(json.dumps(one, indent=indent or None) for one in lines)
    return text.encode() + b"\n"


def _changed(value, random):
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return random.choice(_ODD)
    key = random.choice([*value] if isinstance(value, dict) else range(len(value)))
    copy = dict(value) if isinstance(value, dict) else list(value)
    way = random.random()
    if way < 0.1:
        del copy[key]
    elif way < 0.2 and isinstance(copy, dict):
        copy[f"{key}\x1b"] = copy.pop(key)
    elif way < 0.3 and isinstance(copy, list):
        copy.insert(key, random.choice(_ODD))
    else:
        copy[key] = _changed(copy[key], random)
    return copy
