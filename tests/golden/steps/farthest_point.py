from __future__ import annotations

DIGESTS = {
    1: [
        ("PointCloud", {"n": 20}, "1095e51e5477a812"),
        ("PointCloud", {"n": 20, "start": "centre"}, "762f05288bf73a30"),
        ("PointCloud", {"n": 210, "start": "random"}, "ee131cedaf88699f"),
    ]
}
