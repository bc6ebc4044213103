"""The reference network: shapes, gradients, memory, and what a summed picture cannot tell."""

import subprocess
import sys

import pytest
import torch
from spikingjelly.activation_based import functional

from neurodata import registry
from neurodata.errors import MissingExtraError, RecipeError, SignalError
from neurodata.models import spikingjelly
from neurodata.models.csnn import build

torch.set_num_threads(1)

TINY = {"channels": (4, 4, 4)}


def counts(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.poisson(torch.full(shape, 0.3), generator=torch.Generator().manual_seed(seed))


def lively(shape: tuple[int, ...], n_classes: int) -> torch.nn.Module:
    """A network that fires although it has learned nothing yet."""
    return build(shape, n_classes, v_threshold=0.05, seed=0).eval()


def test_the_registry_finds_the_network_by_its_file_name() -> None:
    assert registry.models["csnn"] is build


@pytest.mark.parametrize(
    ("shape", "pooling"),
    [
        ((10, 2, 34, 34), 1),  # N-MNIST
        ((16, 2, 128, 128), 4),  # DVS Gesture
        ((3, 2, 180, 240), 8),  # N-Caltech101: neither side is divisible
        ((2, 1, 7, 5), 1),  # smaller than the read-out's grid after pooling
        ((1, 1, 1, 1), 1),  # one pixel, one time step
        ((2, 2, 35, 34), 2),  # one pixel too many
    ],
)
def test_scores_have_time_batch_and_classes(shape: tuple[int, ...], pooling: int) -> None:
    n_steps, *frame = shape
    network = build(shape, 11, seed=0, **TINY)
    assert network.pooling == pooling
    scores = network(counts(n_steps, 3, *frame))
    assert scores.shape == (n_steps, 3, 11)
    assert scores.dtype == torch.float32


def test_pooling_adds_counts_up_and_keeps_incomplete_windows() -> None:
    network = build((1, 1, 3, 5), 2, max_side=3, tau_syn=(), seed=0, **TINY).eval()
    frames = torch.arange(15.0).view(1, 1, 1, 3, 5)
    pooled = network._input(frames).squeeze() * (1 + network.scale.eps) ** 0.5  # fresh batch norm is the identity
    sums = torch.tensor([[0 + 1 + 5 + 6, 2 + 3 + 7 + 8, 4 + 9], [10 + 11, 12 + 13, 14]], dtype=torch.float32)
    torch.testing.assert_close(pooled, sums.log1p())


def test_signed_inputs_keep_their_sign() -> None:
    network = build((2, 1, 8, 8), 3, **TINY)
    frames = torch.full((2, 1, 1, 8, 8), -5.0)
    frames[..., 0] = 5.0
    network.scale = torch.nn.Identity()
    current = network._input(frames)[:, :, :1]
    assert torch.equal(current[..., 0], torch.full_like(current[..., 0], 6.0).log())
    assert torch.equal(current[..., 1], -current[..., 0])


def test_traces_are_leaky_means_of_the_past() -> None:
    network = build((3, 1, 1, 1), 2, tau_syn=(2.0,), seed=0, **TINY).eval()
    frames = torch.expm1(torch.tensor([8.0, 0.0, 4.0])).view(3, 1, 1, 1, 1)
    current = network._input(frames).squeeze() * (1 + network.scale.eps) ** 0.5  # [T, (frame, trace)]
    torch.testing.assert_close(current[:, 1], torch.tensor([4.0, 2.0, 3.0]))


def test_every_parameter_gets_a_gradient() -> None:
    network = build((6, 2, 16, 16), 3, seed=0)
    network(counts(6, 8, 2, 16, 16)).mean(0).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_time_constants_are_spread_over_the_channels_as_asked() -> None:
    network = build((2, 2, 8, 8), 2, tau_mem=(2.0, 8.0), seed=0, channels=(3, 2, 2))
    tau = 1 / network.lif1.w.sigmoid().flatten()
    torch.testing.assert_close(tau, torch.tensor([2.0, 4.0, 8.0]))


def test_the_order_of_the_frames_changes_the_scores() -> None:
    network = lively((8, 2, 12, 12), 2)
    frames = counts(8, 4, 2, 12, 12)
    forwards = network(frames).mean(0)
    functional.reset_net(network)
    backwards = network(frames.flip(0)).mean(0)
    assert (forwards - backwards).abs().max() > 1e-3


def test_neurons_at_rest_give_the_same_scores_again() -> None:
    network = lively((4, 2, 12, 12), 2)
    frames = counts(4, 2, 2, 12, 12)
    first = network(frames)
    carried_on = network(frames)
    functional.reset_net(network)
    assert not torch.equal(first, carried_on)
    assert torch.equal(first, network(frames))


def test_a_batch_gives_what_its_samples_give_alone() -> None:
    network = lively((4, 2, 12, 12), 3)
    frames = counts(4, 3, 2, 12, 12)
    together = network(frames)
    assert together.std() > 1e-3
    for i in range(3):
        functional.reset_net(network)
        torch.testing.assert_close(network(frames[:, i : i + 1]), together[:, i : i + 1], rtol=1e-4, atol=1e-5)


def test_dropout_leaves_out_the_same_units_at_all_time_steps() -> None:
    network = build((3, 2, 12, 12), 2, seed=0, dropout=0.5, **TINY)
    seen: list[torch.Tensor] = []
    network.readout.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.grid.register_forward_hook(lambda *_: torch.ones(3 * 5, 4, 4, 4))
    network(counts(3, 5, 2, 12, 12))
    assert torch.equal(seen[0][0], seen[0][1])
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}


