from __future__ import annotations

DIGESTS = {
    2: [
        ("Waveform", {}, "1ae9dcbb8ebc1f09"),
        ("Waveform", {"n_filters": 8, "n_levels": 5, "masking": "temporal", "decay": 0.9}, "42cabc4d0c49ea7f"),
        ("Waveform", {"decay": 0.9, "decay_of": "level"}, "ef001fc34c87f7ce"),
    ]
}
