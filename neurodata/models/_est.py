"""Event spike tensor with a learned kernel: a layer from events to frames, trained with the network behind it.

D. Gehrig, A. Loquercio, K. G. Derpanis, D. Scaramuzza, "End-to-end learning of representations for asynchronous
event-based data", ICCV 2019, arXiv:1904.08245. The encoding `est` is the same tensor with the trilinear kernel fixed.
This is no model of the registry: it takes events, where a model takes the frames of a store.

From the authors' code (rpg_event_representation_learning, utils/models.py): a kernel 1 -> 30 -> 30 -> 1 with leaky
ReLU of slope 0.1 between the layers, as their classifier sets it; the measurement s, on which the kernel is also
evaluated; T = 9; the order of channels; a start that is fitted to the trilinear kernel by 1000 steps of Adam. What the
text of the paper says of the kernel was not compared. Other than there:

- Times count from a sample's first event, not from the zero of its clock, as in the encoding: a sample without a
  duration gives zeros (there: s = 1, or a division by zero).
- Empty samples keep their place in the batch, as zeros (there they vanish, or shift the others).
- The fit takes fixed offsets, half of them where the kernel is not zero, and a learning rate that rises and falls
  (there: uniformly random offsets, constant 0.01). It stays within 0.02 of the trilinear kernel up to T = 32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurodata.models._event_batch import EventBatch
from neurodata.steps import check_range

N_HIDDEN = 30
SLOPE = 0.1  # of the leaky ReLU, for negative inputs
FIT_STEPS = 1000
FIT_RATE = 0.03  # the highest learning rate of the fit
N_OFFSETS = 256  # on the whole range, and as many about zero


class LearnableEventSpikeTensor(nn.Module):
    """Sums of normalised times, weighted by a learned kernel, at T points in time: [B, C * T, H, W].

    With s = (t - t_first) / (t_last - t_first) of each sample, V(b, c T + n, y, x) = sum over the events of a sample
    b, polarity c and pixel of s kernel(s - n / (T - 1)). Channels are those of OFF, first to last point in time, then
    those of ON, as the authors order them; `.unflatten(1, (C, T)).transpose(1, 2)` gives [B, T, C, H, W], as `est`.
    An empty sample, a single event and events at one time give zeros.

    The kernel starts as the trilinear one, max(0, 1 - (T - 1) |offset|), approximately; on one machine, always with
    the same weights. The tensor has the kernel's type and device; it is computed in that type under autocast too. The
    size of the sensor is that of the batch. The backward pass needs about 500 T bytes an event (float32).

    On a GPU, events are added in no particular order, so that sums differ in the last bits from run to run, unless
    `torch.use_deterministic_algorithms(True)` is set.

    Parameters
    ----------
    T
        Number of points in time, at least 2.
    seed
        Of the weights that the fit starts from; torch's global generator is left alone.

    Raises
    ------
    RecipeError
        When T is less than 2.

    Examples
    --------
    >>> import numpy as np
    >>> from neurodata.models import EventBatch, LearnableEventSpikeTensor
    >>> from neurodata.signals import EventArray, Sensor
    >>> sensor = Sensor(width=3, height=2)
    >>> t_us, x, y = np.array([100, 150, 200]), np.array([0, 1, 2], np.uint16), np.array([0, 0, 1], np.uint16)
    >>> events = EventArray(t_us, x, y, p=np.array([True, False, True]), sensor=sensor)
    >>> batch = EventBatch.of([events, EventArray.empty(sensor)])
    >>> batch
    EventBatch(3 events of 2 samples, 3x2x2, cpu)
    >>> layer = LearnableEventSpikeTensor(T=3)
    >>> tensor = layer(batch)
    >>> tensor.shape  # [B, C * T, H, W]
    torch.Size([2, 6, 2, 3])
    >>> tensor[0, :3, 0, 1].allclose(torch.tensor([0, 0.5, 0]), atol=0.02)  # OFF, in the middle: s = 0.5
    True
    >>> tensor.square().sum().backward()  # gradients of the kernel's weights
    """

    def __init__(self, T: int = 9, *, seed: int = 0) -> None:
        super().__init__()
        check_range("learnable est", "T", T, 2)
        self.T = T
        self.kernel = fit_trilinear(T, seed)

    def forward(self, events: EventBatch) -> Tensor:
        """The tensor [B, C * T, H, W] of a batch of events on the kernel's device."""
        sensor = events.sensor
        shape = (events.n_samples, sensor.polarities, self.T, sensor.height, sensor.width)
        parameter = next(self.kernel.parameters())
        s = normalised_times(events).to(parameter.dtype)  # [n]
        tensor = parameter.new_zeros(shape).flatten()
        channel = events.p * (sensor.polarities - 1)
        first = (((events.sample * shape[1] + channel) * shape[2]) * shape[3] + events.y) * shape[4] + events.x  # [n]
        with torch.autocast(s.device.type, enabled=False):
            for n in range(self.T):
                weight = self.kernel((s - n / (self.T - 1)).unsqueeze(1)).squeeze(1)  # [n]
                tensor.index_add_(0, first + n * sensor.height * sensor.width, s * weight)
        return tensor.view(shape).flatten(1, 2)

    def extra_repr(self) -> str:
        """What `print(layer)` shows beside the kernel."""
        return f"T={self.T}"


def normalised_times(events: EventBatch) -> Tensor:
    """Times from 0, at a sample's first event, to 1, at its last: float64 [n]; 0 where all are the same."""
    unset = events.t.new_zeros(events.n_samples)  # [B]; overwritten, but for empty samples
    first = unset.scatter_reduce(0, events.sample, events.t, "amin", include_self=False)
    last = unset.scatter_reduce(0, events.sample, events.t, "amax", include_self=False)
    duration = (last - first).clamp(min=1)
    return (events.t - first[events.sample]).double() / duration[events.sample].double()


def trilinear(offset: Tensor, T: int) -> Tensor:
    """max(0, 1 - (T - 1) |offset|), for distances in normalised time from one of T points."""
    return (1 - (T - 1) * offset.abs()).clamp(min=0)


def fit_trilinear(T: int, seed: int) -> nn.Sequential:
    """A kernel [n, 1] -> [n, 1], on the CPU, fitted to the trilinear one on offsets from -1 to 1; takes about 1 s."""
    with torch.random.fork_rng(devices=()), torch.device("cpu"), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        kernel = nn.Sequential(
            nn.Linear(1, N_HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(N_HIDDEN, N_HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(N_HIDDEN, 1),
        )
        support = min(1, 2 / (T - 1))  # evenly spread offsets alone would miss the narrow peak of a large T
        everywhere, inside = torch.linspace(-1, 1, N_OFFSETS), torch.linspace(-support, support, N_OFFSETS)
        offsets = torch.cat([everywhere, inside]).unsqueeze(1)  # [512, 1]
        wanted = trilinear(offsets, T)
        optimizer = torch.optim.Adam(kernel.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, FIT_RATE, total_steps=FIT_STEPS)
        for _ in range(FIT_STEPS):
            optimizer.zero_grad()
            (kernel(offsets) - wanted).square().mean().backward()
            optimizer.step()
            schedule.step()
        optimizer.zero_grad()
    return kernel
