"""What the columns of a text file mean: said by its header, or left open by its numbers in one way only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, DecimalException
from itertools import pairwise, permutations

from neurodata.signals import Sensor

HEAD_BYTES = 1 << 16
SAMPLE_ROWS = 1000
SLOWEST_RATE_HZ = 100  # of a camera that sees anything
LARGEST_POWER = 40  # of ten, beyond any number of an event

ROLES = "txyp"
EXPONENTS = {"s": 6, "ms": 3, "us": 0, "ns": -3}  # 10^ of the unit in microseconds
UNITS = {
    spelling: unit
    for unit, spellings in {
        "s": "s sec secs second seconds",
        "ms": "ms msec millisecond milliseconds",
        "us": "us µs μs usec microsecond microseconds",
        "ns": "ns nsec nanosecond nanoseconds",
    }.items()
    for spelling in spellings.split()
}
NAMES = {
    name: role
    for role, names in {
        "t": "t ts time times timestamp timestamps",
        "x": "x",
        "y": "y",
        "p": "p pol polarity polarities",
    }.items()
    for name in names.split()
}
_SENSOR = re.compile(r"sensor: *(\d{1,5})x(\d{1,5})(?:x([12]))?$")
_FAERY = re.compile(r"t,x@(\d{1,5}),y@(\d{1,5}),on")
_NAME = re.compile(r"([a-z]+)(?:[ _]*[\[(]? *([a-zµμ]+) *[\])]?)?")
_BETWEEN = re.compile(r"[ \t]*[,;][ \t]*|[ \t]+")
_BETWEEN_NAMES = re.compile(r"[ \t]*[,;][ \t]*|[ \t]+(?![\[(])")
# float64 holds 15 decimal digits; what follows them in a text is noise of the conversion.
_FLOAT = Context(prec=15)


@dataclass(frozen=True, slots=True)
class Layout:
    """Order of the columns and unit of time.

    Parameters
    ----------
    columns
        For each column "t", "x", "y", "p", or another text for one that is passed over.
    unit
        One of s, ms, us, ns.
    """

    columns: tuple[str, ...]
    unit: str

    @property
    def exponent(self) -> int:
        """10^ of the unit in microseconds."""
        return EXPONENTS[self.unit]

    def __str__(self) -> str:
        return " ".join(f"t[{self.unit}]" if name == "t" else name for name in self.columns)


@dataclass(slots=True)
class Head:
    """What a file says before its first row, and a sample of its rows.

    Parameters
    ----------
    n_bytes
        Length of what stands before the first row.
    columns
        As for `Layout`; None when no line names them.
    unit
        None when no line tells it.
    sensor
        None when no line tells it.
    rows
        Fields of the first rows.
    """

    n_bytes: int = 0
    columns: tuple[str, ...] | None = None
    unit: str | None = None
    sensor: Sensor | None = None
    rows: list[list[str]] = field(default_factory=list)


def parse_head(head: bytes, is_all: bool) -> Head | str:
    """Header and first rows, or why these bytes are no text of events. is_all: they are the whole file."""
    if b"\0" in head:
        return "is no text"
    found = Head()
    for line, n_bytes in _lines(head, is_all):
        text = line.decode("utf-8", "replace").strip("\ufeff").strip()
        fields = _BETWEEN.split(text)
        if len(found.rows) == SAMPLE_ROWS:
            break
        if text and not text.startswith("#") and all(map(_is_number, fields)):
            if len(fields) == 2 and not found.rows and found.sensor is None:
                found.sensor = _sensor(*fields)
            elif len(fields) < 4:
                return f"a row of {len(fields)} numbers where events have at least 4: {text[:60]!r}"
            else:
                found.rows.append(fields)
        elif not found.rows and not _understood(text, found):
            return f"a line that is neither a row of numbers nor a header with t, x, y and p: {text[:60]!r}"
        if not found.rows:
            found.n_bytes += n_bytes
    if not found.rows and found.columns is None:
        return "no row of numbers, and no header with t, x, y and p"
    return found


def _lines(head: bytes, is_all: bool) -> Iterator[tuple[bytes, int]]:
    """Lines, and their lengths with their ends; an unfinished one counts when the file ends there."""
    for line in re.findall(rb"[^\n]*\n|[^\n]+$", head):
        if line.endswith(b"\n") or is_all:
            yield line, len(line)


def _understood(text: str, found: Head) -> bool:
    """Whether a line without a row is a header, empty or a comment; what it says goes into found."""
    words = text.lstrip("# ")
    if match := _SENSOR.fullmatch(words):
        found.sensor = _sensor(*match.groups(default="2"))
        return True
    if match := _FAERY.fullmatch(text):
        found.columns, found.unit, found.sensor = tuple(ROLES), "us", _sensor(*match.groups())
        return True
    names = [_NAME.fullmatch(name.strip("\"' ").lower()) for name in _BETWEEN_NAMES.split(words)]
    roles = [NAMES.get(name[1], "-") if name else "-" for name in names]
    if all(roles.count(role) == 1 for role in ROLES):
        time = names[roles.index("t")]
        found.columns = tuple(roles)
        found.unit = UNITS.get(time[2]) if time else None
        return not (time and time[2]) or found.unit is not None
    return not text or text.startswith("#")


def _sensor(width: str, height: str, polarities: str = "2") -> Sensor | None:
    if all(size.isdigit() and 1 <= int(size) <= 65536 for size in (width, height)):
        return Sensor(int(width), int(height), int(polarities))
    return None


def _is_number(text: str) -> bool:
    """Whether it is one as files have it: Python also takes 1_000 and the digits of all scripts."""
    try:
        value = _FLOAT.create_decimal(text)
    except DecimalException:
        return False
    return text.isascii() and value.is_finite() and abs(value.adjusted()) < LARGEST_POWER


def readings(head: Head) -> list[Layout]:
    """Every layout that the header allows and the rows fit."""
    columns = list(zip(*(map(_FLOAT.create_decimal, row) for row in head.rows), strict=False))
    orders = [head.columns] if head.columns else [order for order in _orders(len(columns)) if _fits(order, columns)]
    return [
        Layout(order, unit)
        for order in orders
        for unit in ([head.unit] if head.unit else _units(dict(zip(order, columns, strict=False)).get("t", ())))
    ]


def _orders(n_columns: int) -> list[tuple[str, ...]]:
    """Orders that rows without a header can have: x stands before y in all known layouts."""
    return [order for order in permutations(ROLES) if order.index("x") < order.index("y")] if n_columns == 4 else []


def _fits(order: tuple[str, ...], columns: Sequence[Sequence[Decimal]]) -> bool:
    t, x, y, p = (columns[order.index(role)] for role in ROLES)
    steps_back = sum(after < before for before, after in pairwise(t))
    return (
        (set(p) <= {Decimal(0), Decimal(1)} or set(p) <= {Decimal(-1), Decimal(1)})
        and all(value == value.to_integral_value() and 0 <= value <= 65535 for value in (*x, *y))
        and steps_back <= 0.02 * len(t)
    )


def _units(t: Sequence[Decimal]) -> list[str]:
    """Units that times can be in.

    No event camera's clock is finer than 1 us: times with more than three decimals are seconds, unless they are so
    large (from 1e5 on), or the events then so few a second, that the decimals may be those of another unit.
    """
    n_decimals = max((-int(value.normalize().as_tuple().exponent) for value in t), default=0)
    if n_decimals > 3 and max(map(abs, t)) < 100_000 and len(t) >= SLOWEST_RATE_HZ * (max(t) - min(t)):
        return ["s"]
    return ["s", "ms", "us"] if n_decimals > 0 else ["us", "ms", "ns"]
