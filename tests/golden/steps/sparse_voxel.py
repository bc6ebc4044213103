from __future__ import annotations

DIGESTS = {
    1: [
        ("PointCloud", {"grid": 100}, "26ba2ec4ae69e7a8"),
        ("PointCloud", {"grid": 3, "value": "points", "pick": "mean", "scale": 9.0}, "7770a7b7d76645e7"),
    ]
}
