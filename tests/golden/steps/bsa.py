from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {}, "2a48c0cfc538bff1"),
        ("Series", {"n_taps": 8, "cutoff": 0.2, "threshold": 0.9, "criterion": "ratio"}, "7c98379874fa0189"),
    ]
}
