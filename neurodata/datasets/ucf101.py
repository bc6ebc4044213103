"""UCF101 (Soomro, Zamir and Shah, 2012): 101 human actions in 13,320 clips from YouTube, 320x240 pixels.

Published form: clips `v_<Class>_gNN_cNN.avi`, in a folder for each class (UCF101.rar, which has to be unpacked by hand)
or all in one (the zip copy that is fetched here), and the lists `ucfTrainTestlist/trainlist01.txt` to `testlist03.txt`,
three ways to split. Clips of one group (`gNN` of a class) are cut from one video: the lists keep groups together, and a
split of your own must. Published results are on the first list, or the mean over the three. There is no validation set.

The clips v_PommelHorse_g05_c01 to c04 are 400x226: they are cut at the sides and get black bars above and below (found
in the code of others, not in the files, which nobody looked at here).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import (
    Dataset,
    Partition,
    SampleRef,
    Scheme,
    Source,
    find_folder,
    list_recordings,
    read_lines,
)
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.formats import Reading
from neurodata.forms import ClipForm
from neurodata.signals import Clip

WIDTH, HEIGHT = 320, 240
LISTS = "ucfTrainTestlist"
CLIP_FOLDERS = ("UCF-101", "UCF101", "")
CLIP_NAME = re.compile(r"v_([A-Za-z]+)_g(\d{2})_c(\d{2})\.avi", re.ASCII)
LIST_ROW = re.compile(r"(?:[^/\s]+/)?([^/\s]+)(?:\s+(\d{1,3}))?", re.ASCII)
NAMES = """
    ApplyEyeMakeup ApplyLipstick Archery BabyCrawling BalanceBeam BandMarching BaseballPitch Basketball
    BasketballDunk BenchPress Biking Billiards BlowDryHair BlowingCandles BodyWeightSquats Bowling BoxingPunchingBag
    BoxingSpeedBag BreastStroke BrushingTeeth CleanAndJerk CliffDiving CricketBowling CricketShot CuttingInKitchen
    Diving Drumming Fencing FieldHockeyPenalty FloorGymnastics FrisbeeCatch FrontCrawl GolfSwing Haircut Hammering
    HammerThrow HandstandPushups HandstandWalking HeadMassage HighJump HorseRace HorseRiding HulaHoop IceDancing
    JavelinThrow JugglingBalls JumpingJack JumpRope Kayaking Knitting LongJump Lunges MilitaryParade Mixing
    MoppingFloor Nunchucks ParallelBars PizzaTossing PlayingCello PlayingDaf PlayingDhol PlayingFlute PlayingGuitar
    PlayingPiano PlayingSitar PlayingTabla PlayingViolin PoleVault PommelHorse PullUps Punch PushUps Rafting
    RockClimbingIndoor RopeClimbing Rowing SalsaSpin ShavingBeard Shotput SkateBoarding Skiing Skijet SkyDiving
    SoccerJuggling SoccerPenalty StillRings SumoWrestling Surfing Swing TableTennisShot TaiChi TennisSwing ThrowDiscus
    TrampolineJumping Typing UnevenBars VolleyballSpiking WalkingWithDog WallPushups WritingOnBoard YoYo
