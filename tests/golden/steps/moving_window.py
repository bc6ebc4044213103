from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {"threshold": 0.1}, "6b729583cf3d1b13"),
        ("Series", {"threshold": 0.3, "window": 7}, "b2f8dfd6c7461776"),
    ]
}
