from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {}, "e065c58739e0d9f5"),
        ("Waveform", {"n_filters": 5, "f_max_hz": None, "frame": 100, "hop": 80}, "c7507cd6e112c274"),
    ]
}
