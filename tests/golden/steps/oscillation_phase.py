from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 8}, "615aa4b41e6d2e46"),
        ("Series", {"T": 20, "period": 8, "peak_every": 4}, "d251cf2679ed218a"),
    ]
}
