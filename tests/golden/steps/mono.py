from __future__ import annotations

DIGESTS = {
    1: [
        ("Waveform2", {}, "ccb2192eb2089e12"),
        ("Waveform2", {"channel": 1}, "5805ee3aa6b4332a"),
    ]
}
