"""Which of KITTI's 7,481 training scans train, and which validate: the lists of Chen et al., kept as one bit a scan.

Source: Chen et al., "3D Object Proposals for Accurate Object Class Detection", NIPS 2015; the 3,712 numbers of
`ImageSets/train.txt` as OpenPCDet hands them out (the 3,769 of `val.txt` are all others).
"""

from __future__ import annotations

from base64 import b64decode

import numpy as np
from numpy.typing import NDArray

N_SCANS = 7481
# Bit k % 8 of byte k // 8, the lowest one first, is set where scan k trains.
TRAIN_BITS = """
    iX5HZFV6yhP5j/2Zu+KPqy5ld2x9GB8jQmXHehpDO+AviTzl0Z1FcmRMTjFCmMkQaQBhHKeHz7YCdc8EnAVyilZt2h5pMyzkXw/37APjqGNLeuGX
    W+OnouqPWbTMKeodhLO/tgDhdnufZKg33wHNnfVWxrLiI86sJZFWaH87ApPxV7MTewGHpzyUYqFWBUKEsHPPIEcwN5+YqEKBBUUB8C0lfuCb/4G0
    sGTXL4xCl39j1nYWkfJbW59cfJ1nyQleuNHWSp00AcqSW9RV8Va7qrD34p2VEBg5zY8ZtsumCvPTaJ4pbPeuBhLHlgzK6dx/BoQM+Xo+7SFYR+iC
    lcWDg6i4byEZlQ9ntGRyoH88lNg15e04feLMeJcyqftOIgNjonNeqcjgTRvpKnAczzcjzHi6Own/CbdqJVhvnKBD647DKE24O6BP1ymljNdc29Gc
    C7YT1Ah4rcCURE9/08mMIesjbQzeWvMH1AEObUvPOr1kFaC3sGxRBPO3FLAzCppx6Xq6FpOqLxWcqG1ZKwW3WmOzlEhseiP12eb0boqoJMPzWTOU
    D1r3+UEB4JWJ8nfY3hC7YGA8eldscHe2GPOWL+7/TLQKFvBXTZNHD+PgP2Umt37wI+XjdZHnuUqkr6PTfa/mmjiUo5HV46aneamvyWmN+q5g8N7j
    qNh0V+xaUWXKBA2I4CiPgOAG/wXnGxkP6l6xMGY/l8gQQ1E6JXkojfximH1sjCE/A5gRZquqnfIQkZ5vTTygj0fNO5iaRS/3YKuaqG5g6cF8EgTh
    CYGIKyHobKPYPCdeLhOcHXa34ANm8V1GOtSbLCQbwimyv1aJIeka1eqK3Ak4pBC4G1+N/EheQtSFISqGDBu9n5GTyah1rmdhau3wRiTRGBiVf5Zk
    0Rn/z18/E9tFyMNxSCk9+z3z16aqeAaew4yC5/DbcD0x8smizsxWfWPC2E90RnDb0v89sOkU54PTe/Qv9N4tUY1HEQgRV/PGttFpm+hL0Yh+AikB
    qgkjkxdeKLODEdv2aupV3Lyxo+tat8e8Lvl7kaA6/o35wumHI0zBruDFaeEXcWzwQYiHv4yQodZ44ULMAa1PpdS4GKvE44d7yIh1ceKSC5sPWh9w
    loXZdCBIwglZiiZGss/MZQkqq2hJdUGj2dv6OKxh6taJl1qWIjYDmHNMVkUqQHRrn1baQ/LYm4GsKPc7SCrVlbQqT4pxEGagJx43E/E0FHzuNQxc
    h1FBBrpBWtg6gpUA
"""


def training_scans() -> NDArray[np.bool_]:
    """Whether each scan is for training, by its number, shape [7481]; the others are for validation."""
    packed = np.frombuffer(b64decode("".join(TRAIN_BITS.split())), np.uint8)
    return np.unpackbits(packed, count=N_SCANS, bitorder="little").astype(np.bool_)
