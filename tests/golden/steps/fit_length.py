from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {"n_samples": 5000}, "5c593f2e962e5204"),
        ("Waveform2", {"n_samples": 99, "anchor": "centre"}, "9508dec37b3f8dc4"),
    ]
}
