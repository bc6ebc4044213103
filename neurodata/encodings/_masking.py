"""What the ear does not hear beside something louder, or after it: thresholds in dB, of bands by frames.

Simultaneous masking is that of psychoacoustic model 1 of MPEG-1 audio (ISO/IEC 11172-3:1993, annex D): threshold in
quiet (E. Terhardt, Hearing Research 1, 1979), Bark scale and spreading as it states them, with bands in the place of
spectral lines. Decided here: a band does not mask itself, and is tonal when both its neighbours lie `tonal_db` lower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


def bark(hz: Rows) -> Rows:
    """Critical band rate: 13 atan(0.76 f) + 3.5 atan((f / 7.5)^2), f in kHz."""
    khz = hz / 1000
    z: Rows = 13 * np.arctan(0.76 * khz) + 3.5 * np.arctan((khz / 7.5) ** 2)
    return z


def quiet_db(hz: Rows) -> Rows:
    """Threshold in quiet, dB SPL: 3.64 f^-0.8 - 6.5 exp(-0.6 (f - 3.3)^2) + 0.001 f^4, f in kHz."""
    khz = hz / 1000
    threshold: Rows = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    return threshold


def spread_db(distance: Rows, masker_db: Rows) -> Rows:
    """How much less than a masker of that level masks `distance` Bark above it; -inf below -3 and from 8 on."""
    pieces = [
        (distance >= -3) & (distance < -1),
        (distance >= -1) & (distance < 0),
        (distance >= 0) & (distance < 1),
        (distance >= 1) & (distance < 8),
    ]
    values = [
        17 * distance - 0.4 * masker_db + 11,
        (0.4 * masker_db + 6) * distance,
        -17 * distance,
        (0.15 * masker_db - 17) * distance - 0.15 * masker_db,
    ]
    return np.select(pieces, values, -np.inf)


def tonal(levels_db: Rows, tonal_db: float) -> NDArray[np.bool_]:
    """Bands [frames, bands] that rise above both neighbours by tonal_db; beyond the ends there is silence."""
    padded = np.pad(levels_db, ((0, 0), (1, 1)), constant_values=-np.inf)
    found: NDArray[np.bool_] = levels_db - np.maximum(padded[:, :-2], padded[:, 2:]) >= tonal_db
    return found


def simultaneous_db(levels_db: Rows, centres_hz: Rows, tonal_db: float) -> Rows:
    """Threshold of each band in each frame, from quiet and from all other bands: powers add. [frames, bands].

    A band above its threshold in quiet, at z Bark, masks by its level, the spread, and -6.025 - 0.275 z when it is
    tonal, or else -2.025 - 0.175 z.
    """
    z, quiet = bark(centres_hz), quiet_db(centres_hz)
    index = np.where(tonal(levels_db, tonal_db), -6.025 - 0.275 * z, -2.025 - 0.175 * z)
    heard = levels_db >= quiet
    power = np.tile(10 ** (quiet / 10), (len(levels_db), 1))
    for masker in range(len(z)):
        own_db = levels_db[:, masker, np.newaxis]  # [frames, 1]
        masked_db = own_db + index[:, masker, np.newaxis] + spread_db(z - z[masker], own_db)  # [frames, bands]
        masked_db[:, masker] = -np.inf
        masked_db[~heard[:, masker]] = -np.inf
        power += 10 ** (masked_db / 10)
    threshold: Rows = 10 * np.log10(power)
    return threshold


def forward_db(levels_db: Rows, decay: float) -> Rows:
    """Threshold that the frames before leave: M_m = decay * max(M_(m-1), e_(m-1)), M_0 = 0; of levels >= 0.

    Both [frames, bands].
    """
    threshold = np.zeros_like(levels_db)
    for m in range(1, len(levels_db)):
        threshold[m] = decay * np.maximum(threshold[m - 1], levels_db[m - 1])
    return threshold
