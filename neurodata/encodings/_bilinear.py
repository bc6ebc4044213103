"""Pictures of another size: bilinear interpolation, with antialiasing where an axis shrinks.

Each new pixel is a mean of old ones under a triangle around its centre, (i + 1/2) * old / new - 1/2, which reaches one
old pixel to each side, or old / new of them where that is more; weights sum to one at the edges too. The same are
`torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True)` and Pillow's BILINEAR.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(32)
def weights(old: int, new: int) -> NDArray[np.float32]:
    """Of each old place in each new one: float32 [new, old], rows sum to one."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis]) / max(scale, 1)  # [new, old]
    triangle = np.maximum(1 - distance, 0)
    result: NDArray[np.float32] = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def resized(picture: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The picture [H, W, C] as [height, width, C], float32."""
    old_height, old_width, n_channels = picture.shape
    if (height, width) == (old_height, old_width):
        return picture
    rows = weights(old_height, height) @ picture.reshape(old_height, -1)
    result: NDArray[np.float32] = weights(old_width, width) @ rows.reshape(height, old_width, n_channels)
    return result
