from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {}, "3e335afd8c3f2168"),
        ("Series", {"n_fields": 4, "beta": 1.0, "normalise": "none"}, "f70058ec6510295c"),
    ]
}
