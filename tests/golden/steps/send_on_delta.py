from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {"threshold": 0.1}, "6724ff366e7f0e89"),
        ("Series", {"threshold": 0.05, "most_spikes": 1}, "9ae615fce173b686"),
    ]
}
