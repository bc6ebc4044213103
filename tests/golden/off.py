"""100 vertices with normals and a triangle, in the form of ModelNet whose counts follow the keyword at once."""

from __future__ import annotations

from tests.golden.clouds import golden_points

DIGESTS = {1: "35feb4265e76e450"}


def content() -> bytes:
    """The file."""
    rows = (" ".join(f"{number:.6e}" for number in row) for row in golden_points(100, 6, 70))
    return "\n".join(["NOFF100 1 0", *rows, "3 0 1 2", ""]).encode()
