from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import SampleRef, Twin, folder_id, locate
from neurodata.datasets._kitti_boxes import BOX_COLUMNS, OBJECTS, read_boxes, read_calibration
from neurodata.datasets._kitti_split import training_scans
from neurodata.datasets._street_twin import KINDS, N_ON_OBJECT, N_POINTS, calibration, street, write_street_twin
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import read
from neurodata.forms import admits
from neurodata.signals import PointCloud

DATASET = registry.datasets["kitti-object"]
SIZE = 12
RECIPE = Path(__file__).parents[2] / "recipes" / "kitti-object.toml"
# Scanner ahead is camera forward, scanner left is camera left, scanner up is camera up; no shift.
STRAIGHT = "R0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
# Of training/000000, as many programs on the web quote them.
PUBLISHED_CALIBRATION = (
    "R0_rect: 9.999128000000e-01 1.009263000000e-02 -8.511932000000e-03 -1.012729000000e-02 9.999406000000e-01 "
    "-4.037671000000e-03 8.470675000000e-03 4.123522000000e-03 9.999556000000e-01\n"
    "Tr_velo_to_cam: 6.927964000000e-03 -9.999722000000e-01 -2.757829000000e-03 -2.457729000000e-02 "
    "-1.162982000000e-03 2.749836000000e-03 -9.999955000000e-01 -6.127237000000e-02 9.999753000000e-01 "
    "6.931141000000e-03 -1.143899000000e-03 -3.321029000000e-01\n"
)
PUBLISHED_LABEL = "Pedestrian 0.00 0 -0.20 712.40 143.00 810.73 307.92 1.89 0.48 1.20 1.84 1.47 8.41 0.01\n"


