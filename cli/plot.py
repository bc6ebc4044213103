"""Small pictures in the terminal, of characters only."""

from __future__ import annotations

from collections.abc import Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"
SHADES = " ░▒▓█"


def bars(values: Sequence[int], height: int = 4) -> list[str]:
    """Lines of a bar chart, the highest value filling `height` rows; a value above 0 shows at least an eighth."""
    top = max(values, default=0) or 1
    eighths = [max(value * 8 * height // top, int(value > 0)) for value in values]
    return ["".join(EIGHTHS[min(8, max(0, level - 8 * row))] for level in eighths) for row in range(height - 1, -1, -1)]


def shaded(rows: Sequence[Sequence[int]]) -> list[str]:
    """Lines of a picture in four shades; the root of the count lifts single events out of the blank."""
    top = max((max(row) for row in rows), default=0) or 1
    return ["".join(SHADES[_shade(value, top)] for value in row) for row in rows]


def _shade(value: int, top: int) -> int:
    if value == 0:
        return 0
    return 1 + min(3, int(4 * (value / top) ** 0.5))
