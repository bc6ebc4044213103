from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 3}, "40090cff0d42f6e0"),
        ("Series", {}, "62c4610813a2990c"),
        ("Clip", {"T": 2}, "9068950f78816945"),
    ]
}
