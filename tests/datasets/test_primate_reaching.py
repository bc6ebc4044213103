from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import PARTITIONS, SampleRef, Twin, locate
from neurodata.datasets.primate_reaching import SESSIONS, VELOCITY, is_active, partition_of
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import Reading
from neurodata.forms import admits
from neurodata.signals import SpikeCounts
from tests.formats.matlab import Cell, level5, variable

DATASET = registry.datasets["primate-reaching"]
SIZE = 48
RECIPE = Path(__file__).parents[2] / "recipes" / "primate-reaching.toml"


def session(root: Path, name: str, target_x: list[float], n_units: int = 2, early: int = 0) -> Path:
    """A session of level 5 (no library needed) of one spike, in which the target stands at these places.

    So many more spikes lie before it.
    """
    n = len(target_x)
    t = 1288 + np.arange(n) * 0.004
    target = np.column_stack([target_x, np.zeros(n)])
    n_channels = 96 if name.startswith("indy") else 192
    cells = [np.array([[1287.9] * early + [1288.001]])] + [np.empty((0, 0))] * (n_channels * n_units - 1)
    variables = {
        "spikes": Cell((n_channels, n_units), cells), "t": t[:, None], "cursor_pos": target, "target_pos": target,
    }  # fmt: skip
    root.mkdir(parents=True, exist_ok=True)
    (root / f"{name}.mat").write_bytes(level5(*(variable(key, value) for key, value in variables.items())))
    return root


def test_samples_are_reaches_numbered_as_neurobench_does(tmp_path: Path) -> None:
    session(tmp_path / "data", "indy_20160630_01", [0, 1, 1, 1, 2, 2])  # the target moves after the first bin
    session(tmp_path / "data", "indy_20160622_01", [0, 0, 3, 3])
    session(tmp_path / "data", "indy_20161005_06", [0, 0, 3, 3])  # a session that NeuroBench does not take
    root = DATASET.find_root(tmp_path)
    assert root == tmp_path / "data"
    samples = DATASET.samples(root)
    at = 1_288_000_000
    assert [(ref.key, ref.start_us - at, ref.stop_us - at) for ref in samples] == [
        ("indy_20160622_01:0000", 0, 4000),
        ("indy_20160622_01:0001", 4000, 16000),
        ("indy_20160630_01:0001", 0, 12000),  # number 0 is empty
        ("indy_20160630_01:0002", 12000, 24000),
    ]
    schemes = DATASET.schemes(root, samples)
    assert list(schemes) == ["official", "active", "ratio-80", "indy_20160622_01", "indy_20160630_01"]
    official = schemes["official"]  # of 2: one trains, one tests; of 3: one, one, one
    assert official.train == ("indy_20160622_01:0000",)
    assert official.validation == ("indy_20160630_01:0001",)
    assert official.test == ("indy_20160622_01:0001", "indy_20160630_01:0002")
    assert not DATASET.is_complete(samples, official)


@pytest.mark.parametrize("ratio", [0.5, 0.8])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 11, 401])
def test_reaches_are_split_as_neurobench_splits_them(n: int, ratio: float) -> None:
    # split_data of neurobench 2.3 with split_num=1, in its own words.
    train_len = int(np.floor(ratio * n))
    val_len = int(np.floor((n - train_len) / 2))
    expected = ["train"] * train_len + ["validation"] * val_len + ["test"] * (n - train_len - val_len)
    assert [partition_of(k, n, ratio) for k in range(n)] == expected


def test_reaches_of_eight_seconds_are_rests() -> None:
    def reach(n_bins: int) -> SampleRef:
        return SampleRef("s:0", "s.mat", 0, "s:0", 1_288_000_003, 1_288_000_003 + n_bins * 4000 + 1)

    assert is_active(reach(1999))
    assert not is_active(reach(2000))


