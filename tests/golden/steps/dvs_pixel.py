from __future__ import annotations

DIGESTS = {
    1: [
        ("Clip", {}, "5c4d25cc46231365"),
        (
            "Clip",
            {"on_threshold": 0.5, "off_threshold": 0.25, "refractory_us": 20_000, "leak_hz": 5.0},
            "5c79393e32bceb1f",
        ),
        ("Clip", {"mismatch": 0.05, "noise_hz": 2.0}, "3cccf514bd251015"),
    ]
}
