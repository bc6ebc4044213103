from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {}, "d836f8c789952c4b"),
        ("Series", {"factor": 1.5}, "d836f8c789952c4b"),
    ]
}
