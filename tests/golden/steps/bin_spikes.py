from __future__ import annotations

DIGESTS = {
    1: [
        ("SpikeCounts", {"bin_us": 12_000}, "73053bb1baa81d43"),
        (
            "SpikeCounts",
            {"window_us": 28_000, "stride_us": 8000, "collapse": "bins", "align": "neurobench"},
            "9e4c1fe209ee2c13",
        ),
        (
            "SpikeCounts",
            {"window_us": 28_000, "units_per_channel": 3, "collapse": "windows", "align": "sample"},
            "36e10f0791ef34bb",
        ),
    ]
}
