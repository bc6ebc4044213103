"""Primate reaching (O'Doherty et al., 2017): spikes of two monkeys' motor cortex while they reach for targets.

Published form: MATLAB files of one session each (Zenodo 583331), of which NeuroBench (Yik et al., Nature Communications
2025) takes six: three of Indy (96 channels of M1) and three of Loco (192 channels: M1, then S1). A sample is one reach,
as NeuroBench cuts them: the time to one target, which begins with the last bin of the target before. What is to be told
is the velocity of the cursor: a series of as many rows as bins, in mm/s (NeuroBench's is in mm a bin of 4 ms: divide by
250). There are no classes.

Counts are of channels, all units of each together (also those that were not sorted): [n_bins, 192] in bins of 4 ms. The
last 96 columns of Indy's sessions are zero. NeuroBench trains and scores a network for each session: the schemes named
after sessions; R2 of Indy's and Loco's are not to be pooled.

NeuroBench puts spikes a bin later, and makes several in one bin of a channel one: the format `nhp_mat` and the step
`bin_spikes` say how to have it so. The order of channels, and what the sessions hold, is from others' accounts: no
published session was at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import floor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.formats import Reading
from neurodata.formats.nhp_mat import reaches
from neurodata.forms import SpikeCountsForm
from neurodata.signals import Signal, SpikeCounts
from neurodata.storage import is_file
from neurodata.targets import TargetSpec

BIN_US, N_CHANNELS = 4000, 192
# Of each session the published checksum; in NeuroBench's order.
SESSIONS = {
    "indy_20160622_01": "md5:c33d5fff31320d709d23fe445561fb6e",
    "indy_20160630_01": "md5:197413a5339630ea926cbd22b8b43338",
    "indy_20170131_02": "md5:2790b1c869564afaa7772dbf9e42d784",
    "loco_20170210_03": "md5:4cae63b58c4cb9c8abd44929216c703b",
    "loco_20170215_02": "md5:739b70762d838f3a1f358733c426bb02",
    "loco_20170301_05": "md5:47342da09f9c950050c9213c3df38ea3",
}
CHANNELS_OF = {"indy": 96, "loco": 192}
# NeuroBench's max_segment_length, in bins: the monkey rests in reaches as long as this, or longer.
REST_BINS = 2000
VELOCITY = "cursor_velocity_mm_s"


class PrimateReaching(Dataset):
    """The six sessions of NeuroBench's task of motor prediction."""

    name = "primate-reaching"
    version = 1
    title = "Primate reaching: six sessions of two monkeys, the velocity of a cursor from spikes of motor cortex"
    form = SpikeCountsForm(N_CHANNELS, BIN_US)
    format = "nhp_mat"
    classes = ()
    target_specs = (TargetSpec("velocity", "series", np.dtype(np.float32), (0, 2), ("time", "axis")),)
    sources = tuple(
        Source(
            filename=f"{session}.mat",
            checksum=checksum,
            urls=(f"https://zenodo.org/record/583331/files/{session}.mat",),
            is_archive=False,
        )
        for session, checksum in SESSIONS.items()
    )
    licence = "CC BY 4.0"
    citation = (
        "O'Doherty, Cardoso, Makin and Sabes, Nonhuman Primate Reaching with Multichannel Sensorimotor Cortex "
        "Electrophysiology, Zenodo 583331, 2017"
    )
    homepage = "https://zenodo.org/records/583331"
    # How many reaches the sessions have was not found published.
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    twin_size = 120

    def find_root(self, folder: Path) -> Path:
        """The folder that holds a session of the six: this one, or the first below it that does."""
        for candidate in (folder, *sorted(folder.glob("*"))):
            if any(is_file(_file(candidate, session)) for session in SESSIONS):
                return candidate
        raise SourceNotFoundError(
            f"{folder}: none of {', '.join(f'{session}.mat' for session in SESSIONS)} there nor in a folder below it"
        )

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a reach of the sessions that are there, in the order of time; empty ones are none.

        The key is the session and the number of the reach, from 0 on and with the empty ones, as NeuroBench counts.
        Reaches are their own groups: of one session all are alike.

        Raises
        ------
        FormatError, MissingExtraError
            When a session is damaged, or the extra `hdf5` is not installed.
        """
        return [
            ref
            for session in SESSIONS
            if is_file(_file(root, session))
            for ref in _reaches(session, reaches(_file(root, session)))
        ]

    def is_complete(self, samples: Sequence[SampleRef], scheme: Scheme) -> bool:
        """Whether all six sessions are there."""
        return {_session(ref.key) for ref in samples} == set(SESSIONS)

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """NeuroBench's split of each session by the number of the reach, in time, and what differs from it.

        `official`: the first half trains, the next quarter validates, the last one tests (train_ratio=0.5, as the
        leaderboard). `active`: the same without reaches of 8 s and longer (remove_segments_inactive=True). `ratio-80`:
        80 %, 10 % and 10 % (the default of its code). And one scheme a session, with its part of `official`.
        """
        n_reaches = Counter[str]()
        for ref in samples:
            n_reaches[_session(ref.key)] = max(n_reaches[_session(ref.key)], _number(ref.key) + 1)

        def scheme(name: str, what: str, ratio: float, refs: Iterable[SampleRef]) -> Scheme:
            parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
            for ref in refs:
                parts[partition_of(_number(ref.key), n_reaches[_session(ref.key)], ratio)].append(ref.key)
            return Scheme(name, what, *map(tuple, parts.values()))

        halves = "50 % of the reaches train, the next 25 % validate, the last 25 % test, as on NeuroBench's board"
        schemes = [
            scheme("official", f"of each session {halves}", 0.5, samples),
            scheme("active", f"of each session {halves}, without rests of 8 s", 0.5, filter(is_active, samples)),
            scheme("ratio-80", "of each session 80 % of the reaches train, 10 % validate, 10 % test", 0.8, samples),
        ]
        for session in n_reaches:
            alone = [ref for ref in samples if _session(ref.key) == session]
            schemes.append(scheme(session, f"{session} alone: {halves}", 0.5, alone))
        return {one.name: one for one in schemes}

    def arranged(self, ref: SampleRef, reading: Reading) -> Reading:
        """Counts of channels, uint16 [n_bins, 192]: units are added up, and channels that a monkey lacks are zeros.

        Raises
        ------
        FormatError
            When the session has units of another number of channels, or other bins.
        """
        signal = reading.signal
        n_channels = CHANNELS_OF[ref.recording[:4]]
        if not isinstance(signal, SpikeCounts) or signal.counts.shape[1] % n_channels or signal.bin_us != BIN_US:
            raise FormatError(
                f"{ref.recording}: {signal!r}; expected bins of {BIN_US} us and units of {n_channels} channels: the "
                "file is damaged, or another session under this name"
            )
        n_bins = len(signal.counts)
        counts = np.zeros((n_bins, N_CHANNELS), np.uint16)  # [n_bins, 192]
        counts[:, :n_channels] = signal.counts.reshape(n_bins, n_channels, -1).sum(axis=2, dtype=np.uint16)
        return reading._replace(signal=replace(signal, counts=counts))

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """`velocity`: float32 [n_bins, 2], that of the cursor along the file's x and y, in mm/s."""
        assert isinstance(signal, SpikeCounts)
        return {"velocity": signal.targets[VELOCITY].astype(np.float32)}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Neurons that prefer directions while a cursor is moved from target to target, in the published files."""
        from neurodata.datasets._reach_twin import write_reach_twin

        return write_reach_twin(folder, seed, size)


def partition_of(number: int, n_reaches: int, train_ratio: float) -> str:
    """Where NeuroBench puts a reach: train, validation and test follow in time; what rounding leaves is for testing."""
    n_train = floor(train_ratio * n_reaches)
    n_validation = (n_reaches - n_train) // 2
    return "train" if number < n_train else "validation" if number < n_train + n_validation else "test"


def is_active(ref: SampleRef) -> bool:
    """Whether a reach takes less than 8 s."""
    assert ref.start_us is not None
    assert ref.stop_us is not None
    return round((ref.stop_us - ref.start_us) / BIN_US) < REST_BINS


def _reaches(session: str, ends_us: NDArray[np.int64]) -> list[SampleRef]:
    return [
        SampleRef(
            key=f"{session}:{number:04d}",
            recording=f"{session}.mat",
            target=0,
            group=f"{session}:{number:04d}",
            start_us=start_us,
            stop_us=stop_us,
        )
        for number, (start_us, stop_us) in enumerate(zip(ends_us[:-1].tolist(), ends_us[1:].tolist(), strict=True))
        if stop_us > start_us
    ]


def _file(root: Path, session: str) -> Path:
    return root / f"{session}.mat"


def _session(key: str) -> str:
    return key.partition(":")[0]


def _number(key: str) -> int:
    return int(key.partition(":")[2])


DATASET = PrimateReaching()
