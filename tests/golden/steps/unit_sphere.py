from __future__ import annotations

DIGESTS = {
    1: [
        ("PointCloud", {}, "1bca82bedf365664"),
        ("PointCloud", {"centre": "box"}, "2bc66ad0b3661998"),
    ]
}
