"""How fast values become spikes, next to the encoders of SpikingJelly and snnTorch.

    python -m benchmarks.encodings_static [--samples 256] [--values 784] [--steps 16] [--rounds 15] [--json FILE]

A batch of random values in memory. Peers run where they are installed (spikingjelly; snntorch), with torch's own number
of threads, and make float32 where ours is bool. Delta codes take the batch as one series of so many channels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import medians_s, write_report
from neurodata.draws import splitmix64
from neurodata.encodings.rate import rate_spikes
from neurodata.encodings.send_on_delta import SendOnDelta
from neurodata.encodings.simple_delta import SimpleDelta
from neurodata.encodings.ttfs import Ttfs
from neurodata.signals import Series

Encoder = Callable[[], object]


def our_encoders(values: NDArray[np.float32], T: int) -> dict[str, dict[str, Encoder]]:
    """For each code, our encoders by name: the first is a call, which makes an array."""
    keys = splitmix64(0, len(values))
    given = np.empty((len(values), T, values.shape[1]), np.bool_)
    series = Series(values, 1.0)
    return {
        "rate": {
            "neurodata": lambda: rate_spikes(values, T, keys),
            "neurodata, two threads": lambda: rate_spikes(values, T, keys, 2),
            "neurodata, given an array": lambda: rate_spikes(values, T, keys, 1, given),
            "filling the output": lambda: given.fill(True),
        },
        "latency": {"neurodata": lambda: Ttfs(T)(series)},
        "latency rc": {"neurodata": lambda: Ttfs(T, "rc", tau=1.0, threshold=0.01)(series)},
        "delta": {"neurodata": lambda: SimpleDelta(0.1)(series)},
        "send on delta": {"neurodata": lambda: SendOnDelta(0.1)(series)},
    }


def spikingjelly_encoders(values: NDArray[np.float32], T: int) -> dict[str, Encoder]:
    """Its encoders of rate and latency, all T steps of a batch."""
    torch, encoding = import_module("torch"), import_module("spikingjelly.activation_based.encoding")
    batch = torch.from_numpy(values)
    poisson = encoding.PoissonEncoder()
    latency = encoding.LatencyEncoder(T)

    def rate() -> object:
        return torch.stack([poisson(batch) for _ in range(T)])

    return {"rate": rate, "latency": lambda: latency.single_step_encode(batch)}


def snntorch_encoders(values: NDArray[np.float32], T: int) -> dict[str, Encoder]:
    """`spikegen`'s of rate, latency and delta."""
    torch, spikegen = import_module("torch"), import_module("snntorch.spikegen")
    batch = torch.from_numpy(values)
    return {
        "rate": lambda: spikegen.rate(batch, num_steps=T),
        "latency": lambda: spikegen.latency(batch, num_steps=T, normalize=True, linear=True),
        "latency rc": lambda: spikegen.latency(batch, num_steps=T, tau=1, threshold=0.01, bypass=True, clip=True),
        "delta": lambda: spikegen.delta(batch, threshold=0.1, off_spike=True),
    }


PEERS = (("spikingjelly", spikingjelly_encoders), ("snntorch", snntorch_encoders))


def measured(n: int, m: int, T: int, rounds: int) -> list[dict[str, Any]]:
    values = np.random.default_rng(0).random((n, m), np.float32)
    groups = our_encoders(values, T)
    for peer, load in PEERS:
        try:
            encoders = load(values, T)
        except ImportError as error:
            print(f"{peer}: absent ({error})", file=sys.stderr)
        else:
            for code, encoder in encoders.items():
                groups[code][peer] = encoder
    rows = []
    for code, candidates in groups.items():
        for call in candidates.values():
            call()
        seconds = medians_s(candidates, rounds)
        n_encoded = n * m * (1 if "delta" in code else T)
        for name, median_s in seconds.items():
            row = {"code": code, "encoder": name, "mvalues_per_s": n_encoded / median_s / 1e6}
            rows.append(row | {"ours_is_times_faster": median_s / seconds["neurodata"]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--values", type=int, default=784)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measured(options.samples, options.values, options.steps, options.rounds)
    print(f"{'code':16}{'encoder':28}{'Mvalues/s':>10}{'ours is x faster':>18}")
    for row in rows:
        print(f"{row['code']:16}{row['encoder']:28}{row['mvalues_per_s']:10.1f}{row['ours_is_times_faster']:18.2f}")
    if options.json:
        settings = {"samples": options.samples, "values": options.values, "steps": options.steps}
        write_report(options.json, rows, rounds=options.rounds, **settings)


if __name__ == "__main__":
    main()
