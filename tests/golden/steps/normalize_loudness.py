from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {}, "742623e0cb413fbf"),
        ("Waveform2", {"level": 0.3, "method": "rms"}, "4ccf091b121aaed1"),
    ]
}
