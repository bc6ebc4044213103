"""The learnable event spike tensor: its definition, the fixed encoding, gradients, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

import neurodata
from neurodata import registry
from neurodata.encodings.est import EventSpikeTensor, reference
from neurodata.errors import RecipeError
from neurodata.models import EventBatch, LearnableEventSpikeTensor
from neurodata.models._est import fit_trilinear, normalised_times, trilinear
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays, sensors

torch.set_num_threads(1)

sizes = st.sampled_from([2, 3, 9])


@st.composite
def batches(draw: st.DrawFn, sensor: Sensor | None = None) -> list[EventArray]:
    one_sensor = sensor or draw(sensors)
    return draw(st.lists(event_arrays(one_sensor, max_events=30), min_size=1, max_size=3))


@cache
def fitted(T: int) -> LearnableEventSpikeTensor:
    return LearnableEventSpikeTensor(T).double()


@cache
def exact(T: int) -> LearnableEventSpikeTensor:
    """The layer with weights, found by hand, that make its kernel the trilinear one.

    relu(u) = (leaky(u) + 0.1 leaky(-u)) / 0.99, and with h = 1 / (T - 1),
    trilinear(u) = (relu(u + h) - 2 relu(u) + relu(u - h)) / h.
    """
    layer = deepcopy(fitted(T))
    first, _, second, _, third = layer.kernel
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    h = 1 / (T - 1)
    with torch.no_grad():
        for pair, (shift, share) in enumerate([(h, 1), (0, -2), (-h, 1)]):
            first.weight[2 * pair : 2 * pair + 2, 0] = torch.tensor([1.0, -1.0])
            first.bias[2 * pair : 2 * pair + 2] = torch.tensor([shift, -shift])
            second.weight[0, 2 * pair : 2 * pair + 2] = share / h / 0.99 * torch.tensor([1, 0.1], dtype=torch.float64)
        third.weight[0, 0] = 1
    return layer


def stacked(encodings: Sequence[np.ndarray]) -> Tensor:
    """Fixed encodings [T, C, H, W] in the order of channels of the layer: [B, C * T, H, W]."""
    return torch.from_numpy(np.stack(encodings)).double().transpose(1, 2).flatten(1, 2)


def events_of(t: list[int], p: list[int], sensor: Sensor | None = None) -> EventArray:
    zeros = np.zeros(len(t), np.uint16)
    return EventArray(np.array(t, np.int64), zeros, zeros, np.array(p, np.bool_), sensor or Sensor(1, 1))


def test_it_is_no_model_that_could_be_trained_on_a_store() -> None:
    assert "est" not in registry.models


@given(samples=batches(), T=sizes)
def test_with_the_trilinear_kernel_it_is_the_fixed_encoding(samples: list[EventArray], T: int) -> None:
    tensor = exact(T)(EventBatch.of(samples))
    definition = stacked([reference(events, T) for events in samples])
    torch.testing.assert_close(tensor, definition, rtol=0, atol=1e-12)
    encoded = stacked([EventSpikeTensor(T)(events) for events in samples])
    torch.testing.assert_close(tensor, encoded, rtol=60 / 2**24, atol=1e-7)


@given(samples=batches(), T=sizes)
def test_it_equals_the_definition_event_by_event(samples: list[EventArray], T: int) -> None:
    """With a kernel that is not the trilinear one, nor symmetric."""
    layer = unlike_trilinear(T)
    batch = EventBatch.of(samples)
    s = normalised_times(batch)
    expected = torch.zeros(len(samples), batch.sensor.polarities * T, batch.sensor.height, batch.sensor.width).double()
    for i in range(len(batch)):
        for n in range(T):
            value = s[i] * layer.kernel((s[i] - n / (T - 1)).view(1, 1)).item()
            expected[batch.sample[i], int(batch.p[i]) * T + n, batch.y[i], batch.x[i]] += value
    torch.testing.assert_close(layer(batch), expected, rtol=1e-12, atol=1e-12)


@cache
def unlike_trilinear(T: int) -> LearnableEventSpikeTensor:
    layer = deepcopy(fitted(T))
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return layer


@pytest.mark.parametrize(
    ("t_us", "expected"),
    [
        ([0, 10, 40], [0.125, 0.125, 1]),  # s = 0, 1/4, 1; points at 0, 1/2, 1
        ([3], [0, 0, 0]),  # no duration: s = 0
        ([3, 3], [0, 0, 0]),
        ([], [0, 0, 0]),
        ([-(2**62), 2**62 - 1], [0, 0, 1]),  # the longest recording
    ],
)
def test_tensors_by_hand(t_us: list[int], expected: list[float]) -> None:
    neighbour = events_of([0, 7], [0, 0])  # another clock in the same batch changes nothing
    tensor = exact(3)(EventBatch.of([neighbour, events_of(t_us, [1] * len(t_us))]))
    torch.testing.assert_close(tensor[1].flatten(), torch.tensor([0, 0, 0, *expected], dtype=torch.float64))
    torch.testing.assert_close(tensor[0].flatten(), torch.tensor([0, 0, 1, 0, 0, 0], dtype=torch.float64))


def test_a_sensor_of_one_polarity_has_one_channel() -> None:
    batch = EventBatch.of([events_of([0, 4, 4], [0, 0, 1], Sensor(1, 1, polarities=1))])
    torch.testing.assert_close(exact(2)(batch).flatten(), torch.tensor([0, 2], dtype=torch.float64))


def test_a_batch_of_empty_samples_gives_zeros_and_zero_gradients() -> None:
    layer = deepcopy(fitted(2)).float()
    tensor = layer(EventBatch.of([EventArray.empty(Sensor(3, 2))] * 2))
    assert torch.equal(tensor, torch.zeros(2, 4, 2, 3))
    tensor.sum().backward()
    assert all(not parameter.grad.any() for parameter in layer.parameters())


@given(samples=batches(Sensor(6, 5)), T=sizes, right=st.integers(0, 3), down=st.integers(0, 3))
def test_moved_events_move_the_tensor(samples: list[EventArray], T: int, right: int, down: int) -> None:
    larger = Sensor(9, 8)
    still = EventBatch.of([EventArray(e.t, e.x, e.y, e.p, larger) for e in samples])
    moved = replace(still, x=still.x + right, y=still.y + down)
    expected = fitted(T)(still).roll((down, right), (2, 3))
    assert torch.equal(fitted(T)(moved), expected)


@given(samples=batches(), T=sizes, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_events_does_not_matter(samples: list[EventArray], T: int, seed: int) -> None:
    batch = EventBatch.of(samples)
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed))
    shuffled = replace(batch, **{name: getattr(batch, name)[order] for name in ("t", "x", "y", "p", "sample")})
    torch.testing.assert_close(fitted(T)(shuffled), fitted(T)(batch), rtol=1e-12, atol=1e-12)


@given(samples=batches(), T=sizes)
def test_a_sample_does_not_see_its_batch(samples: list[EventArray], T: int) -> None:
    alone = torch.cat([fitted(T)(EventBatch.of([events])) for events in samples])
    torch.testing.assert_close(fitted(T)(EventBatch.of(samples)), alone, rtol=1e-12, atol=1e-12)


@given(samples=batches(), T=sizes, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(samples: list[EventArray], T: int, offset_us: int) -> None:
    batch = EventBatch.of(samples)
    assert torch.equal(fitted(T)(replace(batch, t=batch.t + offset_us)), fitted(T)(batch))


def test_gradients_of_the_kernel_are_those_of_finite_differences() -> None:
    layer = deepcopy(fitted(3))
    rng = np.random.default_rng(0)
    sensor = Sensor(2, 1)
    x = rng.integers(0, 2, 6).astype(np.uint16)
    events = EventArray(np.arange(6) ** 2, x, np.zeros_like(x), rng.random(6) < 0.5, sensor)
    batch = EventBatch.of([events, EventArray.empty(sensor), events[2:4]])
    names, weights = zip(*layer.named_parameters(), strict=True)

    def tensor(*values: Tensor) -> Tensor:
        return functional_call(layer, dict(zip(names, values, strict=True)), (batch,))

    assert torch.autograd.gradcheck(tensor, weights)


def test_the_kernel_learns_with_what_stands_behind_it() -> None:
    """To count events instead of weighing them by time, at the points nearest to them."""
    torch.manual_seed(0)
    layer = LearnableEventSpikeTensor(3)
    rng = np.random.default_rng(0)
    zeros = np.zeros(200, np.uint16)
    batch = EventBatch.of([EventArray(np.sort(rng.integers(0, 999, 200)), zeros, zeros, zeros > 0, Sensor(1))] * 2)
    wanted = torch.tensor([50.0, 100.0, 50.0])
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (layer(batch)[:, :3].flatten(1) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 500
    assert losses[-1] < losses[0] / 100


@pytest.mark.parametrize("T", [2, 9, 32])
def test_the_kernel_starts_within_2_hundredths_of_the_trilinear_one(T: int) -> None:
    offsets = torch.linspace(-1, 1, 9001).unsqueeze(1)  # a grid that the fit does not know
    error = (fit_trilinear(T, seed=3)(offsets) - trilinear(offsets, T)).abs().max()
    assert error < 0.02


def test_the_trilinear_kernel_by_hand() -> None:
    offsets = torch.tensor([-1, -0.25, -0.125, 0, 0.0625, 0.25, 0.5])
    assert trilinear(offsets, 5).tolist() == [0, 0, 0.5, 1, 0.75, 0, 0]


def test_the_start_follows_from_the_seed_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    with torch.no_grad():  # as some build their networks
        one, same, other = (LearnableEventSpikeTensor(2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), undisturbed)
    states = [layer.state_dict() for layer in (one, same, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["kernel.0.weight"], states[2]["kernel.0.weight"])
    assert all(parameter.requires_grad and parameter.grad is None for parameter in one.parameters())


def test_the_kernel_has_the_layers_of_the_authors() -> None:
    assert str(fitted(2)).splitlines() == [
        "LearnableEventSpikeTensor(",
        "  T=2",
        "  (kernel): Sequential(",
        "    (0): Linear(in_features=1, out_features=30, bias=True)",
        "    (1): LeakyReLU(negative_slope=0.1)",
        "    (2): Linear(in_features=30, out_features=30, bias=True)",
        "    (3): LeakyReLU(negative_slope=0.1)",
        "    (4): Linear(in_features=30, out_features=1, bias=True)",
        "  )",
        ")",
    ]


def test_autocast_does_not_coarsen_the_tensor() -> None:
    layer = deepcopy(fitted(9)).float()
    batch = EventBatch.of([events_of([0, 1, 3], [0, 1, 1])])
    with torch.autocast("cpu", torch.bfloat16):
        tensor = layer(batch)
    torch.testing.assert_close(tensor, fitted(9)(batch).float(), rtol=0, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_is_the_same() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 8, 5000).astype(np.uint16) for _ in range(2))
    sensor = Sensor(8, 8)
    events = EventArray(np.sort(rng.integers(0, 9999, 5000)), x, y, rng.random(5000) < 0.5, sensor)
    batch = EventBatch.of([events, EventArray.empty(sensor), events[100:900]])
    layer = deepcopy(fitted(9))
    expected = layer(batch)
    on_gpu = layer.to("cuda")(batch.to("cuda"))
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), expected, rtol=1e-10, atol=1e-10)
    on_gpu.sum().backward()


@pytest.mark.parametrize("T", [1, 0, -3])
def test_less_than_two_points_are_refused(T: int) -> None:
    with pytest.raises(RecipeError, match=f"learnable est: T is {T}; expected at least 2"):
        LearnableEventSpikeTensor(T)


def test_a_real_recording_gives_the_fixed_encoding(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    tensor = exact(9)(EventBatch.of([events]))
    torch.testing.assert_close(tensor, stacked([reference(events, 9)]), rtol=0, atol=1e-10)
