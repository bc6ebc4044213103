from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {"n_mels": 20}, "e9f5c541e4de2321"),
        (
            "Waveform",
            {
                "n_mels": 5,
                "n_fft": 400,
                "window_length": 300,
                "scale": "slaney",
                "norm": "slaney",
                "power": 1.0,
                "padding": "none",
            },
            "3ee4f12961d5fd8b",
        ),
    ]
}
