from __future__ import annotations

DIGESTS = {
    1: [
        ("Clip", {"T": 5}, "3f925bb1c0b04500"),
        ("Clip", {"T": 4, "at": "random", "width": 7, "height": 12}, "a9a3bc9a202ea553"),
        (
            "Clip",
            {"T": 5, "sampling": "stride", "stride": 2, "short_side": 6, "width": 5, "height": 6},
            "a228fcac0848343a",
        ),
        ("Clip", {"sampling": "all", "mean": (0.4, 0.5, 0.6), "std": 0.25}, "80c4bb70eb0f2494"),
    ]
}
