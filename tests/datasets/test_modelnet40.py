from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import Twin, locate
from neurodata.datasets._solid_twin import N_POINTS, model, write_solid_twin
from neurodata.datasets.modelnet40 import CLASSES, NAMES_FILE, TEST_LIST, TRAIN_LIST
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.forms import admits
from neurodata.signals import PointCloud

DATASET = registry.datasets["modelnet40"]
SIZE = 80
RECIPE = Path(__file__).parents[2] / "recipes" / "modelnet40.toml"
MODELS = ("airplane_0001", "night_stand_0201", "xbox_0119")


def tree(root: Path, train: str = "night_stand_0201\n\nairplane_0001\n", test: str = "xbox_0119\nbed_0600") -> Path:
    """Empty models and their lists."""
    for name in MODELS:
        path = root / name.rpartition("_")[0] / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / TRAIN_LIST).write_text(train)
    (root / TEST_LIST).write_text(test)
    (root / NAMES_FILE).write_text("".join(f"{name}\n" for name in CLASSES))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked twin."""
    return locate(DATASET, tmp_path_factory.mktemp("cache"), twin=Twin(SIZE)).root


def test_there_are_40_classes_in_alphabetical_order() -> None:
    assert len(CLASSES) == 40
    assert list(CLASSES) == sorted(set(CLASSES))
    assert sum(DATASET.published_counts.values()) == 12_311


def test_samples_are_the_listed_models_that_are_there(tmp_path: Path) -> None:
    tree(tmp_path / "modelnet40_normal_resampled")
    root = DATASET.find_root(tmp_path)
    samples = DATASET.samples(root)
    assert [(ref.key, ref.recording, CLASSES[ref.target]) for ref in samples] == [
        ("night_stand_0201", "night_stand/night_stand_0201.txt", "night_stand"),
        ("airplane_0001", "airplane/airplane_0001.txt", "airplane"),
        ("xbox_0119", "xbox/xbox_0119.txt", "xbox"),
    ]
    scheme = DATASET.schemes(root, samples)["official"]
    assert scheme.train == ("night_stand_0201", "airplane_0001")
    assert scheme.test == ("xbox_0119",)
    assert [path.name for path in DATASET.label_files(root, samples)] == [NAMES_FILE, TRAIN_LIST, TEST_LIST]


@pytest.mark.parametrize(
    "row", ["spoon_0001", "airplane", "airplane_one", "airplane/airplane_0001", "xbox_0119\nxbox_0119"]
)
def test_a_list_that_is_not_as_published_is_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(FormatError, match=r"modelnet40_train\.txt: line \d is '.*'; expected a class and a number"):
        DATASET.samples(tree(tmp_path, train=row))


def test_a_model_in_both_lists_and_other_classes_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, test="airplane_0001")
    with pytest.raises(FormatError, match="names airplane_0001, as modelnet40_train"):
        DATASET.samples(root)
    (root / NAMES_FILE).write_text("airplane\nbathtub\n")
    with pytest.raises(FormatError, match="names 2 classes, airplane, bathtub"):
        DATASET.samples(root)


def test_missing_lists_and_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no modelnet40_train\.txt"):
        DATASET.find_root(tmp_path)
    root = tree(tmp_path, train="bed_0001", test="bed_0002")
    with pytest.raises(SourceNotFoundError, match=r"no models like airplane/airplane_0001\.txt"):
        DATASET.samples(root)
    (root / TEST_LIST).unlink()
    with pytest.raises(SourceNotFoundError, match=r"modelnet40_test\.txt is missing"):
        DATASET.samples(root)


def test_what_no_script_can_verify_has_to_be_unpacked_by_hand(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"shapenet\.cs\.stanford\.edu(?s:.*)--source DIR"):
        locate(DATASET, tmp_path)


def test_a_twin_is_read_as_points_with_normals_of_length_one(root: Path) -> None:
    samples = DATASET.samples(root)
    assert Counter(ref.target for ref in samples) == dict.fromkeys(range(40), 2)
    scheme = DATASET.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (40, 40)
    for ref in samples[::7]:
        reading = registry.formats[DATASET.format].read(root / ref.recording, None, None)
        cloud = reading.signal
        assert isinstance(cloud, PointCloud)
        assert not reading.findings
        assert admits(DATASET.form, cloud.form)
        assert cloud.xyz.shape == (N_POINTS, 3)
        np.testing.assert_allclose(np.linalg.norm(cloud.features, axis=1), 1, atol=1e-5)
        assert np.linalg.norm(cloud.xyz, axis=1).max() == pytest.approx(1, abs=1e-5)
        drawn = model(ref.target, int(ref.key[-4:]) - 1, seed=0)
        np.testing.assert_allclose(cloud.xyz, drawn.xyz, atol=1e-6)


def test_normals_stand_upright_on_the_surface() -> None:
    for target in range(40):
        cloud = model(target, 0, seed=1)
        # A point's nearest neighbours on a smooth surface lie across its normal; edges of boxes and tips are none.
        apart = cloud.xyz[:, None] - cloud.xyz  # [n, n, 3]
        nearest = np.argsort((apart**2).sum(-1), axis=1)[:, 1]
        way = apart[np.arange(N_POINTS), nearest]
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        assert np.median(np.abs((way * cloud.features).sum(1))) < 0.2, target


def test_kinds_of_the_twin_can_be_told_apart_by_where_points_are() -> None:
    def seen(target: int, serial: int) -> np.ndarray:
        cell = np.clip((model(target, serial, 7).xyz * 4 + 4).astype(int), 0, 7)  # [n, 3], a grid of 8x8x8
        return np.bincount(np.ravel_multi_index(tuple(cell.T), (8, 8, 8)), minlength=512) / N_POINTS

    pictures = np.array([[seen(target, serial) for target in range(40)] for serial in range(6)])
    centroids = pictures[:4].mean(0)
    found = ((pictures[4:, :, None] - centroids) ** 2).sum(-1).argmin(-1)
    assert np.mean(found == np.arange(40)) >= 0.9


def test_the_same_seed_and_size_give_the_same_bytes(tmp_path: Path) -> None:
    first, again, other = (
        write_solid_twin(tmp_path / name, seed, SIZE)[0].read_bytes() for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again != other


@pytest.mark.parametrize(("seed", "size"), [(0, 79), (-1, 80)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_solid_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("spike_voxel" not in registry.encodings, reason="the recipe's step is not there")
def test_a_twin_goes_the_whole_way_into_a_batch(tmp_path: Path) -> None:
    store = neurodata.prepare("modelnet40", recipe=RECIPE, twin=True, twin_size=SIZE, cache=tmp_path)
    assert len(store) == SIZE
    split = neurodata.load("modelnet40", recipe=RECIPE, twin=True, twin_size=SIZE, cache=tmp_path, split="test")
    assert (len(split), split.classes) == (40, CLASSES)
    frames, targets = next(iter(split.loader(batch_size=4)))
    assert tuple(frames.shape) == (4, 1, 1, 32, 32, 32)
    assert 0 < frames.sum() <= 4 * N_POINTS
    assert frames.max() <= 4
    assert targets.tolist() == split.labels[:4].tolist()
