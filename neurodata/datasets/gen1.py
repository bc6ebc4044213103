"""Gen1 (de Tournemire et al., 2020): 39 hours of driving before an ATIS camera, boxes about cars and pedestrians.

Published form: folders `train` (1,460 recordings of 60 s), `val` (429) and `test` (470), in ten archives (7z) behind a
form on Prophesee's page. In them `DRIVE_START_STOP_td.dat` (DAT; RVT's copies have `..._td.dat.h5`) and beside it
`DRIVE_START_STOP_bbox.npy`, records of boxes: labelled one to four times a second, of cars (class_id 0) and pedestrians
(1). A sample is the 50 ms up to and with a labelled time, as long as in RVT, and has the boxes of that time; other
lengths, and sliding windows, can be stated (`--before-us`, `--window-us`).

A row of `boxes` is t_us, x, y, w, h, class_id, confidence, track_id. Boxes are as published: neither clipped to the
frame nor filtered. `clip_boxes` and `filter_boxes(boxes, 30, 10)` of `neurodata.datasets` do what is done to them
before Prophesee's evaluation counts. Four recordings have no boxes left then (RVT takes them out). A window that would
begin before its recording has what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Partition, Source
from neurodata.datasets._prophesee import PropheseeDetection
from neurodata.signals import Sensor

SENSOR = Sensor(304, 240)
PAGE = "https://www.prophesee.ai/2020/01/24/prophesee-gen1-automotive-detection-dataset/"


class Gen1(PropheseeDetection):
    """Prophesee's Gen1 Automotive Detection Dataset."""

    name = "gen1"
    version = 1
    title = "Gen1: 39 hours of driving, boxes about cars and pedestrians"
    form = SENSOR
    objects = ("car", "pedestrian")
    sources = (
        Source(
            filename="train.tar",
            checksum="",
            manual=(
                f"accept Prophesee's terms on {PAGE} (a form; not for commercial use), download train_a.7z to "
                "train_f.7z and unpack them with `7z x` (750 GB with the others)"
            ),
        ),
        Source("val.tar", "", manual="from there, val_a.7z and val_b.7z"),
        Source("test.tar", "", manual="from there, test_a.7z and test_b.7z"),
    )
    licence = "Prophesee's terms: not commercial"
    citation = (
        "de Tournemire, Nitti, Perot, Migliore and Sironi, A Large Scale Event-based Detection Dataset for Automotive, "
        "arXiv:2001.08499, 2020"
    )
    homepage = PAGE
    published_recordings: ClassVar[Mapping[Partition, int]] = {"train": 1460, "validation": 429, "test": 470}
    twin_size = 48

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Things that drive and walk past a simulated camera, in the published tree."""
        from neurodata.datasets._drive_twin import Style, write_drive_twin

        style = Style(SENSOR, every_us=250_000, samples_a_recording=6, n_classes=len(self.objects), is_old=True)
        return write_drive_twin(self.name, style, folder, seed, size)


DATASET = Gen1()
