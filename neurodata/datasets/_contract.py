"""What a dataset offers: where its files come from, which samples they hold, how these are split."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray

from neurodata import registry
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import AnyFormat, Reading
from neurodata.forms import Form, Sensor
from neurodata.signals import KINDS, Signal
from neurodata.storage import is_file, is_folder, parse_checksum
from neurodata.targets import TargetSpec

if TYPE_CHECKING:
    from neurodata.datasets._folder_windows import Windows

Partition = Literal["train", "validation", "test"]
PARTITIONS: tuple[Partition, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Source:
    """One published file.

    Parameters
    ----------
    filename
        Name under which it lies in the downloads folder.
    checksum
        "md5:<hex>" or "sha256:<hex>" as published; empty where nobody published one: such a file is not fetched, and is
        taken only unpacked, from a folder that a person names.
    urls
        Where to get it, in order of preference; empty when no script can.
    size_bytes
        As published, where known.
    manual
        What a person has to do when no script can, in one sentence.
    is_archive
        False for a recording that is published as it is: it is not unpacked.

    Raises
    ------
    ValueError
        When the checksum is of another form.
    """

    filename: str
    checksum: str
    urls: tuple[str, ...] = ()
    size_bytes: int | None = None
    manual: str = ""
    is_archive: bool = True

    def __post_init__(self) -> None:
        if self.checksum:
            parse_checksum(self.checksum)


@dataclass(frozen=True, slots=True)
class SampleRef:
    """One training example as a place in a file: what a plan and a task carry instead of the signal.

    Parameters
    ----------
    key
        Stable name: the recording's path, with the interval where a recording holds several samples.
    recording
        Path of the file below the dataset's root, with forward slashes.
    start_us, stop_us
        Half-open interval on the recording's clock; None is the file's own start or end.
    item
        Number of the sample in a file of many; None: the file is one recording.
    format
        Of the file; None: the dataset's.
    target
        Class index, 0-based; 0 where the dataset has no classes.
    group
        Speaker, subject or user: what must not straddle a split.
    told
        What `Dataset.targets` makes the sample's other targets of, in the dataset's own words: numbers, paths of files.

    Raises
    ------
    FormatError
        When the key is not UTF-8: a store could not name the sample.
    """

    key: str
    recording: str
    target: int
    group: str
    start_us: int | None = None
    stop_us: int | None = None
    item: int | None = None
    format: str | None = None
    told: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            self.key.encode()
        except UnicodeEncodeError:
            raise FormatError(f"{self.key!r}: the name of the file is not UTF-8: rename it") from None


@dataclass(frozen=True, slots=True)
class Scheme:
    """A named way to split a dataset: ordered keys of each partition.

    Raises
    ------
    ValueError
        When a key stands in two partitions or twice in one.
    """

    name: str
    description: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        keys = [*self.train, *self.validation, *self.test]
        if len(set(keys)) != len(keys):
            raise ValueError(f"scheme {self.name}: a sample stands in it twice")

    @property
    def sha256(self) -> str:
        """Hash of the ordered key lists: two schemes with the same hash split alike."""
        text = "\n".join(f"{partition}\t{key}" for partition in PARTITIONS for key in getattr(self, partition))
        return hashlib.sha256(text.encode()).hexdigest()


class Dataset(ABC):
    """A public dataset; one file in `datasets/` defines one, as `DATASET`.

    `version` is raised when samples, keys, labels or their order change for the same files.
    """

    name: str
    version: ClassVar[int]
    title: str
    # What is known of every sample before it is read: the pixel grid of events, the rate of sound ...
    form: Form
    # The format of its recordings, unless a sample says another one.
    format: str
    classes: tuple[str, ...]
    sources: ClassVar[tuple[Source, ...]]
    licence: ClassVar[str]
    citation: ClassVar[str]
    homepage: ClassVar[str]
    # Samples per partition of the default scheme in the published files; empty where nobody says (`is_complete`).
    published_counts: ClassVar[Mapping[Partition, int]]
    default_scheme: ClassVar[str] = "official"
    # Where its files lie, for a dataset that is a folder of somebody's own; None for published ones.
    own_folder: Path | None = None
    # Whether events are read with the dataset's sensor, whatever files say; else one that tells another is an error.
    imposes_sensor: bool = True
    # What becomes of a class when a transform changes what is seen ("flip_x", "reverse_time" ...): {index: index} of
    # those that change. A change that is not named is not known to leave classes what they are.
    label_maps: ClassVar[Mapping[str, Mapping[int, int]]] = {}
    # What samples have besides a class (`targets`), known without their files; part of the identity of a store.
    target_specs: tuple[TargetSpec, ...] = ()
    # How samples are cut from long recordings, where that was stated (`with_windows`).
    windows: Windows | None = None
    # Raised when the twin's files change for the same seed and size.
    twin_version: ClassVar[int] = 1
    # Samples of the twin unless asked otherwise.
    twin_size: ClassVar[int] = 240

    @abstractmethod
    def find_root(self, folder: Path) -> Path:
        """The folder below which `samples` finds its files, searched for in an unpacked archive.

        Raises
        ------
        SourceNotFoundError
            When the folder does not hold the dataset; says which entry was looked for.
        """

    @abstractmethod
    def samples(self, root: Path) -> Sequence[SampleRef]:
        """Every sample in the files below root, in a stable order; reads lists and labels, not events."""

    @abstractmethod
    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """The named ways to split these samples, the default one first."""

    @abstractmethod
    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Write a small generated look-alike in the published on-disk form: the archives, named as in `sources`."""

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """The targets of one sample, by name: one of the type and shape of each of `target_specs`.

        Called in the worker that prepares the sample.

        Parameters
        ----------
        root
            As for `samples`.
        ref
            The sample.
        signal
            Its signal as read, before any step.
        """
        return {}

    def arranged(self, ref: SampleRef, reading: Reading) -> Reading:
        """A signal in the form of the dataset, where its files differ among themselves; as read, where they do not.

        Not asked for recordings of events. What is changed is counted in the findings.

        Parameters
        ----------
        ref
            The sample.
        reading
            As its format read it.
        """
        return reading

    def is_complete(self, samples: Sequence[SampleRef], scheme: Scheme) -> bool:
        """Whether these are all samples that were published, by what its default scheme holds of them."""
        return all(len(getattr(scheme, name)) == count for name, count in self.published_counts.items())

    def with_windows(self, windows: Windows) -> Dataset:
        """The dataset with samples that are cut from its recordings like this; part of its identity.

        Raises
        ------
        RecipeError
            When its samples are no windows of recordings.
        """
        raise RecipeError(
            f"{self.name}: labels, format, sensor and windows are stated for folder:DIR only; {self.name} has its own"
        )

    @property
    def gives(self) -> type[Signal]:
        """The kind of signal that its samples are."""
        return KINDS[type(self.form)]

    @property
    def sensor(self) -> Sensor | None:
        """The pixel grid of its events; None where samples are no events."""
        return self.form if isinstance(self.form, Sensor) else None

    @property
    def recipe(self) -> str:
        """Name of the recipe that it is prepared by unless another one is asked for."""
        return self.name

    def identity(self) -> dict[str, Any]:
        """What the identity of a store holds of the dataset, as JSON values."""
        return {"name": self.name, "version": self.version}

    def readers(self) -> dict[str, Any] | list[dict[str, Any]]:
        """The formats that its samples are read by, and their versions: part of the identity of a store."""
        return {"name": self.format, "version": registry.formats[self.format].version}

    def format_of(self, ref: SampleRef) -> AnyFormat:
        """What reads the sample's recording: the format of its file, or what a dataset that is no files has instead.

        Asked in the worker that prepares the sample.
        """
        found: AnyFormat = registry.formats[ref.format or self.format]
        return found

    def source_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The files that samples come from, each of which is hashed for a source that nobody published."""
        return [*(root / ref.recording for ref in samples), *self.label_files(root, samples)]

    def source_facts(self, root: Path, samples: Sequence[SampleRef]) -> object:
        """What samples depend on besides the bytes of files, such as the names of folders: JSON values, or None."""
        return None

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The files besides the recordings that samples and schemes are read from."""
        return ()


