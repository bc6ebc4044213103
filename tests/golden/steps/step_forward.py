from __future__ import annotations

DIGESTS = {
    1: [
        ("Series", {"threshold": 0.1}, "28b41adb6a026a74"),
    ]
}
