from __future__ import annotations

DIGESTS = {
    1: [
        ("Image", {"T": 16}, "131ee02330826b6b"),
        ("Series", {"T": 7, "n_max": 3, "isi_min": 1, "isi_max": 4}, "7f4d524856ca0538"),
    ]
}
