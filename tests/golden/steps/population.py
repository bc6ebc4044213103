from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 6}, "6ec5a829c0041e0b"),
        ("Series", {"T": 3, "n_fields": 5, "beta": 2.0, "readout": "rate"}, "eaddfb037f92d45d"),
    ]
}
