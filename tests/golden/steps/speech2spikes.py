from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {}, "92e0a95ece1f45cd"),
        ("Waveform", {"n_mels": 8, "threshold": 0.25, "padding": "zeros"}, "536f572a9198629b"),
    ]
}
