from __future__ import annotations

DIGESTS = {
    1: [("Series", {}, "eb866ce84a547e65"), ("Series", {"n_levels": 3, "normalise": "none"}, "2e9359d240c7d575")]
}
