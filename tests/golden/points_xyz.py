"""100 points with normals in the form of modelnet40_normal_resampled, numbers written in several ways."""

from __future__ import annotations

from tests.golden.clouds import golden_points

DIGESTS = {1: "0bc489eae6e2bb3c"}
FORMS = ("{:.6f}", "{:g}", "{:+.18e}", "{:.25f}")


def content() -> bytes:
    """The file."""
    rows = golden_points(100, 6, 95)
    lines = (",".join(FORMS[k % 4].format(number / 3) for number in row) for k, row in enumerate(rows))
    return "".join(f"{line}\n" for line in lines).encode()