def test_a_seed_gives_the_same_weights_and_leaves_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (build((2, 2, 8, 8), 2, seed=seed).conv1[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tau": 2.0}, r"csnn: unknown parameter tau; csnn takes: channels, max_side, tau_syn, tau_mem"),
        ({"channels": (8, 8)}, r"csnn: channels is \(8, 8\); expected three numbers above 0"),
        ({"tau_mem": (1.0, 4.0)}, r"csnn: tau_mem is \(1\.0, 4\.0\); expected two time constants above 1 time step"),
        ({"tau_syn": (0.5,)}, r"csnn: tau_syn is \(0\.5,\)"),
        ({"v_threshold": 0}, r"csnn: v_threshold is 0; expected a positive number"),
        ({"dropout": 1.0}, r"csnn: dropout is 1\.0"),
        ({"max_side": 0}, r"csnn: max_side is 0"),
        ({"channels": "few"}, r"csnn: a parameter is of the wrong type: .*channels='few'"),
    ],
)
def test_an_impossible_parameter_is_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build((2, 2, 8, 8), 2, **parameters)


@pytest.mark.parametrize(("shape", "n_classes"), [((2, 8, 8), 2), ((2, 2, 0, 8), 2), ((2, 2, 8, 8), 1)])
def test_an_impossible_shape_is_refused(shape: tuple[int, ...], n_classes: int) -> None:
    with pytest.raises(RecipeError, match=r"expected \(T, C, H, W\) and at least 2"):
        build(shape, n_classes)


def test_frames_of_another_shape_are_refused() -> None:
    network = build((2, 2, 8, 8), 2, seed=0, **TINY)
    with pytest.raises(SignalError, match=r"shape \[2, 1, 2, 8, 9\]; expected \[T, B, 2, 8, 8\]"):
        network(counts(2, 1, 2, 8, 9))


def test_without_spikingjelly_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spikingjelly.activation_based.neuron", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'neurodata-pipeline\[train\]'"):
        build((2, 2, 8, 8), 2)


def test_building_a_network_prints_nothing() -> None:
    program = "from neurodata.registry import models; models['csnn']((2, 2, 8, 8), 2)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_only_parts_of_activation_based_are_imported() -> None:
    assert spikingjelly("neuron").__name__ == "spikingjelly.activation_based.neuron"
