from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {"n_mels": 20}, "fd3e43401f2a92f3"),
        ("Waveform", {"n_mels": 12, "log": "ln", "padding": "zeros"}, "3c01e1f250ff1488"),
        ("Waveform", {"n_mels": 12, "log": "log1p", "floor": 0.01}, "992c167f6e98b811"),
        ("Waveform", {"n_mels": 20, "top_db": 10.0}, "67755c06428da72d"),
    ]
}
