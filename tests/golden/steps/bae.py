from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {}, "644c2c47ecdaa055"),
        ("Waveform", {"n_filters": 8, "n_levels": 5, "masking": "temporal", "decay": 0.9}, "3c481ec8c2a49299"),
    ]
}
