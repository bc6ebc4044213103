from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {"rate_hz": 8000}, "772877e08724635f"),
        ("Waveform2", {"rate_hz": 11025, "half_width": 16}, "53dbddabc045cf04"),
    ]
}