def find_folder(dataset: str, folder: Path, entry: str, below: str, others: Sequence[str] = ()) -> Path:
    """The folder that holds `entry`, or one of the `others`: this one, or the first that matches `below` in it.

    Raises
    ------
    SourceNotFoundError
        When neither does.
    """
    for candidate in (folder, *sorted(folder.glob(below))):
        if any(is_file(candidate / name) or is_folder(candidate / name) for name in (entry, *others)):
            return candidate
    raise SourceNotFoundError(
        f"{folder}: no {entry} there nor in {below}/ below it: not the files of {dataset} as published "
        f"(`neurodata info {dataset}` shows the expected tree)"
    )


def read_lines(path: Path) -> list[str]:
    """Lines of a small text file of a dataset.

    Raises
    ------
    SourceNotFoundError, FormatError
        When it is missing, or is not text.
    """
    try:
        return path.read_text("utf-8-sig").splitlines()  # editors may put a byte order mark before the text
    except FileNotFoundError:
        raise SourceNotFoundError(f"{path} is missing; unpack the dataset again") from None
    except OSError as error:
        raise SourceNotFoundError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: byte {error.start} is not text; the file is damaged: unpack it again") from None


def list_recordings(folder: Path, suffix: str) -> list[Path]:
    """Files of a folder with this suffix, sorted by name, hidden ones left out; none when the folder is missing.

    Raises
    ------
    SourceNotFoundError
        When the folder cannot be read.
    """
    try:
        # Sorted: the order of a directory listing differs between machines. Hidden: "._00001.bin" is macOS's.
        return sorted(path for path in folder.iterdir() if path.suffix == suffix and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceNotFoundError(f"{folder} cannot be read: {error.strerror}") from None