def boxes_of(folder: Path, labels: str, calib: str = STRAIGHT) -> np.ndarray:
    (folder / "label.txt").write_text(labels)
    (folder / "calib.txt").write_text(calib)
    return read_boxes(folder / "label.txt", folder / "calib.txt")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_box_by_hand(tmp_path: Path) -> None:
    rows = (
        "Car 0.25 1 0.5 10 20 30 50 1.5 1.6 4 2 1 10 0\n"  # length along x of the camera: to the right
        "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n\n"
        "Cyclist 0 3 0 0 0 1 2 2 1 3 -4 0 6 -1.5707963267948966\n"  # length along z of the camera: ahead
    )
    assert BOX_COLUMNS[:4] == ("class_id", "x_m", "y_m", "z_m")
    expected = [
        # ahead 10, right 2: y = -2; the foot is 1 below, the middle 0.75 higher; length to the right: -90 degrees
        [OBJECTS.index("Car"), 10, -2, -0.25, 4, 1.6, 1.5, -np.pi / 2, 0.25, 1, 30],
        [OBJECTS.index("Cyclist"), 6, 4, 1, 3, 1, 2, 0, 0, 3, 2],
    ]
    found = boxes_of(tmp_path, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert boxes_of(tmp_path, "").shape == (0, len(BOX_COLUMNS))


def test_the_first_published_box_is_where_another_program_puts_it(tmp_path: Path) -> None:
    # mmdetection3d's tests have the middle of its lower face, and its turn without the angle of the camera.
    flat = PUBLISHED_LABEL.replace(" 1.89 ", " 0.00 ")
    (foot,) = boxes_of(tmp_path, flat, PUBLISHED_CALIBRATION)
    np.testing.assert_allclose(foot[1:4], [8.7314, -1.8559, -1.5997], atol=5e-5)
    (box,) = boxes_of(tmp_path, PUBLISHED_LABEL, PUBLISHED_CALIBRATION)
    np.testing.assert_allclose(box[4:7], [1.20, 0.48, 1.89])
    assert OBJECTS[int(box[0])] == "Pedestrian"
    assert box[7] == pytest.approx(-1.5808, abs=0.02)
    assert box[10] == pytest.approx(307.92 - 143.00)
    # The middle is half a height above it along the camera's upright axis, which is not quite the scanner's: theirs,
    # half a height above along z, lies 13 mm beside.
    assert np.linalg.norm(box[1:4] - foot[1:4]) == pytest.approx(1.89 / 2, abs=1e-5)
    assert np.linalg.norm(box[1:4] - [8.7314, -1.8559, -0.6547]) == pytest.approx(0.0131, abs=2e-4)


@pytest.mark.parametrize(
    "row",
    [
        "Car 0 0 0",
        "Lorry 0 0 0 0 0 0 0 1 1 1 0 0 9 0",
        "Car 0 0 0 0 0 0 0 1 1 nan 0 0 9 0",
        "Car " + "x " * 14,
        "Car" + " 1" * 15,
    ],
)
def test_a_damaged_label_is_named(tmp_path: Path, row: str) -> None:
    with pytest.raises(FormatError, match=r"label\.txt: line 2 is '.*'; expected 15 fields: one of Car"):
        boxes_of(tmp_path, f"{PUBLISHED_LABEL}{row}\n")


@pytest.mark.parametrize(
    ("calib", "message"),
    [
        ("R0_rect: 1 0 0 0 1 0 0 0 1\n", r"no Tr_velo_to_cam of 3x4 numbers"),
        ("R0_rect: 1 0 0 0 1 0 0 0\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n", r"no R0_rect of 3x3 numbers"),
        ("R0_rect: 1 0 0 0 1 0 0 0 x\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n", r"no R0_rect of 3x3 numbers"),
        ("R0_rect: 1 0 0 0 1 0 0 0 2\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n", r"are no rotations"),
    ],
)
def test_a_damaged_calibration_is_named(tmp_path: Path, calib: str, message: str) -> None:
    with pytest.raises(FormatError, match=rf"calib\.txt: .*{message}"):
        boxes_of(tmp_path, PUBLISHED_LABEL, calib)


def test_samples_are_scans_in_order_and_testing_has_no_boxes(tmp_path: Path) -> None:
    names = ("training/velodyne/000001.bin", "training/velodyne/000000.bin", "testing/velodyne/000000.bin")
    touch(tmp_path / "KITTI", *names, "training/label_2/000000.txt", "training/image_2/000000.png")
    root = DATASET.find_root(tmp_path)
    samples = DATASET.samples(root)
    assert [ref.key for ref in samples] == ["training/000000", "training/000001", "testing/000000"]
    assert samples[2].recording == "testing/velodyne/000000.bin"
    scheme = DATASET.schemes(root, samples)["official"]
    assert (scheme.train, scheme.validation, scheme.test) == (
        ("training/000000", "training/000001"), (), ("testing/000000",),
    )  # fmt: skip
    scan = PointCloud(np.zeros((0, 3), np.float32), np.zeros((0, 1), np.float32))
    assert DATASET.targets(root, samples[2], scan)["boxes"].shape == (0, 11)
    with pytest.raises(SourceNotFoundError, match=r"calib.000001\.txt is missing"):
        DATASET.targets(root, samples[1], scan)
    with pytest.raises(SourceNotFoundError, match="is missing, though the files of kitti-object"):
        folder_id(DATASET, root, samples)


def test_chen_parts_the_published_training_scans() -> None:
    train, validation = np.flatnonzero(training_scans()), np.flatnonzero(~training_scans())
    assert (len(train), len(validation)) == (3712, 3769)
    # Ends of the published lists, and what stands in the middle of them.
    assert train[[0, 1, 2, 2285, 2286, -2, -1]].tolist() == [0, 3, 7, 4554, 4555, 7476, 7479]
    assert validation[[0, 1, 2, 2285, 2286, -2, -1]].tolist() == [1, 2, 4, 4588, 4589, 7478, 7480]


def test_chen_is_a_scheme_of_the_scans_that_are_there(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"training/velodyne/{k:06d}.bin" for k in range(5)), "testing/velodyne/000000.bin")
    scheme = DATASET.schemes(root, DATASET.samples(root))["chen"]
    assert scheme.train == ("training/000000", "training/000003")
    assert scheme.validation == ("training/000001", "training/000002", "training/000004")
    assert scheme.test == ("testing/000000",)
    for name in ("training/velodyne/007481.bin", "testing/velodyne/scan.bin"):
        touch(root, name)
        with pytest.raises(FormatError, match=rf"{Path(name).name}: expected a scan of KITTI"):
            DATASET.samples(root)
        (root / name).unlink()


def test_a_tree_without_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no training/velodyne"):
        DATASET.find_root(tmp_path)
    (tmp_path / "training" / "velodyne").mkdir(parents=True)
    with pytest.raises(SourceNotFoundError, match=r"no scans like training/velodyne/000000\.bin"):
        DATASET.samples(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"register at(?s:.*)--source DIR"):
        locate(DATASET, tmp_path)


