"""300 points, one of them not finite."""

from __future__ import annotations

from tests.golden.clouds import as_float32, golden_points

DIGESTS = {1: "84499fb7a9889775"}


def content() -> bytes:
    """The file."""
    points = golden_points(300, 4, 50)
    points[299] = (float("nan"), *points[299][1:])
    return as_float32(points)
