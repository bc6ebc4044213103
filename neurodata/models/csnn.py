"""CSNN: a small convolutional network of leaky integrate-and-fire neurons, for event frames and little data.

    counts [T, B, C, H, W]
      -> sum-pool to at most `max_side` pixels -> log(1 + |count|), signed
      -> the frame beside its slow copies (leaky traces, `tau_syn`) -> batch norm
      -> conv 5x5 / 2 -> batch norm -> LIF
      -> conv 3x3 / 2 -> batch norm -> LIF
      -> conv 3x3     -> batch norm -> LIF
      -> average over a 4x4 grid -> dropout (same units at all time steps) -> linear
    scores [T, B, n_classes]; their mean over time decides.

Counts of a time step run from 0 to hundreds, depending on sensor, pooling and T. The logarithm tames hot
pixels and busy recordings; the batch norm behind it learns the scale, so that nothing has to be set by hand.

Two movements that leave the same picture when summed over time (clockwise and counter-clockwise) differ
only in what came first. The traces put the recent past beside the present, so that the first convolution
sees differences in time; within a layer, time constants run from fast to slow and are learned per channel.

The neuron is NIR's LIF (Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9) with r = 1 and v_leak = 0, in
steps of one time step: v += (i - v) / tau_mem, a spike where v >= v_threshold, then v -= v_threshold. Time
constants are learned as by Fang et al. 2021 (arXiv:2007.05785); ATan is the surrogate gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from neurodata.errors import RecipeError, SignalError
from neurodata.models import spikingjelly

GRID = 4  # the read-out sees where spikes are on a 4x4 grid


@dataclass(frozen=True, slots=True)
class Parameters:
    """What can be chosen about the network; checked at construction.

    Parameters
    ----------
    channels
        Channels of the three convolutions.
    max_side
        Pixels of the longer side that the network computes on; larger sensors are sum-pooled by the smallest
        whole factor that gets there (34x34 stays, 128x128 becomes 32x32).
    tau_syn
        Time constants, in time steps and above 1, of the leaky traces beside each frame; may be empty.
    tau_mem
        Fastest and slowest membrane time constant in a layer at the start, in time steps and above 1; the
        channels are spread between them geometrically. They are learned.
    v_threshold
        Membrane potential at which a neuron fires.
    v_reset
        Potential after a spike; None takes `v_threshold` off, which keeps what was beyond it.
    dropout
        Part of the read-out's inputs that training leaves out, 0 <= dropout < 1.

    Raises
    ------
    RecipeError
        When a value is out of range.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    max_side: int = 34
    tau_syn: tuple[float, ...] = (2.0, 4.0)
    tau_mem: tuple[float, ...] = (1.25, 4.0)
    v_threshold: float = 1.0
    v_reset: float | None = None
    dropout: float = 0.3

    def __post_init__(self) -> None:
        for name, (holds, expected) in self._requirements().items():
            if not holds:
                raise RecipeError(f"csnn: {name} is {getattr(self, name)!r}; expected {expected}")

    def _requirements(self) -> dict[str, tuple[bool, str]]:
        try:
            return {
                "channels": (len(self.channels) == 3 and min(self.channels) >= 1, "three numbers above 0"),
                "max_side": (self.max_side >= 1, "at least 1 pixel"),
                "tau_syn": (min(self.tau_syn, default=2) > 1, "time constants above 1 time step"),
                "tau_mem": (len(self.tau_mem) == 2 and min(self.tau_mem) > 1, "two time constants above 1 time step"),
                "v_threshold": (self.v_threshold > 0, "a positive number"),
                "dropout": (0 <= self.dropout < 1, "0 <= dropout < 1"),
            }
        except TypeError as error:
            raise RecipeError(f"csnn: a parameter is of the wrong type: {self}") from error


