from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from neurodata.encodings.est import EventSpikeTensor, reference
from neurodata.errors import SignalError
from neurodata.models import EventBatch, LearnableEventSpikeTensor
from neurodata.models._est import LearnedKernel, trilinear
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays


class Trilinear(nn.Module):
    """The kernel that is not learned."""

    def __init__(self, T: int) -> None:
        super().__init__()
        self.T = T

    def forward(self, u: Tensor) -> Tensor:
        return trilinear(u, self.T)


SENSOR = Sensor(6, 5)


def some_events(n: int, sensor: Sensor = SENSOR, seed: int = 0) -> EventArray:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, size, n).astype(np.uint16) for size in (sensor.width, sensor.height))
    return EventArray(np.sort(rng.integers(0, 1000, n)), x, y, rng.integers(0, 2, n).astype(bool), sensor)


def in_double(batch: EventBatch) -> EventBatch:
    return EventBatch(batch.s.double(), batch.place, batch.sample, batch.n_samples, batch.sensor)


@settings(deadline=None, max_examples=50)
@given(st.lists(event_arrays(Sensor(4, 3)), min_size=1, max_size=4), st.integers(2, 6))
def test_with_the_trilinear_kernel_it_is_the_fixed_encoding(samples: list[EventArray], T: int) -> None:
    tensors = LearnableEventSpikeTensor(T, Trilinear(T))(EventBatch.from_events(samples)).numpy()
    assert tensors.shape == (len(samples), T, 2, 3, 4)
    for tensor, events in zip(tensors, samples, strict=True):
        np.testing.assert_allclose(tensor, EventSpikeTensor(T)(events), atol=1e-5 * max(1, len(events)))
        np.testing.assert_allclose(tensor, reference(events, T), atol=1e-5 * max(1, len(events)))


@pytest.mark.parametrize("T", [2, 5, 9])
def test_it_starts_from_the_trilinear_kernel(T: int) -> None:
    u = torch.linspace(-1, 1, 777)
    error = (LearnedKernel(T)(u) - trilinear(u, T)).abs()
    assert error.max() < 0.1
    assert error.mean() < 0.01


def test_equal_seeds_give_equal_kernels_and_leave_torchs_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, other, third = LearnedKernel(5, seed=1), LearnedKernel(5, seed=1), LearnedKernel(5, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [torch.cat([weight.flatten() for weight in kernel.parameters()]) for kernel in (one, other, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_gradients_are_those_of_finite_differences() -> None:
    layer = LearnableEventSpikeTensor(3).double()
    batch = in_double(EventBatch.from_events([some_events(5), some_events(0), some_events(1)]))
    names, weights = zip(*layer.named_parameters(), strict=True)

    def output(*changed: Tensor) -> Tensor:
        result = torch.func.functional_call(layer, dict(zip(names, changed, strict=True)), (batch,))
        assert isinstance(result, Tensor)
        return result

    # Kinks of the leaky ReLU are met with probability zero.
    assert torch.autograd.gradcheck(output, tuple(weight.detach().requires_grad_() for weight in weights), eps=1e-7)


def test_training_moves_the_kernel_towards_what_is_asked_for() -> None:
    torch.manual_seed(0)
    layer = LearnableEventSpikeTensor(4)
    batch = EventBatch.from_events([some_events(200, seed=k) for k in range(4)])
    wanted = 2 * LearnableEventSpikeTensor(4, Trilinear(4))(batch)
    optimiser = torch.optim.Adam(layer.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = torch.mean((layer(batch) - wanted) ** 2)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10


def test_the_order_of_events_and_the_place_on_the_sensor_do_not_matter() -> None:
    layer = LearnableEventSpikeTensor(5)
    events = some_events(60, Sensor(5, 5))
    batch = EventBatch.from_events([events])
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    mixed = EventBatch(batch.s[shuffled], batch.place[shuffled], batch.sample[shuffled], 1, batch.sensor)
    torch.testing.assert_close(layer(mixed), layer(batch))
    wide = Sensor(7, 6)
    here, there = (EventArray(events.t, events.x + d, events.y + d, events.p, wide) for d in (0, 1))
    one, other = layer(EventBatch.from_events([here, there]))
    torch.testing.assert_close(other[..., 1:, 1:], one[..., :-1, :-1])


def test_corners_are_zeros_or_one_event() -> None:
    layer = LearnableEventSpikeTensor(3, Trilinear(3))
    one_polarity = Sensor(4, 1, 1)
    still = EventArray(np.full(3, 7), *np.zeros((2, 3), np.uint16), np.ones(3, bool), one_polarity)
    tensors = layer(EventBatch.from_events([EventArray.empty(one_polarity), still]))
    assert tensors.shape == (2, 3, 1, 1, 4)
    assert not tensors.any()  # no duration: s = 0


def test_samples_of_two_sensors_are_refused() -> None:
    with pytest.raises(SignalError, match="found 4x4x2, 6x5x2"):
        EventBatch.from_events([some_events(2), some_events(2, Sensor(4, 4))])
    with pytest.raises(SignalError, match="no samples"):
        EventBatch.from_events([])
    with pytest.raises(SignalError, match="T is 1"):
        LearnableEventSpikeTensor(1)
