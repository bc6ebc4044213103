from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {"n_taps": 6, "cutoff": 0.8}, "6a02a9dca525c935"),
        ("Series", {"n_taps": 8, "cutoff": 0.2, "tolerance": 0.1}, "7cfc82621a3567e5"),
    ]
}
