from __future__ import annotations

DIGESTS = {
    1: [
        ("PointCloud", {"grid": 4}, "b0325bc2529f85ce"),
        ("PointCloud", {"grid": (5, 4, 3), "low": (-1, -0.5, 0), "code": "unrolled", "D": 2}, "ee36ec987564b6d7"),
        ("PointCloud", {"grid": 3, "value": "points", "pick": "mean", "code": "real"}, "8b5d37746ad426bf"),
        ("PointCloud", {"grid": 3, "value": "points", "pick": "random", "code": "rate", "T": 4}, "c67e68911c3808bd"),
    ]
}