def test_units_are_added_up_and_missing_channels_are_zeros() -> None:
    rng = np.random.default_rng(2)
    ref = SampleRef("indy_20160622_01:0000", "indy_20160622_01.mat", 0, "g")
    units = rng.integers(0, 256, (7, 96, 5)).astype(np.uint8)
    velocity = rng.standard_normal((7, 2))
    read = Reading(SpikeCounts(units.reshape(7, 480), 4000, {VELOCITY: velocity}), {})
    signal = DATASET.arranged(ref, read).signal
    assert signal.counts.dtype == np.uint16
    assert signal.counts.shape == (7, 192)
    for channel in range(96):
        assert signal.counts[:, channel].tolist() == units[:, channel].sum(1, dtype=int).tolist()
    assert not signal.counts[:, 96:].any()
    found = DATASET.targets(Path(), ref, signal)
    assert list(found) == ["velocity"]
    assert np.array_equal(found["velocity"], velocity.astype(np.float32))


@pytest.mark.parametrize(("n_units", "bin_us"), [(95, 4000), (480, 5000)])
def test_another_number_of_channels_or_other_bins_are_refused(n_units: int, bin_us: int) -> None:
    ref = SampleRef("indy_20160622_01:0000", "indy_20160622_01.mat", 0, "g")
    read = Reading(SpikeCounts(np.zeros((2, n_units), np.uint8), bin_us, {}), {})
    with pytest.raises(FormatError, match=r"0622_01\.mat: .*expected bins of 4000 us and units of 96 channels"):
        DATASET.arranged(ref, read)


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    session(tmp_path, "indy_20161005_06", [0, 1, 1])
    with pytest.raises(SourceNotFoundError, match=r"none of indy_20160622_01\.mat, .*loco_20170301_05\.mat there"):
        DATASET.find_root(tmp_path)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked twin."""
    pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    return locate(DATASET, tmp_path_factory.mktemp("cache"), twin=Twin(SIZE)).root


def test_a_twin_has_six_sessions_of_reaches_one_of_them_a_rest(root: Path) -> None:
    assert sorted(path.name for path in root.iterdir()) == sorted(f"{name}.mat" for name in SESSIONS)
    samples = DATASET.samples(root)
    assert len(samples) == SIZE
    schemes = DATASET.schemes(root, samples)
    assert DATASET.is_complete(samples, schemes["official"])
    assert [len(getattr(schemes["official"], part)) for part in ("train", "validation", "test")] == [24, 12, 12]
    assert len(schemes["active"].train) == 24 - 6
    assert [len(schemes["loco_20170215_02"].test), len(schemes["ratio-80"].train)] == [2, 36]
    format = registry.formats[DATASET.format]
    refs = [ref for ref in samples if ref.recording == "loco_20170210_03.mat"]
    readings = format.parts(root / refs[0].recording, [(ref.start_us, ref.stop_us) for ref in refs])
    for ref, read in zip(refs, readings, strict=True):
        reading = DATASET.arranged(ref, read)
        assert admits(DATASET.form, reading.signal.form)
        assert not reading.findings
        assert len(reading.signal.counts) == round((ref.stop_us - ref.start_us) / 4000)
        # One target a reach, but for its first bin, which has that of the reach before.
        assert len(np.unique(read.signal.targets["target_pos_mm"][1:], axis=0)) == 1


@pytest.mark.parametrize("name", ["indy_20160622_01", "loco_20170301_05"])
def test_a_linear_read_out_of_smoothed_counts_finds_the_velocity(root: Path, name: str) -> None:
    scheme = DATASET.schemes(root, samples := DATASET.samples(root))[name]
    format = registry.formats[DATASET.format]

    def seen(keys: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        rows, velocities = [], []
        refs = [ref for ref in samples if ref.key in keys and is_active(ref)]
        readings = format.parts(root / f"{name}.mat", [(ref.start_us, ref.stop_us) for ref in refs])
        for ref, reading in zip(refs, readings, strict=True):
            signal = DATASET.arranged(ref, reading).signal
            smooth = np.apply_along_axis(np.convolve, 0, signal.counts.astype(float), np.ones(25) / 25, "same")
            rows.append(np.column_stack([smooth, np.ones(len(smooth))]))
            velocities.append(DATASET.targets(root, ref, signal)["velocity"])
        return np.concatenate(rows), np.concatenate(velocities)

    x, y = seen(scheme.train)
    weights = np.linalg.solve(x.T @ x + 0.5 * np.eye(x.shape[1]), x.T @ y)
    x, y = seen(scheme.test)
    r2 = 1 - ((y - x @ weights) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    assert r2.mean() > 0.5


def test_the_same_seed_and_size_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    from neurodata.datasets._reach_twin import write_reach_twin

    first, again, other = (
        [path.read_bytes() for path in write_reach_twin(tmp_path / name, seed, 24)]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again
    assert first[0] != other[0]


@pytest.mark.parametrize(("seed", "size"), [(0, 23), (-1, 120)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    from neurodata.datasets._reach_twin import write_reach_twin

    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_reach_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("bin_spikes" not in registry.encodings, reason="the recipe's step is not there")
def test_a_twin_goes_the_whole_way_into_a_batch(root: Path) -> None:
    asked: dict[str, Any] = {"recipe": RECIPE, "twin": True, "twin_size": SIZE, "cache": root.parents[2]}
    store = neurodata.prepare("primate-reaching", **asked)
    assert len(store) == SIZE
    split = neurodata.load("primate-reaching", **asked, split="validation", scheme="indy_20160622_01")
    assert (len(split), split.classes) == (2, ())
    refs = {ref.key: ref for ref in DATASET.samples(root)}
    for index, key in enumerate(split.keys):
        ref = refs[key]
        read = registry.formats[DATASET.format].read(root / ref.recording, ref.start_us, ref.stop_us)
        counts = DATASET.arranged(ref, read).signal.counts
        frames, told = split[index]
        frames = frames.numpy()
        assert np.array_equal(told["velocity"].numpy(), read.signal.targets[VELOCITY].astype(np.float32))
        assert np.array_equal(frames[1:], counts[:-1])  # a row has the spikes of the bin before
        assert not frames[0].any()
    batch = next(iter(split.loader(batch_size=2)))
    rows, targets = batch
    assert tuple(rows.shape) == (2, max(batch.lengths.tolist()), 192)
    assert tuple(targets["velocity"].shape) == (*rows.shape[:2], 2)
    assert batch.target_lengths["velocity"].tolist() == batch.lengths.tolist()


def test_a_single_session_is_prepared_as_a_part_and_says_so(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "indy_20170131_02.mat").write_bytes((root / "indy_20170131_02.mat").read_bytes())
    located = locate(DATASET, tmp_path / "cache", source=tmp_path / "mine")
    samples = DATASET.samples(located.root)
    assert located.kind == "folder"
    assert len(samples) == SIZE // len(SESSIONS)
    assert not DATASET.is_complete(samples, DATASET.schemes(located.root, samples)["official"])


@pytest.mark.skipif("bin_spikes" not in registry.encodings, reason="the recipe's step is not there")
def test_spikes_outside_of_a_session_are_reported_once_though_its_reaches_lie_in_three_partitions(
    tmp_path: Path,
) -> None:
    session(tmp_path / "data", "indy_20160622_01", [0, 0, 3, 3, 4, 4, 5, 5], early=2)
    asked: dict[str, Any] = {"recipe": RECIPE, "source": tmp_path / "data", "cache": tmp_path}
    store = neurodata.prepare("primate-reaching", **asked)
    assert [len(neurodata.load("primate-reaching", **asked, partial=True, split=part)) for part in PARTITIONS] == [
        2,
        1,
        1,
    ]
    assert store.head.partial
    assert store.counts.notes["outside the recording"] == 2
