from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform", {"n_channels": 30}, "a5145f92a83c54a8"),
        ("Waveform", {"n_channels": 8, "causal": True, "fade_us": 0}, "8628453c5b9db0f9"),
    ]
}
