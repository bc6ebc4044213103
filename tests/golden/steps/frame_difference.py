from __future__ import annotations

DIGESTS = {
    1: [
        ("Clip", {}, "723b55e89bd35749"),
        ("Clip", {"output": "signed", "threshold": 0.3}, "487135a7b873c288"),
    ]
}
