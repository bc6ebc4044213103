"""rotate, shear, translate, roll, crop, canvas and the plain downsample: where pixels go."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.transforms._affine import moved, reference
from neurodata.transforms.canvas import Canvas
from neurodata.transforms.crop import Crop
from neurodata.transforms.downsample import Downsample
from neurodata.transforms.roll import Roll
from neurodata.transforms.rotate import Rotate
from neurodata.transforms.shear import Shear
from neurodata.transforms.translate import Translate
from tests.step_contract import events_of
from tests.strategies import event_arrays, sensors

numbers = st.floats(-3, 3)
shifts = st.integers(-14, 14)


def picture(events: EventArray) -> np.ndarray:
    return EventFrame(T=1)(events)[0]  # [C, H, W]


def one(x: int, y: int, sensor: Sensor) -> EventArray:
    return events_of([0], [x], [y], [1], sensor)


def place(events: EventArray) -> tuple[int, int] | None:
    return (int(events.x[0]), int(events.y[0])) if len(events) else None


@given(
    events=event_arrays(), sensor=sensors, matrix=st.tuples(numbers, numbers, numbers, numbers), x=numbers, y=numbers
)
def test_the_kernel_equals_the_reference(
    events: EventArray, sensor: Sensor, matrix: tuple[float, float, float, float], x: float, y: float
) -> None:
    rows = (matrix[:2], matrix[2:])
    tally: Counter[str] = Counter()
    found = moved(events, rows, (x, y), sensor, tally, "lost")
    assert found == reference(events, rows, (x, y), sensor)
    assert len(found) + tally["lost"] == len(events)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(90, (2, 0)), (180, (0, 2)), (270, (2, 4)), (-90, (2, 4)), (360, (4, 2)), (45, (3, 1)), (0, (4, 2))],
)
def test_the_right_end_of_the_middle_row_turns_counter_clockwise(degrees: float, expected: tuple[int, int]) -> None:
    assert place(Rotate(degrees=degrees)(one(4, 2, Sensor(5, 5)))) == expected


@given(data=st.data(), size=st.integers(1, 12), quarters=st.integers(-4, 4))
def test_quarter_turns_of_a_square_sensor_are_those_of_the_picture(
    data: st.DataObject, size: int, quarters: int
) -> None:
    events = data.draw(event_arrays(Sensor(size, size)))
    found = picture(Rotate(degrees=90 * quarters)(events))
    np.testing.assert_array_equal(found, np.rot90(picture(events), quarters, axes=(1, 2)))


@given(events=event_arrays(Sensor(9, 9)), degrees=st.floats(-180, 180))
def test_a_rotation_moves_no_event_of_the_inner_disc_off_the_sensor_and_back_again_within_a_pixel(
    events: EventArray, degrees: float
) -> None:
    inner = np.hypot(events.x - 4.0, events.y - 4.0) <= 3.5
    events = EventArray(events.t[inner], events.x[inner], events.y[inner], events.p[inner], events.sensor)
    there = Rotate(degrees=degrees)(events)
    back = Rotate(degrees=-degrees)(there)
    assert len(there) == len(events) == len(back)
    assert (
        max(np.abs(back.x.astype(int) - events.x).max(initial=0), np.abs(back.y.astype(int) - events.y).max(initial=0))
        <= 1
    )


def test_a_shear_by_hand() -> None:
    sensor = Sensor(5, 5)  # centre (2, 2)
    assert place(Shear(x=0.5)(one(2, 4, sensor))) == (3, 4)
    assert place(Shear(x=0.5)(one(2, 0, sensor))) == (1, 0)
    assert place(Shear(x=0.0, y=-1)(one(3, 2, sensor))) == (3, 1)
    tally: Counter[str] = Counter()
    assert place(Shear(x=1)(one(4, 4, sensor), None, tally)) is None
    assert tally == {"left the sensor": 1}


@given(events=event_arrays(), x_px=shifts, y_px=shifts)
def test_a_translation_is_undone_where_nothing_left(events: EventArray, x_px: int, y_px: int) -> None:
    tally: Counter[str] = Counter()
    there = Translate(x_px=x_px, y_px=y_px)(events, None, tally)
    x, y = events.x.astype(int) + x_px, events.y.astype(int) + y_px
    inside = (x >= 0) & (x < events.sensor.width) & (y >= 0) & (y < events.sensor.height)
    assert tally["left the sensor"] == np.count_nonzero(~inside)
    back = Translate(x_px=-x_px, y_px=-y_px)(there)
    np.testing.assert_array_equal(back.x, events.x[inside])
    np.testing.assert_array_equal(back.y, events.y[inside])


@given(events=event_arrays(), x_px=shifts, y_px=shifts)
def test_rolled_events_are_np_roll_of_the_picture(events: EventArray, x_px: int, y_px: int) -> None:
    found = picture(Roll(x_px=x_px, y_px=y_px)(events))
    np.testing.assert_array_equal(found, np.roll(picture(events), (y_px, x_px), axis=(1, 2)))


@given(data=st.data(), events=event_arrays())
def test_a_fixed_crop_is_a_slice_of_the_picture_and_counts_the_rest(data: st.DataObject, events: EventArray) -> None:
    left = data.draw(st.integers(0, events.sensor.width - 1))
    top = data.draw(st.integers(0, events.sensor.height - 1))
    width = data.draw(st.integers(1, events.sensor.width - left))
    height = data.draw(st.integers(1, events.sensor.height - top))
    tally: Counter[str] = Counter()
    found = Crop(width, height, "fixed", left, top)(events, None, tally)
    np.testing.assert_array_equal(picture(found), picture(events)[:, top : top + height, left : left + width])
    assert tally["outside the window"] == len(events) - len(found)


@given(data=st.data(), events=event_arrays(Sensor(12, 11)), x_px=shifts, y_px=shifts)
def test_a_moved_window_sees_of_the_moved_sample_what_the_window_saw(
    data: st.DataObject, events: EventArray, x_px: int, y_px: int
) -> None:
    left, top = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 7))
    if not (0 <= left + x_px <= 8 and 0 <= top + y_px <= 7):
        return
    still = Crop(4, 4, "fixed", left, top)(events)
    assert Crop(4, 4, "fixed", left + x_px, top + y_px)(Translate(x_px, y_px)(events)) == still


def test_random_windows_reach_every_place_and_are_drawn_from_left_to_top() -> None:
    sensor = Sensor(4, 3)
    events = events_of(list(range(12)), [0, 1, 2, 3] * 3, [0] * 4 + [1] * 4 + [2] * 4, [1] * 12, sensor)
    step = Crop(2, 2, at="random")
    places = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        left, top = int(rng.integers(0, 3)), int(rng.integers(0, 2))
        assert step(events, np.random.default_rng(seed)) == Crop(2, 2, "fixed", left, top)(events)
        places.add((left, top))
    assert len(places) == 6


def test_a_window_that_reaches_over_the_sensor_is_refused_with_the_way_out() -> None:
    with pytest.raises(RecipeError, match=r"window of 9x2 at \(0, 0\) reaches over the sensor 8x8x2; .*canvas"):
        Crop(9, 2)(one(0, 0, Sensor(8, 8)))
    with pytest.raises(RecipeError, match=r"at \(7, 0\) reaches over"):
        Crop(2, 2, "fixed", left=7)(one(0, 0, Sensor(8, 8)))
    with pytest.raises(RecipeError, match='left and top are for at = "fixed"'):
        Crop(2, 2, left=1)


@given(events=event_arrays(), width=st.integers(12, 20), height=st.integers(12, 20))
def test_a_larger_canvas_pads_the_picture_and_loses_nothing(events: EventArray, width: int, height: int) -> None:
    below, right = height - events.sensor.height, width - events.sensor.width
    for anchor, (top, left) in (("top-left", (0, 0)), ("centre", (-(-below // 2), -(-right // 2)))):
        padding = ((0, 0), (top, below - top), (left, right - left))
        for policy in ("pad", "crop"):
            found = Canvas(width, height, policy, anchor)(events)
            np.testing.assert_array_equal(picture(found), np.pad(picture(events), padding))


def test_a_recording_larger_than_its_padded_canvas_is_refused_with_the_way_out() -> None:
    with pytest.raises(RecipeError, match=r'8x8x2 does not fit 9x7; .*policy = "crop" or "scale"'):
        Canvas(9, 7, "pad")(one(0, 0, Sensor(8, 8)))


@given(events=event_arrays(), width=st.integers(1, 30), height=st.integers(1, 30))
def test_a_scaled_canvas_keeps_every_event_in_proportion(events: EventArray, width: int, height: int) -> None:
    found = Canvas(width, height, "scale")(events)
    assert len(found) == len(events)
    assert found.sensor == Sensor(width, height)
    np.testing.assert_array_equal(found.x, events.x.astype(int) * width // events.sensor.width)
    np.testing.assert_array_equal(found.y, events.y.astype(int) * height // events.sensor.height)


@pytest.mark.parametrize(
    ("width", "factor", "expected"), [(128, 2, 64), (5, 2, 3), (34, (17, 5), 10), (7, 7, 1), (3, 9, 1)]
)
def test_downsampled_widths_by_hand(width: int, factor: int | tuple[int, int], expected: int) -> None:
    assert Downsample(factor).sensor_after(Sensor(width, 1)) == Sensor(expected, 1)


@given(data=st.data(), width=st.integers(1, 300), over=st.integers(1, 60), under=st.integers(1, 60))
def test_a_downsampled_sensor_is_as_large_as_its_last_pixel_needs(
    data: st.DataObject, width: int, over: int, under: int
) -> None:
    if over < under:
        return
    found = Downsample((over, under))(one(width - 1, 0, Sensor(width, 1)))
    assert found.x[0] == found.sensor.width - 1 == (width - 1) * under // over


@given(events=event_arrays(Sensor(12, 8)), factor=st.sampled_from([1, 2, 4]))
def test_downsampling_sums_blocks_of_the_picture(events: EventArray, factor: int) -> None:
    blocks = picture(events).reshape(2, 8 // factor, factor, 12 // factor, factor)
    np.testing.assert_array_equal(picture(Downsample(factor)(events)), blocks.sum(axis=(2, 4)))


@given(events=event_arrays())
def test_neutral_parameters_give_the_sample_itself(events: EventArray) -> None:
    width, height = events.sensor.width, events.sensor.height
    neutral = [
        Rotate(degrees=0), Rotate(degrees=360), Shear(x=0.0), Translate(0, 0), Roll(0, 0), Roll(width, -height),
        Crop(width, height), Canvas(width, height), Canvas(width, height, "scale"), Downsample(1), Downsample((3, 3)),
    ]  # fmt: skip
    for step in neutral:
        assert step(events) is events


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rotate", {"degrees": (30.0, -30.0)}, r"degrees is \(30.0, -30.0\); expected a number or a pair"),
        ("rotate", {"degrees": [-30.0, 30.0]}, "expected a number or a pair"),
        ("rotate", {"degrees": np.nan}, "degrees is nan"),
        ("rotate", {"degrees": (0.0, 1.0, 2.0)}, "expected a number or a pair"),
        ("shear", {"y": 2.0}, "y is 2.0; expected -1 to 1"),
        ("translate", {"x_px": 70000}, "x_px is 70000; expected -65535 to 65535"),
        ("roll", {"y_px": "3"}, "expected a number or a pair"),
        ("roll", {"x_px": 1.5}, r"x_px is 1.5; expected a whole number or a pair"),
        ("translate", {"y_px": (0, 2.5)}, r"y_px is \(0, 2.5\); expected a whole number or a pair"),
        ("uniform_noise", {"n": 2.5}, "n is 2.5; expected a whole number or a pair"),
        ("uniform_noise", {"n": True}, "n is True; expected a whole number or a pair"),
        ("crop", {"width": 0, "height": 1}, "width is 0; expected 1 to 65536"),
        ("canvas", {"width": 1, "height": 1, "policy": "fit"}, "policy is 'fit'; expected crop or pad or scale"),
        ("downsample", {"factor": (1, 2)}, "factor is 0.5; expected 1 to"),
        ("downsample", {"factor": 0}, "factor is 0"),
        ("downsample", {"factor": 2, "method": "integrator"}, "goes in steps; state step_us"),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^{name}.*{message}"):
        registry.transforms[name](**parameters)


@pytest.mark.parametrize("step", [Rotate(), Shear(y=(-0.2, 0.2)), Translate(), Roll()], ids=repr)
def test_a_range_is_drawn_anew_for_every_sample_x_first(step: Rotate | Shear | Translate | Roll) -> None:
    assert step.stochastic
    events = one(60, 40, Sensor(64, 48))
    assert len({place(step(events, np.random.default_rng(seed))) for seed in range(20)}) > 5
    rng = np.random.default_rng(3)
    if isinstance(step, Rotate):
        fixed: object = Rotate(-30 + 60 * rng.random())
    elif isinstance(step, Shear):
        fixed = Shear(-0.3 + 0.6 * rng.random(), -0.2 + 0.4 * rng.random())
    else:
        fixed = type(step)(int(rng.integers(-5, 6)), int(rng.integers(-5, 6)))
    assert step(events, np.random.default_rng(3)) == fixed(events)  # type: ignore[operator]


def test_a_range_in_a_recipe_is_an_array_of_toml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[[steps]]\nname = "rotate"\ndegrees = [-10, 10.5]\nfrozen = true\n\n'
        '[[steps]]\nname = "hot_pixels"\npixels = [[3, 4], [5, 6]]\n\n[[steps]]\nname = "event_frame"\nT = 4\n'
    )
    recipe = load_recipe("n-mnist", path)
    assert recipe.steps[0][1] == Rotate(degrees=(-10, 10.5))
    assert recipe.steps[1][1].pixels == ((3, 4), (5, 6))  # type: ignore[attr-defined]
    assert recipe.canonical()["steps"][1]["parameters"] == {"pixels": ((3, 4), (5, 6))}


def test_a_recipe_knows_the_sensor_after_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[[steps]]\nname = "crop"\nwidth = 30\nheight = 20\n\n[[steps]]\nname = "downsample"\nfactor = [5, 2]\n\n'
        '[[steps]]\nname = "merge_polarities"\n\n[[steps]]\nname = "event_frame"\nT = 4\n'
    )
    assert load_recipe("n-mnist", path).array().shape == (4, 1, 8, 12)
