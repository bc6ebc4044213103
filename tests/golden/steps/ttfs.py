from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 9}, "385dfe730a1db3d4"),
        ("Clip", {"T": 9, "curve": "log"}, "79f9c390f764b1b5"),
        ("Series", {"T": 8, "curve": "rc", "tau": 2.0, "threshold": 0.2}, "9871d59a2171cb43"),
        ("Series", {"T": 6, "curve": "decay", "tau": 2.0, "threshold": 1.0, "late": "last"}, "f70165f461c2fde5"),
    ]
}
