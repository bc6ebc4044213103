"""What a file holds, as facts by name and as pictures in the terminal: a recording, a collection, another signal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import parse_item
from .plot import bars, shaded

if TYPE_CHECKING:
    from neurodata.formats import Collection, Recording
    from neurodata.report import Survey
    from neurodata.signals import Sensor

Facts = dict[str, Any]
PICTURE_COLUMNS = 48
EVENTS_PER_PACKET = 1 << 20


def describe_file(path: Path, format: str | None, sensor: Sensor | None, item: str | None) -> tuple[Facts, list[str]]:
    """Facts as JSON values, and lines of pictures (none for what is no recording of events)."""
    from neurodata import registry
    from neurodata.errors import UntoldSensorError
    from neurodata.formats import CollectionFormat, Format, SignalFormat, detect, open_collection, open_recording
    from neurodata.report import survey_recording
    from neurodata.signals import Clip, Sensor

    found = detect(path) if format is None else registry.formats[format]
    facts: Facts = {"file": str(path), "format": found.name}
    if isinstance(found, SignalFormat):
        facts |= {"holds": found.gives.__name__} | dict(found.describe(path))
        # A clip is not decoded for this: it may take minutes.
        return facts if found.gives is Clip else facts | {"findings": dict(found.read(path, None, None).findings)}, []
    if isinstance(found, CollectionFormat) and item is None:
        return facts | _collection_facts(open_collection(path, found.name, sensor), found.gives), []
    key = parse_item(item)
    untold: Facts = {}
    try:
        recording = open_recording(path, found.name, sensor, item=key)
    except UntoldSensorError:
        # Its pictures are drawn on the smallest grid that holds the events; the fact says that this is no answer.
        smallest = _smallest_sensor(open_recording(path, found.name, Sensor(65536, 65536), item=key))
        recording = open_recording(path, found.name, smallest, item=key)
        untold = {"sensor": f"not told: state it with --sensor; these events need {smallest.width}x{smallest.height}"}

    # A character is twice as high as it is wide.
    rows = PICTURE_COLUMNS * recording.sensor.height // recording.sensor.width // 2
    survey = survey_recording(recording, columns=PICTURE_COLUMNS, rows=min(max(rows, 1), PICTURE_COLUMNS))
    if isinstance(found, Format) and not found.tells_sensor and sensor is None:
        untold = {"sensor": f"{recording.sensor}, the smallest usual one that holds these events: the file tells none"}
    return facts | _recording_facts(recording, survey) | untold, _pictures(recording, survey)


def _smallest_sensor(recording: Recording) -> Sensor:
    from neurodata.signals import Sensor

    width, height = 1, 1
    for events in recording.packets(EVENTS_PER_PACKET):
        width, height = max(width, int(events.x.max()) + 1), max(height, int(events.y.max()) + 1)
    return Sensor(width, height)


def _collection_facts(collection: Collection, gives: type) -> Facts:
    classes = collection.classes
    labels = [] if collection.labels is None else [classes[label] for label in collection.labels.tolist()]
    return {
        "holds": f"{len(collection.keys)} samples, each {gives.__name__}",
        "sensor": None if collection.sensor is None else str(collection.sensor),
        "samples": len(collection.keys),
        "first_samples": list(collection.keys[:5]),
        "classes": dict(Counter(labels)),
        "groups": None if collection.groups is None else dict(Counter(collection.groups)),
    }


def _recording_facts(recording: Recording, survey: Survey) -> Facts:
    n = recording.n_events
    duration_s = (recording.stop_us - recording.start_us) / 1e6
    sensor = recording.sensor
    busiest = survey.busiest_pixel
    return {
        "sensor": str(sensor),
        "events": n,
        "start_us": recording.start_us,
        "stop_us": recording.stop_us,
        "duration_s": round(duration_s, 6),
        "events_per_s": round(n / duration_s) if duration_s else None,
        "on_fraction": round(survey.n_on / n, 4) if n else None,
        "order": _order(n, recording.findings["late"]),
        "x_range": survey.x_range,
        "y_range": survey.y_range,
        "active_pixels": survey.n_active_pixels and round(survey.n_active_pixels / (sensor.width * sensor.height), 4),
        "busiest_pixel": busiest and {"x": busiest[0], "y": busiest[1], "events": busiest[2]},
        "findings": dict(recording.findings),
    }


def _order(n_events: int, n_late: int) -> str:
    if n_events == 0:
        return "no events"
    return f"{n_late} events stand after a later one; put in order" if n_late else "times never go back"


def _pictures(recording: Recording, survey: Survey) -> list[str]:
    if recording.n_events == 0:
        return []
    milliseconds = (recording.stop_us - recording.start_us) / 1000
    peak = int(survey.rate.max()) / (milliseconds / len(survey.rate)) * 1000
    lines = [f"events over time ({milliseconds:,.1f} ms; the highest bar is {peak:,.0f} events/s)"]
    lines += [f"|{line}|" for line in bars(survey.rate.tolist())]
    if recording.sensor.height > 1:
        lines += ["", f"where they are ({recording.sensor.width}x{recording.sensor.height} pixels)"]
    else:
        lines += ["", f"channels 0 to {recording.sensor.width - 1}"]
    edge = "-" * survey.picture.shape[1]
    lines += [f"+{edge}+", *(f"|{line}|" for line in shaded(survey.picture.tolist())), f"+{edge}+"]
    return lines