"""
CLASSES = tuple(NAMES.split())
# Names of files spell one class HandStandPushups, the lists HandstandPushups.
CLASS_INDEX = {name.lower(): index for index, name in enumerate(CLASSES)}


class Ucf101(Dataset):
    """UCF101 as the University of Central Florida published it, or its copy in one zip archive."""

    name = "ucf101"
    version = 1
    title = "UCF101: 101 human actions in 13,320 clips"
    form = ClipForm(WIDTH, HEIGHT, 3)
    format = "avi"
    classes = CLASSES
    sources = (
        Source(
            filename="UCF101_videos.zip",
            checksum="sha256:dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
            urls=("https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",),
            size_bytes=6_960_400_115,
        ),
        Source(
            filename="UCF101TrainTestSplits-RecognitionTask.zip",
            checksum="sha256:5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
            urls=("https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",),
            size_bytes=113_943,
        ),
    )
    licence = "for research; the clips are from YouTube"
    citation = "Soomro, Zamir and Shah, UCF101: A Dataset of 101 Human Actions Classes, CRCV-TR-12-01, 2012"
    homepage = "https://www.crcv.ucf.edu/data/UCF101.php"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 9537, "validation": 0, "test": 3783}
    default_scheme = "official-1"
    # No class is one of a side.
    label_maps: ClassVar[Mapping[str, Mapping[int, int]]] = {"flip_x": {}}
    twin_size = 303

    def find_root(self, folder: Path) -> Path:
        """The folder that holds `ucfTrainTestlist`: this one, or one folder further down."""
        return find_folder(self.name, folder, LISTS, "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a clip that is there, by class and name; the key is as in the lists, wherever the clip lies.

        Raises
        ------
        SourceNotFoundError
            When there is no clip.
        FormatError
            When a clip has a name of another form.
        """
        refs = [_ref(root, path) for path in _clips(root)]
        if not refs:
            raise SourceNotFoundError(
                f"{root}: no clips like UCF-101/Archery/v_Archery_g01_c01.avi or UCF101/v_Archery_g01_c01.avi; unpack "
                f"UCF101_videos.zip there, or UCF101.rar with a program of your own (no script here reads .rar)"
            )
        return sorted(refs, key=lambda ref: (ref.target, ref.key))

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official-1` to `official-3`: the published lists, as far as their clips are there.

        Raises
        ------
        SourceNotFoundError, FormatError
            When a list is missing, has a row of another form, or names a clip that stands in the other list, too.
        """
        there = {ref.key for ref in samples}
        return {f"official-{number}": _scheme(root, number, there) for number in (1, 2, 3)}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The six lists."""
        return [_list(root, part, number) for number in (1, 2, 3) for part in ("train", "test")]

    def arranged(self, ref: SampleRef, reading: Reading) -> Reading:
        """The clip at 320x240 pixels; those of another size are counted as "clips cut and barred to 320x240"."""
        clip = reading.signal
        if not isinstance(clip, Clip) or clip.frames.shape[1:3] == (HEIGHT, WIDTH):
            return reading
        findings = reading.findings + Counter({f"clips cut and barred to {WIDTH}x{HEIGHT}": 1})
        return Reading(Clip(fitted(clip.frames), clip.fps), findings)

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Short drawn clips in the published archives."""
        from neurodata.datasets._clip_twin import write_clip_twin

        return write_clip_twin(folder, seed, size)


def fitted(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of frames [n, height, width, c] as [n, 240, 320, c]: cut where too large, black where too small."""
    n, height, width, n_channels = frames.shape
    fit = np.zeros((n, HEIGHT, WIDTH, n_channels), np.uint8)  # [n, 240, 320, c]
    from_y, to_y = max(0, height - HEIGHT) // 2, max(0, HEIGHT - height) // 2
    from_x, to_x = max(0, width - WIDTH) // 2, max(0, WIDTH - width) // 2
    rows, columns = min(height, HEIGHT), min(width, WIDTH)
    fit[:, to_y : to_y + rows, to_x : to_x + columns] = frames[:, from_y : from_y + rows, from_x : from_x + columns]
    return fit


def _clips(root: Path) -> list[Path]:
    """Clips in the first of the usual folders that has any, directly or in folders of classes."""
    for name in CLIP_FOLDERS:
        base = root / name
        found = [path for folder in ("", *CLASSES) for path in list_recordings(base / folder, ".avi")]
        if found:
            return found
    return []


def _ref(root: Path, path: Path) -> SampleRef:
    told = _told(path.name)
    if told is None:
        raise FormatError(f"{path}: a clip of UCF101 is called v_<Class>_gNN_cNN.avi; take it out of the folder")
    target, group = told
    return SampleRef(
        key=f"{CLASSES[target]}/{path.name}",
        recording=path.relative_to(root).as_posix(),
        target=target,
        group=f"{CLASSES[target]}/g{group}",
    )


def _told(filename: str) -> tuple[int, str] | None:
    """Class and group that the name of a clip tells."""
    match = CLIP_NAME.fullmatch(filename)
    target = None if match is None else CLASS_INDEX.get(match[1].lower())
    return None if match is None or target is None else (target, match[2])


def _list(root: Path, part: str, number: int) -> Path:
    return root / LISTS / f"{part}list{number:02d}.txt"


def _listed(path: Path) -> Iterator[str]:
    """Keys of a list, which says the class of a clip by folder and name, and in training by its number from 1 on."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = LIST_ROW.fullmatch(line.strip())
        told = None if match is None else _told(match[1])
        if match is None or told is None or match[2] not in (None, str(told[0] + 1)):
            raise FormatError(
                f"{path}: line {number} is {line!r}; expected <Class>/v_<Class>_gNN_cNN.avi and the class's number"
            )
        yield f"{CLASSES[told[0]]}/{match[1]}"


def _scheme(root: Path, number: int, there: set[str]) -> Scheme:
    train, test = (list(_listed(_list(root, part, number))) for part in ("train", "test"))
    if twice := [key for key, n in Counter([*train, *test]).items() if n > 1]:
        raise FormatError(f"{_list(root, 'test', number)}: {twice[0]} stands in it and the other list, or twice in one")
    return Scheme(
        name=f"official-{number}",
        description=f"the published lists trainlist{number:02d} and testlist{number:02d}; no validation set",
        train=tuple(key for key in train if key in there),
        validation=(),
        test=tuple(key for key in test if key in there),
    )


DATASET = Ucf101()