def test_boxes_of_a_twin_hold_the_points_of_their_objects(tmp_path: Path) -> None:
    root = locate(DATASET, tmp_path, twin=Twin(SIZE)).root
    samples = DATASET.samples(root)
    scheme = DATASET.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (SIZE // 2, SIZE // 2)
    assert all(path.is_file() for path in DATASET.label_files(root, samples))
    n_boxes = 0
    for k, ref in enumerate(ref for ref in samples if ref.key.startswith("training/")):
        cloud = read(root / ref.recording, format="kitti_bin")
        assert isinstance(cloud, PointCloud)
        assert admits(DATASET.form, cloud.form)
        assert len(cloud.xyz) == N_POINTS
        boxes = DATASET.targets(root, ref, cloud)["boxes"]
        things, _ = street(0, 2 * k)
        assert [OBJECTS[int(box[0])] for box in boxes] == [thing.kind for thing in things]
        for box, thing in zip(boxes, things, strict=True):
            yaw = (box[7] - thing.yaw + np.pi) % (2 * np.pi) - np.pi
            assert abs(yaw) < 0.01  # labels have two decimals
            inside = np.abs(turned(cloud.xyz - box[1:4], -box[7])) <= box[4:7] / 2
            assert inside.all(axis=1).sum() >= 0.5 * N_ON_OBJECT
            near = np.abs(turned(cloud.xyz - box[1:4], -box[7])) <= box[4:7] / 2 + 0.03
            assert near.all(axis=1).sum() >= N_ON_OBJECT
            n_boxes += 1
    assert n_boxes >= SIZE // 2


def turned(xyz: np.ndarray, angle: float) -> np.ndarray:
    """Points turned about z, from x to y."""
    x, y, z = xyz.T
    return np.column_stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z])


def test_the_calibration_of_the_twin_is_no_plain_swap_of_axes(tmp_path: Path) -> None:
    (tmp_path / "calib.txt").write_text("\n".join(calibration()))
    rotation, shift = read_calibration(tmp_path / "calib.txt")
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert abs(rotation[1, 0]) > 0.005
    assert np.abs(shift).max() > 0.1


def test_the_same_seed_and_size_give_the_same_bytes(tmp_path: Path) -> None:
    first, again, other = (
        [path.read_bytes() for path in write_street_twin(tmp_path / name, seed, 4)]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again
    assert first[0] != other[0]
    assert set(KINDS) <= set(OBJECTS)


@pytest.mark.parametrize(("seed", "size"), [(0, 1), (-1, 60)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_street_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


def test_a_real_scan_is_of_the_form_of_the_dataset(recordings: Path) -> None:
    path = recordings / "pointcloud" / "semantickitti" / "000000.bin"
    ref = SampleRef("testing/000000", "testing/velodyne/000000.bin", 0, "testing/000000")
    reading = DATASET.arranged(ref, registry.formats[DATASET.format].read(path, None, None))
    assert admits(DATASET.form, reading.signal.form)


@pytest.mark.skipif("spike_voxel" not in registry.encodings, reason="the recipe's step is not there")
def test_a_twin_goes_the_whole_way_into_a_batch(tmp_path: Path) -> None:
    store = neurodata.prepare("kitti-object", recipe=RECIPE, twin=True, twin_size=SIZE, cache=tmp_path)
    assert len(store) == SIZE
    split = neurodata.load("kitti-object", recipe=RECIPE, twin=True, twin_size=SIZE, cache=tmp_path, split="train")
    assert (len(split), split.classes) == (SIZE // 2, ())
    frames, targets = next(iter(split.loader(batch_size=3)))
    assert tuple(frames.shape) == (3, 1, 1, 10, 200, 176)
    assert 0 < frames.sum() <= 3 * N_POINTS
    root = locate(DATASET, tmp_path, twin=Twin(SIZE)).root
    refs = {ref.key: ref for ref in DATASET.samples(root)}
    for key, boxes in zip(split.keys[:3], targets["boxes"], strict=True):
        number = Path(refs[key].recording).stem
        labels, calib = (root / "training" / folder / f"{number}.txt" for folder in ("label_2", "calib"))
        assert np.array_equal(boxes.numpy(), read_boxes(labels, calib))
