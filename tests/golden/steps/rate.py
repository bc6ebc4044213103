from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 4}, "884de574ee55c349"),
        ("Series", {"T": 3, "process": "poisson", "max_rate_hz": 200.0, "step_us": 1000}, "6502fa047063067d"),
    ]
}
