from __future__ import annotations

DIGESTS = {
    1: [
        ("PointCloud", {"voxel": 0.25}, "b0eee6ca903ae511"),
        ("PointCloud", {"voxel": 0.7, "pick": "random"}, "e260450fa9001ee6"),
        ("PointCloud", {"voxel": 0.7, "pick": "mean"}, "0ed05c02e91d2cd3"),
    ]
}
