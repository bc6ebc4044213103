from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {}, "f730e5993845bd89"),
        ("Series", {"threshold": 0.3, "padding": True}, "d836f8c789952c4b"),
    ]
}
