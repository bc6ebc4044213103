"""The records of `aedat2`, read with the axes of CIFAR10-DVS."""

from __future__ import annotations

from tests.golden.aedat2 import content as content

DIGESTS = {1: "8f81e9fd7535cdaa"}
