from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {}, "f89c55a5810004aa"),
        ("Series", {"per": "channel"}, "48b0367acae94283"),
        ("Series", {"low": 0.25, "high": 0.75}, "74d907820baa64f6"),
    ]
}