def build(shape: tuple[int, ...], n_classes: int, *, seed: int | None = None, **parameters: Any) -> CSNN:
    """A network for frames of this shape, with fresh weights.

    Parameters
    ----------
    shape
        (T, C, H, W) of one sample. The number of time steps is not built in: any T >= 1 may be given later.
    n_classes
        Number of scores.
    seed
        Of the first weights; None draws them from torch's global generator.
    **parameters
        Those of `Parameters`.

    Raises
    ------
    MissingExtraError
        When SpikingJelly is not installed.
    RecipeError
        When a parameter does not exist or is out of range.
    """
    if len(shape) != 4 or min(shape) < 1 or n_classes < 2:
        raise RecipeError(
            f"csnn: shape {shape} and {n_classes} classes; expected (T, C, H, W) and at least 2; for other frames and "
            "targets train a network of your own on Split.loader()"
        )
    known = [field.name for field in fields(Parameters)]
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise RecipeError(f"csnn: unknown parameter {', '.join(unknown)}; csnn takes: {', '.join(known)}")
    chosen = Parameters(**parameters)
    with torch.random.fork_rng(devices=(), enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return CSNN(shape, n_classes, chosen)


class CSNN(nn.Module):
    """The network of this file; made by `build`.

    Call it with float32 counts [T, B, C, H, W]; it gives scores, float32 [T, B, n_classes]. Neurons keep
    their state between calls: `spikingjelly.activation_based.functional.reset_net(network)` before each batch.
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, chosen: Parameters) -> None:
        super().__init__()
        self.frame_shape = tuple(shape[1:])  # (C, H, W)
        self.pooling = math.ceil(max(shape[2:]) / chosen.max_side)
        self.traces = nn.ModuleList(spikingjelly("neuron").NonSpikingLIFNode(float(tau)) for tau in chosen.tau_syn)
        n_inputs = shape[1] * (1 + len(chosen.tau_syn))
        first, second, third = chosen.channels
        self.scale = nn.BatchNorm2d(n_inputs)
        self.conv1 = _conv(n_inputs, first, kernel=5, stride=2)
        self.lif1 = _lif(first, chosen)
        self.conv2 = _conv(first, second, kernel=3, stride=2)
        self.lif2 = _lif(second, chosen)
        self.conv3 = _conv(second, third, kernel=3, stride=1)
        self.lif3 = _lif(third, chosen)
        self.grid = nn.AdaptiveAvgPool2d(GRID)
        self.dropout = nn.Dropout(chosen.dropout)
        self.readout = nn.Linear(third * GRID * GRID, n_classes)

    def forward(self, counts: Tensor) -> Tensor:
        """Scores at each time step, float32 [T, B, n_classes], for counts [T, B, C, H, W]."""
        if counts.ndim != 5 or tuple(counts.shape[2:]) != self.frame_shape:
            expected = ", ".join(map(str, self.frame_shape))
            raise SignalError(f"csnn: frames have the shape {list(counts.shape)}; expected [T, B, {expected}]")
        current = self._input(counts)  # [T, B, C * (1 + traces), h, w]
        spikes = self.lif1(_each_step(self.conv1, current))
        spikes = self.lif2(_each_step(self.conv2, spikes))
        spikes = self.lif3(_each_step(self.conv3, spikes))  # [T, B, third, h/4, w/4]
        rates = _each_step(self.grid, spikes).flatten(2)  # [T, B, third * 16]
        kept: Tensor = self.dropout(torch.ones_like(rates[0]))  # [B, third * 16]
        scores: Tensor = self.readout(rates * kept)
        return scores

    def _input(self, counts: Tensor) -> Tensor:
        frames = counts.flatten(0, 1)
        if self.pooling > 1:
            frames = avg_pool2d(frames, self.pooling, ceil_mode=True, divisor_override=1)
        # Signed inputs, such as voxel grids, keep their sign.
        frames = torch.copysign(frames.abs().log1p(), frames).view(
            *counts.shape[:3], *frames.shape[2:]
        )  # [T, B, C, h, w]
        slow = [torch.stack(trace(frames)) for trace in self.traces]
        return _each_step(self.scale, torch.cat([frames, *slow], dim=2))


def _conv(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out))


def _lif(n_channels: int, chosen: Parameters) -> nn.Module:
    neuron: nn.Module = spikingjelly("neuron").ParametricLIFNode(
        decay_input=True,
        v_threshold=float(chosen.v_threshold),
        v_reset=None if chosen.v_reset is None else float(chosen.v_reset),
        surrogate_function=spikingjelly("surrogate").ATan(),
        detach_reset=True,
        step_mode="m",
    )
    fastest, slowest = chosen.tau_mem
    tau = torch.logspace(math.log10(fastest), math.log10(slowest), n_channels)
    # SpikingJelly learns w with 1 / tau = sigmoid(w), one for the layer; here it is one per channel.
    neuron.w = nn.Parameter(-(tau - 1).log().view(n_channels, 1, 1))
    return neuron


def _each_step(module: nn.Module, sequence: Tensor) -> Tensor:
    """Apply a module without memory to all time steps of [T, B, ...] at once."""
    output: Tensor = module(sequence.flatten(0, 1))
    return output.view(*sequence.shape[:2], *output.shape[1:])
