"""Event spike tensor with a learned kernel: the first layer of a network that takes events.

D. Gehrig, A. Loquercio, K. G. Derpanis, D. Scaramuzza, "End-to-end learning of representations for asynchronous
event-based data", ICCV 2019 (arXiv:1904.08245). As in the authors' published code, the kernel is a perceptron
1-30-30-1 with leaky ReLU of slope 0.1 that starts from the trilinear kernel (`encodings.est`), fitted by Adam. Their
fit draws new points in each of 1000 steps and its learning rate was not verified here; ours is on a fixed grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from neurodata.errors import SignalError
from neurodata.signals import EventArray, Sensor

WIDTH = 30
SLOPE = 0.1
FIT_STEPS = 1000
FIT_POINTS = 2001
FIT_LEARNING_RATE = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """The events of some samples, one after the other.

    Parameters
    ----------
    s
        Normalised times, 0 at the first event of a sample and 1 at its last (0 where it has no duration), float32 [n].
    place
        Place of each event in a frame [C, H, W], in C order, int64 [n].
    sample
        Number of the sample that each event belongs to, int64 [n].
    n_samples, sensor
        How many samples there are (some may be empty), and the pixel grid of all of them.
    """

    s: Tensor
    place: Tensor
    sample: Tensor
    n_samples: int
    sensor: Sensor

    @classmethod
    def from_events(cls, samples: Sequence[EventArray]) -> EventBatch:
        """The batch of these samples.

        Raises
        ------
        SignalError
            When there are none, or their sensors differ.
        """
        sensors = {events.sensor for events in samples}
        if len(sensors) != 1:
            found = ", ".join(sorted(map(str, sensors))) or "no samples"
            raise SignalError(f"an event batch takes samples of one sensor; found {found}")
        (sensor,) = sensors
        s = [(events.t - events.t[:1]) / max(events.duration_us, 1) for events in samples]
        place = [_places(events) for events in samples]
        sample = np.repeat(np.arange(len(samples)), [len(events) for events in samples])
        return cls(
            torch.from_numpy(np.concatenate(s).astype(np.float32)),
            torch.from_numpy(np.concatenate(place)),
            torch.from_numpy(sample.astype(np.int64)),
            len(samples),
            sensor,
        )

    def to(self, device: str | torch.device) -> EventBatch:
        """The same batch on that device."""
        s, place, sample = (tensor.to(device) for tensor in (self.s, self.place, self.sample))
        return EventBatch(s, place, sample, self.n_samples, self.sensor)


class LearnedKernel(nn.Module):
    """A function of time, float [n] to float [n], that is the trilinear kernel until it is trained.

    Parameters
    ----------
    T
        Points in time; the kernel it starts from is max(0, 1 - (T - 1) |u|).
    seed
        From which the weights before the fit are drawn: equal seeds give equal modules, on one machine and torch.
    """

    def __init__(self, T: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [nn.Linear(1, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)]
        activation = nn.LeakyReLU(SLOPE)
        self.layers = nn.Sequential(layers[0], activation, layers[1], activation, layers[2])
        self._fit(T)

    def forward(self, u: Tensor) -> Tensor:
        """The kernel at times u, any shape."""
        values: Tensor = self.layers(u.unsqueeze(-1))
        return values.squeeze(-1)

    def _fit(self, T: int) -> None:
        """Adam on the squared distance to the trilinear kernel, over all times that can occur, -1 to 1."""
        u = torch.linspace(-1, 1, FIT_POINTS)
        wanted = trilinear(u, T)
        optimiser = torch.optim.Adam(self.parameters(), lr=FIT_LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, FIT_STEPS)
        with torch.enable_grad():
            for _ in range(FIT_STEPS):
                optimiser.zero_grad()
                loss = torch.mean((self(u) - wanted) ** 2)
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
                optimiser.step()
                schedule.step()
        self.zero_grad()


class LearnableEventSpikeTensor(nn.Module):
    """Sums over events of s k(s - c / (T - 1)) at T points in time, with a kernel k that is learned.

    Parameters
    ----------
    T
        Points in time, at least 2; the paper's C, there 9.
    kernel
        From float [n] to float [n]; a `LearnedKernel` by default.

    Examples
    --------
    >>> import numpy as np
    >>> from neurodata.models import EventBatch, LearnableEventSpikeTensor
    >>> from neurodata.signals import EventArray, Sensor
    >>> x = y = np.zeros(3, np.uint16)
    >>> events = EventArray(np.array([0, 50, 100]), x, y, np.ones(3, bool), Sensor(4, 4))
    >>> layer = LearnableEventSpikeTensor(T=3)
    >>> layer(EventBatch.from_events([events])).shape
    torch.Size([1, 3, 2, 4, 4])
    """

    def __init__(self, T: int = 9, kernel: nn.Module | None = None) -> None:
        super().__init__()
        if T < 2:
            raise SignalError(f"LearnableEventSpikeTensor: T is {T}; expected at least 2")
        self.T = T
        self.kernel = LearnedKernel(T) if kernel is None else kernel

    def forward(self, batch: EventBatch) -> Tensor:
        """The tensors of a batch, [B, T, C, H, W] in the type of its times, on its device.

        The authors put polarity before time and both into one axis: `.transpose(1, 2).flatten(1, 2)`.
        """
        sensor = batch.sensor
        shape = (batch.n_samples, self.T, sensor.polarities, sensor.height, sensor.width)
        n_places = sensor.polarities * sensor.height * sensor.width
        tensor = batch.s.new_zeros(batch.n_samples * self.T * n_places)
        first = batch.sample * (self.T * n_places) + batch.place
        for c in range(self.T):
            values = batch.s * self.kernel(batch.s - c / (self.T - 1))
            tensor = tensor.index_add(0, first + c * n_places, values)
        return tensor.view(shape)


def trilinear(u: Tensor, T: int) -> Tensor:
    """The kernel max(0, 1 - (T - 1) |u|)."""
    return torch.clamp(1 - (T - 1) * u.abs(), min=0)


def _places(events: EventArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    channel = events.p.astype(np.int64) if events.sensor.polarities == 2 else np.zeros(len(events), np.int64)
    return (channel * events.sensor.height + events.y) * events.sensor.width + events.x
