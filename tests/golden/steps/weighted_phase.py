from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 8}, "b1e6c6c4c3561d6b"),
        ("Series", {"T": 7, "K": 3}, "7749f97c0ea5ade5"),
    ]
}
