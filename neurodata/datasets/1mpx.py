# ruff: noqa: N999 - a dataset's name is the name of its file
"""1Mpx (Perot et al., NeurIPS 2020): 14.65 hours of driving before a camera of a megapixel, boxes of seven classes.

Published form: folders `train` (11.2 h), `val` (2.2 h) and `test` (2.3 h) of recordings of 60 s, behind a form on
Prophesee's page. In them `DRIVE_START_STOP_td.dat` (DAT; RVT's copies have `..._td.dat.h5`) and beside it
`DRIVE_START_STOP_bbox.npy`, records of boxes, 30 or 60 times a second; class_id 0 to 6: pedestrian, two wheeler, car,
truck, bus, traffic sign, traffic light. Recordings without a file of boxes (four of `test`, as NeuroBench has it) have
no samples.

A sample is the 50 ms up to and with a labelled time, and has the boxes of that time; of labelled times those are taken
that are 95 ms apart, or more, which is the tenth of a second of RVT. With `--before-us` all are taken; with
`--window-us` windows slide, and have all boxes of their time.

A row of `boxes` is t_us, x, y, w, h, class_id, confidence, track_id. Boxes are as published: neither clipped to the
frame nor filtered, and of all classes. The paper and those after it count only the first three classes, of boxes as
`filter_boxes(boxes, 60, 20)` of `neurodata.datasets` leaves them.
"""

from __future__ import annotations

from pathlib import Path

from neurodata.datasets._contract import Source
from neurodata.datasets._prophesee import PropheseeDetection
from neurodata.signals import Sensor

SENSOR = Sensor(1280, 720)
PAGE = "https://www.prophesee.ai/2020/11/24/automotive-megapixel-event-based-dataset/"


class OneMegapixel(PropheseeDetection):
    """Prophesee's 1 Megapixel Automotive Detection Dataset."""

    name = "1mpx"
    version = 1
    title = "1Mpx: 14.65 hours of driving in a megapixel, boxes of seven classes"
    form = SENSOR
    objects = ("pedestrian", "two wheeler", "car", "truck", "bus", "traffic sign", "traffic light")
    least_gap_us = 95_000
    may_lack_labels = True
    sources = (
        Source(
            filename="train.tar",
            checksum="",
            manual=(
                f"accept Prophesee's terms on {PAGE} (a form; not for commercial use), download the recordings "
                "and labels of the folder train, and unpack them"
            ),
        ),
        Source("val.tar", "", manual="from there, the folder val"),
        Source("test.tar", "", manual="from there, the folder test"),
    )
    licence = "Prophesee's terms: not commercial"
    citation = (
        "Perot, de Tournemire, Nitti, Masci and Sironi, Learning to Detect Objects with a 1 Megapixel Event Camera, "
        "NeurIPS 2020"
    )
    homepage = PAGE
    twin_size = 18

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Things that drive and walk past a simulated camera, in the published tree."""
        from neurodata.datasets._drive_twin import Style, write_drive_twin

        style = Style(SENSOR, every_us=16_667, labels_a_sample=6, samples_a_recording=4, n_classes=len(self.objects))
        return write_drive_twin(self.name, style, folder, seed, size)


DATASET = OneMegapixel()
