from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform2", {}, "1262d5663ad26305"),
        ("Waveform2", {"n_tones": 7, "n_delays": 9, "tolerance_us": 40.0, "threshold": 0.2}, "305ba9afdd82ff7c"),
    ]
}
