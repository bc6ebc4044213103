"""The command as a user meets it: results on stdout, the rest on stderr, exit codes, no tracebacks."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neurodata
from neurodata.signals import EventArray, Sensor
from tests.gestures import write_gestures

COMMAND = [sys.executable, "-c", "from neurodata.cli import main; main()"]


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, env=os.environ | environment, check=False
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gestures(tmp_path_factory.mktemp("source") / "DvsGesture")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """A cache with one finished store."""
    root = tmp_path_factory.mktemp("cache")
    done = run("prepare", "dvs-gesture", "--T", "4", "--source", source, "--cache", root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def store(cache: Path) -> Path:
    (manifest,) = cache.glob("stores/*/*/manifest.json")
    return manifest.parent


def test_the_entry_point_is_the_command() -> None:
    (point,) = entry_points(group="console_scripts", name="neurodata")
    assert point.value == "neurodata.cli:main"


def test_help_is_quick_and_names_every_command() -> None:
    times_s = []
    for _ in range(3):
        start = time.perf_counter()
        done = run("--help")
        times_s.append(time.perf_counter() - start)
    assert done.returncode == 0
    for name in (
        "datasets",
        "formats",
        "info",
        "fetch",
        "prepare",
        "finalise",
        "verify",
        "repair",
        "why",
        "export",
        "import",
        "view",
        "train",
        "bench",
        "convert",
        "export",
        "import",
        "cache",
    ):
        assert name in done.stdout
    modules = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"], capture_output=True, text=True, check=True
    ).stderr
    assert not any(f" {heavy}\n" in modules for heavy in ("torch", "numba", "zarr", "numpy"))
    assert min(times_s) < 2  # half a second on an idle machine; measured in the benchmarks, not here


def test_the_store_is_printed_on_stdout_and_reused(source: Path, cache: Path, store: Path) -> None:
    done = run("prepare", "dvs-gesture", "--T", "4", "--source", source, "--cache", cache)
    assert done.stdout.strip() == str(store)
    assert "reused dvs-gesture: 33 samples" in done.stderr
    facts = json.loads(run("prepare", "dvs-gesture", "--T", "4", "--source", source, "--cache", cache, "--json").stdout)
    assert facts["reused"] is True
    assert facts["events_read"] == facts["events_encoded"] > 0


def test_a_dry_run_does_nothing(source: Path, tmp_path: Path) -> None:
    words = ("prepare", "dvs-gesture", "--T", "4", "--source", source, "--cache", tmp_path, "--dry-run")
    assert "event_frame(T=4" in run(*words).stderr
    assert json.loads(run(*words, "--json").stdout)["sample_shape"] == [4, 2, 128, 128]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("prepare", "dvs-gestures"), 2, "no 'dvs-gestures'; there is dvs-gesture"),
        (("prepare", "dvs-gesture", "--set", "event_frame.bins=3"), 2, "bins: unknown key"),
        (("prepare", "dvs-gesture", "--set", "T=3"), 2, "expected STEP.PARAM=VALUE"),
        (("prepare", "dvs-gesture", "--T", "0"), 2, "greater than or equal to 1"),
        (("prepare", "dvs-gesture", "--twin-size", "30"), 2, "no twin was asked for: add --twin"),
        (("prepare", "dvs-gesture", "--twin", "--source", "."), 2, "exclude each other"),
        (("prepare", "dvs-gesture"), 1, "By hand"),
        (("prepare", "n-mnist", "--source", "/nowhere"), 1, "/nowhere: no such folder"),
        (("train", "dvs-gesture", "--T", "5"), 1, "neurodata prepare dvs-gesture --T 5"),
        (("train", "dvs-gesture", "--fold", "1"), 2, "expected K/N"),
        (("verify", "/nowhere"), 1, "/nowhere"),
        (("view", "/nowhere"), 1, "/nowhere"),
        (("info", "/nowhere"), 1, "no such file or folder"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(words: tuple[str, ...], code: int, message: str) -> None:
    done = run(*words, COLUMNS="200")
    assert done.returncode == code, done.stderr
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_datasets_are_listed(cache: Path) -> None:
    assert "dvs-gesture" in run("datasets").stdout
    rows = {row["name"]: row for row in json.loads(run("datasets", "--json").stdout)}
    assert rows["n-mnist"]["files"] == "downloaded"
    assert rows["dvs-gesture"]["train"] == 1176


def test_formats_are_listed() -> None:
    assert "aedat31" in run("formats").stdout
    rows = {row["name"]: row for row in json.loads(run("formats", "--json").stdout)}
    assert (rows["evt3"]["holds"], rows["evt3"]["written"]) == ("EventArray", True)
    assert rows["prophesee_h5"]["written"] is False


def test_info_describes_datasets_recordings_and_stores(source: Path, store: Path) -> None:
    assert "CC BY 4.0" in run("info", "dvs-gesture").stdout
    recording = json.loads(run("info", source / "user01_led.aedat", "--json").stdout)
    assert (recording["format"], recording["events"], recording["sensor"]) == ("aedat31", 4400, "128x128x2")
    assert recording["order"] == "times never go back"
    assert 0 <= recording["x_range"][0] <= recording["x_range"][1] < 128
    text = source.parent / "untold.csv"
    text.write_text("t[us],x,y,p\n0,3,4,1\n5,40,2,0\n")
    untold = json.loads(run("info", text, "--json").stdout)
    assert (untold["events"], untold["x_range"], untold["y_range"]) == (2, [3, 40], [2, 4])
    assert untold["sensor"] == "not told: state it with --sensor; these events need 41x5"
    pictured = run("info", source / "user01_led.aedat").stdout
    assert "events over time (" in pictured
    assert "█" in pictured
    facts = json.loads(run("info", store, "--json").stdout)
    assert facts["schemes"]["official"] == {"train": 22, "validation": 0, "test": 11}


def test_verify_finds_a_flipped_byte(store: Path, tmp_path: Path) -> None:
    assert run("verify", store, "--deep").returncode == 0
    shard = next(path for path in store.glob("data.zarr/sparse/code/*/c/0") if path.is_file())
    whole = shard.read_bytes()
    try:
        shard.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        done = run("verify", store, "--deep", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["problems"]
    finally:
        shard.write_bytes(whole)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_view_writes_a_picture(source: Path, cache: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"sample{suffix}"
    done = run("view", "dvs-gesture", "--T", "4", "--source", source, "--cache", cache, "-i", "2", "-o", out)
    assert done.stdout.strip() == str(out), done.stderr
    with Image.open(out) as picture:
        assert getattr(picture, "n_frames", 1) == (4 if suffix == ".gif" else 1)
        assert min(picture.size) >= 128


def test_pictures_are_prepared_and_drawn_without_a_word_of_events(tmp_path: Path) -> None:
    words = ("mnist", "--twin", "--twin-size", "20", "--cache", tmp_path)
    done = run("prepare", *words)
    assert "prepared mnist: 20 samples\n" in done.stderr
    out = tmp_path / "digit.png"
    done = run("view", *words, "-o", out)
    assert done.stdout.strip() == str(out), done.stderr
    assert "events" not in done.stderr
    assert "form      pictures 28x28x1" in run("info", "mnist").stdout
    assert "sound at 16000 Hz, 1 channel" in run("datasets", COLUMNS="200").stdout


def test_view_of_a_raw_recording_and_of_a_wrong_suffix(source: Path, tmp_path: Path) -> None:
    assert run("view", source / "user01_led.aedat", "-o", tmp_path / "r.png").returncode == 0
    done = run("view", source / "user01_led.aedat", "-o", tmp_path / "r.jpg")
    assert done.returncode == 1
    assert "pictures end in .png" in done.stderr


def test_view_of_a_sample_that_is_not_there(source: Path, cache: Path) -> None:
    done = run("view", "dvs-gesture", "--T", "4", "--source", source, "--cache", cache, "-i", "999", COLUMNS="200")
    assert done.returncode == 2
    assert "samples 0 to 21" in done.stderr


def test_a_store_by_its_folder_takes_no_choices_and_a_misspelt_dataset_is_named(store: Path) -> None:
    done = run("view", store, "--T", "8", COLUMNS="400")
    assert done.returncode == 2
    assert "is a store's folder" in done.stderr
    assert re.search(r"nor a dataset \(.*dvs-gesture, ", run("train", "dvs-gestur").stderr)


def test_info_of_a_folder_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "not a store" in run("info", tmp_path).stderr


def test_convert_keeps_every_event_and_replaces_nothing_unasked(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "user01.bin"
    done = run("convert", source / "user01_led.aedat", out, "--to", "nmnist")
    assert done.stdout.strip() == str(out), done.stderr
    facts = json.loads(run("info", out, "--format", "nmnist", "--sensor", "128x128", "--json").stdout)
    assert (facts["events"], facts["sensor"]) == (4400, "128x128x2")
    again = run("convert", source / "user01_led.aedat", out, "--to", "nmnist")
    assert (again.returncode, "--force" in again.stderr) == (1, True)
    assert run("convert", source / "user01_led.aedat", out, "--to", "nmnist", "--force").returncode == 0
    wrong = run("info", out, "--sensor", "128")
    assert (wrong.returncode, "WIDTHxHEIGHT" in wrong.stderr) == (2, True)


def test_train_reports_three_accuracies_and_goes_on_where_it_stopped(store: Path, cache: Path, tmp_path: Path) -> None:
    words = ("train", store, "--cache", cache, "--epochs", "1", "--val", "group:0.3", "--run", "short")
    words += ("--stage", tmp_path)
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.shard"))
    result = json.loads(done.stdout)
    assert set(result) == {"best-on-test", "validation-selected", "last", "run"}
    assert result["best-on-test"] == result["validation-selected"] == result["last"]
    folder = Path(result["run"])
    assert {path.name for path in folder.iterdir()} >= {"metrics.csv", "metrics.jsonl", "result.json", "training.png"}
    again = run(*words)
    assert "test accuracy (last)" in again.stdout
    assert "epoch   1/1" not in again.stderr


def test_train_does_the_augmentations_of_the_recipe(cache: Path, store: Path, source: Path, tmp_path: Path) -> None:
    steps = 'samples_per_shard = 32\n[[steps]]\nname = "event_frame"\nT = 4\nsplit_by = "count"\n'
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'{steps}[[augment]]\nname = "flip"\n[[augment]]\nname = "mixup"\nuntil_epoch = 75\n')
    words = ("train", "dvs-gesture", "--source", source, "--cache", cache, "--epochs", "1", "--run", "augmented")
    done = run(*words, "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    assert "augmentations of the recipe: flip, mixup" in done.stderr
    assert store.name in json.loads((cache / "runs" / "augmented" / "result.json").read_text())["run"]["store"]
    recipe.write_text(steps)
    without = run(*words, "--recipe", recipe)
    assert without.returncode == 1
    assert 'augment was "(Flip(' in without.stderr


def test_cache_lists_what_is_kept(cache: Path, store: Path) -> None:
    listed = json.loads(run("cache", "--cache", cache, "--json").stdout)
    states = {Path(entry["path"]).name: entry["state"] for entry in listed["entries"]}
    assert states[store.name] == "finished"
    assert run("cache", "--cache", cache / "empty").returncode == 0


def test_a_closed_pipe_is_quiet(store: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(repr(word) for word in COMMAND)} info dvs-gesture | true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_completion_offers_dataset_names() -> None:
    command = Path(sys.executable).with_name("neurodata")
    words = {"COMP_WORDS": "neurodata prepare dvs", "COMP_CWORD": "2", "_NEURODATA_COMPLETE": "complete_bash"}
    done = subprocess.run([command], capture_output=True, text=True, env=os.environ | words, check=False)
    assert done.stdout.split() == ["dvs-gesture"]


def test_spikes_of_one_row_are_drawn_as_channels_over_time(tmp_path: Path) -> None:
    neurodata = importlib.import_module("neurodata")
    n = 50
    spikes = neurodata.EventArray(
        np.arange(n) * 1000, np.arange(n, dtype=np.uint16), np.zeros(n, np.uint16), np.ones(n, bool),
        neurodata.Sensor(64, 1),
    )  # fmt: skip
    neurodata.write(spikes, tmp_path / "a.bs1")
    done = run("view", tmp_path / "a.bs1", "--out", tmp_path / "a.png")
    assert "channel over time" in done.stderr
    with Image.open(tmp_path / "a.png") as picture:
        width, height = picture.size
    assert width > 1200
    assert 128 < height < 300


HUGE = b"% evt 2.0\n% geometry 65536x65536\n% end\n" + (0x80000000).to_bytes(4, "little") + bytes(4)


def test_a_header_of_a_huge_sensor_asks_for_no_memory(tmp_path: Path) -> None:
    (tmp_path / "mine" / "a").mkdir(parents=True)
    path = tmp_path / "mine" / "a" / "g.raw"
    path.write_bytes(HUGE)
    assert json.loads(run("info", path, "--json").stdout)["events"] == 1
    for words, code, message in (
        (("view", path), 2, "too many to draw"),
        (("prepare", f"folder:{path.parents[1]}", "--cache", tmp_path / "cache"), 2, "takes 274.9 GB"),
    ):
        done = run(*words, COLUMNS="200")
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)
        assert message in done.stderr


def test_convert_writes_to_plain_files_only(source: Path, tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(b"kept")
    (tmp_path / "link.bin").symlink_to(tmp_path / "real.bin")
    done = run("convert", source / "user01_led.aedat", tmp_path / "link.bin", "--force")
    assert done.returncode == 1
    assert "is no plain file" in done.stderr
    assert (tmp_path / "real.bin").read_bytes() == b"kept"


def test_train_validates_on_the_part_that_labels_name(source: Path, tmp_path: Path) -> None:
    rows = ["path,label,split,start_us,end_us"]
    for k, split in enumerate(["train"] * 4 + ["val"] * 2 + ["test"] * 2):
        rows.append(f"user01_led.aedat,{'ab'[k % 2]},{split},{1_000_000 + k * 150_000},{1_100_000 + k * 150_000}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    words = (f"folder:{source}", "--labels", tmp_path / "labels.csv", "--T", "2", "--cache", tmp_path / "cache")
    prepared = run("prepare", *words)
    assert prepared.returncode == 0, prepared.stderr
    done = run("train", *words, "--epochs", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["validation-selected"] is not None


def test_info_tells_the_parameters_of_a_step_and_how_a_recipe_says_it() -> None:
    for name, table in (("voxel_grid", "[[steps]]"), ("denoise", "[[steps]]"), ("mixup", "[[augment]]")):
        found = json.loads(run("info", name, "--json").stdout)
        assert found["in a recipe"].startswith(f'{table}\n  name = "{name}"')
        assert found["parameters"]


def test_info_tells_defaults_and_the_parameters_that_a_step_inherits() -> None:
    mixup = json.loads(run("info", "mixup", "--json").stdout)
    assert mixup["call"] == "mixup(from_epoch=0, until_epoch=None, alpha=1.0, p=1.0, per='batch')"
    assert "Beta(alpha, alpha)" in mixup["parameters"]
    assert "from_epoch, until_epoch\n" in mixup["parameters"]
    assert "Without it, as many as it takes" in json.loads(run("info", "event_frame", "--json").stdout)["parameters"]


def test_info_and_bench_take_the_labels_of_a_folder(source: Path, tmp_path: Path) -> None:
    row = "user01_led.aedat,{},train,{},{}"
    rows = [row.format(k / 4, 1_000_000 + k * 150_000, 1_100_000 + k * 150_000) for k in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,target.angle,split,start_us,end_us", *rows]) + "\n")
    words = (f"folder:{source}", "--labels", tmp_path / "labels.csv")
    assert "angle (values, float32 [])" in run("info", *words).stdout
    prepared = run("prepare", *words, "--T", "2", "--cache", tmp_path / "cache")
    assert prepared.returncode == 0, prepared.stderr
    done = run("bench", *words, "--T", "2", "--cache", tmp_path / "cache", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    text = run("info", prepared.stdout.strip()).stdout
    assert "schemes         folder: train 4, validation 0, test 0" in text
    assert "event_frame 1 (T 2, dtype uint16, overflow error, split_by count)" in text
    assert "partial         no" in text


def test_a_dry_run_says_when_samples_differ_in_length() -> None:
    words = ("prepare", "n-mnist", "--twin", "--encoding", "event_frame", "--set", "event_frame.duration_us=20000")
    assert "(time, 2, 34, 34) uint16, time as large as each sample needs" in run(*words, "--dry-run").stderr


def test_the_sizes_of_a_cache_are_told_in_full_on_a_narrow_terminal(store: Path, cache: Path) -> None:
    lines = run("cache", "--cache", cache, COLUMNS="20").stdout.splitlines()
    assert any(re.match(r"stores +[\d.]+ \w?B ", line) and " finished " in line for line in lines)


def test_layouts_are_measured_and_one_is_recommended(source: Path, cache: Path) -> None:
    words = ("prepare", "dvs-gesture", "--T", "4", "--source", source, "--cache", cache, "--layout", "auto")
    found = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert found["recommended"] == run(*words, "--dry-run").stdout.strip() == "sparse"
    assert found["plain"]["dense"] == 4 * 2 * 128 * 128 * 2
    refused = run(*words)
    assert refused.returncode == 2
    assert "add --dry-run" in refused.stderr


def test_a_stage_that_is_too_small_is_a_warning_of_one_line(store: Path, tmp_path: Path) -> None:
    done = run("bench", store, "--threads", "1", "--stage", tmp_path, "--stage-limit", "10")
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "said once" in line]
    assert line.startswith("neurodata: ")
    assert "StorageWarning" not in done.stderr


def test_loading_is_measured(store: Path) -> None:
    found = json.loads(run("bench", store, "--batch-size", "4", "--threads", "1", "--json").stdout)
    assert [rate["dtype"] for rate in found["rates"]] == ["stored", "float32"]
    assert found["limit"] in ("read", "decode", "convert")
    shown = run("bench", store, "--batch-size", "4", "--threads", "1").stdout
    assert "samples/s" in shown


def test_a_store_behind_a_url_is_described_verified_drawn_and_measured(store: Path, tmp_path: Path) -> None:
    url = f"local://{store}"  # of fsspec: read by ranges, as object storage is
    described = json.loads(run("info", url, "--json").stdout)
    assert described == json.loads(run("info", store, "--json").stdout) | {"store": url}
    assert run("verify", url, "--deep").returncode == 0
    assert run("view", url, "-o", tmp_path / "sample.png").returncode == 0
    stage = tmp_path / "scratch"
    stage.mkdir()
    words = ("bench", url, "--batch-size", "4", "--threads", "1", "--json")
    done = run(*words, "--stage", stage, "--stage-limit", "1 GB")
    assert done.returncode == 0, done.stderr
    assert list(stage.rglob("*.shard"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stage-limit", "1GB"), "stage_limit='1GB' without stage="),
        (("--stage", ".", "--stage-limit", "much"), "size 'much': expected bytes, or text such as"),
    ],
)
def test_a_stage_that_cannot_be_is_said(store: Path, words: tuple[str, ...], message: str) -> None:
    done = run("bench", store, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_does_not_work_behind_a_url_is_said(store: Path) -> None:
    done = run("view", f"local://{store}", "--T", "8", COLUMNS="400")
    assert done.returncode == 2
    assert "is a store's URL" in done.stderr
    done = run("info", "memory://user:secret@lab/none")
    assert done.returncode == 1
    assert "no finished store there" in done.stderr
    assert "secret" not in done.stderr


def test_windows_of_recordings_are_prepared_and_found_again_by_the_same_options(tmp_path: Path) -> None:
    n = 400
    sensor = Sensor(20, 16)
    places = np.arange(n, dtype=np.uint16) % 16
    t = 50 * np.arange(n, dtype=np.int64)
    neurodata.write(EventArray(t, places, places, places > 7, sensor), tmp_path / "mine/a/r.es")
    windows = ("--window-us", "4000", "--stride-us", "1500")
    words = (f"folder:{tmp_path / 'mine'}", "--T", "2", "--cache", tmp_path / "cache")
    done = run("prepare", *words, *windows, "--layout", "events", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 11
    viewed = run("view", *words, *windows, "--index", "10", "--out", tmp_path / "seen.png")
    assert viewed.returncode == 0, viewed.stderr
    others = run("view", *words, "--window-us", "4000", "--out", tmp_path / "none.png")
    assert others.returncode != 0
    assert "--window-us 4000" in others.stderr
    assert "folder:DIR only" in run("prepare", "n-mnist", "--window-us", "5").stderr


def test_a_store_of_windows_is_finalised_and_repaired_by_the_same_options(tmp_path: Path) -> None:
    t = 50 * np.arange(400, dtype=np.int64)
    places = np.arange(400, dtype=np.uint16) % 16
    neurodata.write(EventArray(t, places, places, places > 7, Sensor(20, 16)), tmp_path / "mine/a/r.es")
    windows = ("--window-us", "4000", "--stride-us", "1500")
    words = (f"folder:{tmp_path / 'mine'}", "--T", "2", "--layout", "events", "--cache", tmp_path / "cache", *windows)
    assert run("prepare", *words, "--shard", "1/1").returncode == 0
    done = run("finalise", *words, "--json")
    assert done.returncode == 0, done.stderr
    store = Path(json.loads(done.stdout)["store"])
    file = store / "data.zarr/events/t/0/c/0"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    without = run("repair", store, "--source", tmp_path / "mine")
    assert without.returncode == 2
    assert "--labels, --window-us ... as they were" in without.stderr
    done = run("repair", store, "--source", tmp_path / "mine", *windows)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == whole
