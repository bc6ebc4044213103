"""How other libraries keep and load the samples of `benchmarks.loader`, each as its documentation says."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from benchmarks.loader_candidates import BATCH, SHAPE, Batches, Candidate, Frames, InProcess, Peer, index_batches, label
from benchmarks.loader_mds import Remote
from benchmarks.peers import spikingjelly_event_functions

PER_SHARD = 32
WORKERS = (0, 2)  # of torch's DataLoader and its like


def with_workers(make: Callable[[int], Any]) -> dict[str, Candidate]:
    """Loaders of (frames, label) with each number of worker processes."""

    def batches(loader: Any) -> Batches:
        return lambda: (frames for frames, _ in loader)

    return {f"{workers} workers": InProcess(batches(make(workers))) for workers in WORKERS}


def torch_loaders(dataset: Any) -> dict[str, Candidate]:
    return with_workers(
        lambda workers: DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    )


def sample_loop(n: int, read: Callable[[int, Frames], object]) -> Batches:
    """Batches filled sample by sample, as far as the library has no call for many: `read(k, out)`."""
    indices = index_batches(n)

    def batches() -> Iterator[Frames]:
        for chosen in indices():
            batch = np.empty((len(chosen), *SHAPE), np.uint8)
            for out, k in zip(batch, chosen, strict=True):
                read(int(k), out)
            yield batch

    return batches


class InMemory:
    """A dataset to write from."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, k: int) -> tuple[Frames, int]:
        return np.array(self.frames[k]), label(k)


def tonic(compress: bool) -> Peer:
    def cached(folder: Path, dataset: InMemory | None) -> Any:
        return import_module("tonic").DiskCachedDataset(dataset, cache_path=str(folder), compress=compress)

    def write(folder: Path, frames: Frames) -> None:
        whole = cached(folder, InMemory(frames))
        for k in range(len(whole)):
            whole[k]

    return Peer(write, lambda folder: torch_loaders(cached(folder, None)))


class NpzFolder(Dataset[Any]):
    """What `NeuromorphicDatasetFolder` does for every sample: torchvision's DatasetFolder calls `load_npz_frames`."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.rglob("*.npz"))
        self.load = spikingjelly_event_functions().load_npz_frames

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, k: int) -> tuple[Any, int]:
        return self.load(str(self.files[k])), int(self.files[k].parent.name)


def spikingjelly_write(folder: Path, frames: Frames) -> None:
    save = spikingjelly_event_functions().np_savez
    for k, one in enumerate(frames):
        (folder / str(label(k))).mkdir(exist_ok=True)
        save(folder / str(label(k)) / f"{k}.npz", frames=one)


def webdataset_write(folder: Path, frames: Frames) -> None:
    with import_module("webdataset").ShardWriter(f"{folder}/%05d.tar", maxcount=PER_SHARD, verbose=0) as writer:
        for k, one in enumerate(frames):
            writer.write({"__key__": f"{k:06}", "npy": np.array(one), "cls": label(k)})


def webdataset_open(folder: Path) -> dict[str, Candidate]:
    wds = import_module("webdataset")
    shards = sorted(map(str, folder.glob("*.tar")))

    def make(workers: int) -> Any:
        dataset = wds.WebDataset(shards, shardshuffle=len(shards)).shuffle(4 * PER_SHARD).decode()
        batched = dataset.to_tuple("npy", "cls").batched(BATCH)
        return wds.WebLoader(batched, batch_size=None, num_workers=workers, persistent_workers=workers > 0)

    return with_workers(make)


def litdata_sample(path: str, shape: tuple[int, ...], k: int) -> tuple[Any, int]:
    return np.array(np.memmap(path, np.uint8, "r", shape=shape)[k]), label(k)


def litdata_write(folder: Path, frames: Frames) -> None:
    litdata = import_module("litdata")
    sample = partial(litdata_sample, str(frames.filename), frames.shape)  # type: ignore[attr-defined]  # a memmap
    litdata.optimize(
        fn=sample,
        inputs=list(range(len(frames))),
        output_dir=str(folder / "chunks"),
        chunk_bytes="16MB",
        compression="zstd",
        compression_level="chunk",  # 0.2.76 cannot read what it writes with its default, "batch"
        num_workers=1,
    )


def litdata_open(folder: Path) -> dict[str, Candidate]:
    litdata = import_module("litdata")

    def make(workers: int) -> Any:
        dataset = litdata.StreamingDataset(str(folder / "chunks"), shuffle=True, seed=0)
        return litdata.StreamingDataLoader(
            dataset, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0
        )

    return with_workers(make)


def hdf5(filters: Callable[[], dict[str, Any]]) -> Peer:
    def write(folder: Path, frames: Frames) -> None:
        with import_module("h5py").File(folder / "frames.h5", "w") as file:
            dataset = file.create_dataset("frames", frames.shape, "u1", chunks=(1, *SHAPE), **filters())
            for k, one in enumerate(frames):
                dataset[k] = one

    def open_(folder: Path) -> dict[str, Candidate]:
        filters()  # registers what it was written with
        dataset = import_module("h5py").File(folder / "frames.h5")["frames"]
        loop = sample_loop(len(dataset), lambda k, out: dataset.read_direct(out, np.s_[k]))
        # Not dataset[indices]: that is a dozen times as slow.
        return {"sample by sample": InProcess(loop)}

    return Peer(write, open_)


def blosc() -> dict[str, Any]:
    return dict(import_module("hdf5plugin").Blosc())


def zarr_write(compressed: bool, folder: Path, frames: Frames) -> None:
    zarr = import_module("zarr")
    array = zarr.create_array(
        folder / "frames.zarr",
        shape=frames.shape,
        dtype="uint8",
        chunks=(1, *SHAPE),
        shards=(PER_SHARD, *SHAPE),
        compressors="auto" if compressed else None,
    )
    for start in range(0, len(frames), PER_SHARD):
        array[start : start + PER_SHARD] = frames[start : start + PER_SHARD]


def zarr_open(pipeline: str, folder: Path) -> dict[str, Candidate]:
    zarr = import_module("zarr")
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        array = zarr.open_array(folder / "frames.zarr", mode="r")

    n = int(array.shape[0])

    def read(k: int, out: Frames) -> None:
        out[...] = array[k]

    # Not array.oindex[indices]: that is sixty times as slow.
    return {"sample by sample": InProcess(sample_loop(n, read))}


def zarrs_open(folder: Path) -> dict[str, Candidate]:
    import_module("zarrs")
    return zarr_open("zarrs.ZarrsCodecPipeline", folder)


def tensorstore_open(folder: Path) -> dict[str, Candidate]:
    ts = import_module("tensorstore")
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / "frames.zarr")}}
    array = ts.open(spec, read=True).result()
    n = int(array.shape[0])
    indices = index_batches(n)

    def together() -> Iterator[Any]:
        for chosen in indices():
            with ts.Batch() as batch:
                reads = [array[int(k)].read(batch=batch) for k in chosen]
            yield np.stack([one.result() for one in reads])

    return {
        "batched reads": InProcess(together),
        "oindex": InProcess(lambda: (array.oindex[one].read().result() for one in indices())),
    }


def needing(module: str, write: Callable[[Path, Frames], None]) -> Callable[[Path, Frames], None]:
    """A `write` of another library than the one that reads, which has to be there too."""

    def checked(folder: Path, frames: Frames) -> None:
        import_module(module)
        write(folder, frames)

    return checked


def mds_write(folder: Path, frames: Frames) -> None:
    python = mds_environment(folder.parents[2] / "mds-environment")
    command = [str(python), "-I", *mds_arguments("write", folder / "shards"), str(frames.filename)]  # type: ignore[attr-defined]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])


def mds_open(folder: Path) -> dict[str, Candidate]:
    python = mds_environment(folder.parents[2] / "mds-environment")
    return {
        f"{workers} workers": Remote([str(python), "-I", *mds_arguments("serve", folder / "shards"), str(workers)])
        for workers in WORKERS
    }


def mds_arguments(task: str, folder: Path) -> list[str]:
    return [str(Path(__file__).with_name("loader_mds.py")), task, str(folder)]


def mds_environment(folder: Path) -> Path:
    """Its Python: with a numpy of its own, before everything else that this one has (torch need not come twice)."""
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        requirements = Path(__file__).with_name("requirements-loader-mds.txt")
        install = [
            str(python),
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--requirement",
            str(requirements),
        ]
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], install):
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                raise ImportError(f"no environment: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
        own = next(folder.glob("lib/python*/site-packages"))
        (own / "parent.pth").write_text(sysconfig.get_path("purelib") + "\n")
        done.touch()
    return python


def peers() -> dict[str, Peer]:
    zarrs_write = needing("zarrs", partial(zarr_write, True))
    default = "zarr.core.codec_pipeline.BatchedCodecPipeline"
    return {
        "tonic-lzf": tonic(compress=True),
        "tonic-none": tonic(compress=False),
        "spikingjelly-npz": Peer(spikingjelly_write, lambda folder: torch_loaders(NpzFolder(folder))),
        "webdataset": Peer(webdataset_write, webdataset_open),
        "litdata-zstd": Peer(litdata_write, litdata_open),
        "mds-zstd": Peer(mds_write, mds_open),
        "hdf5-blosc": hdf5(blosc),
        "hdf5-none": hdf5(dict),
        "zarr-zstd": Peer(partial(zarr_write, True), partial(zarr_open, default)),
        "zarr-none": Peer(partial(zarr_write, False), partial(zarr_open, default)),
        "zarrs-zstd": Peer(zarrs_write, zarrs_open),
        "zarrs-none": Peer(needing("zarrs", partial(zarr_write, False)), zarrs_open),
        "tensorstore-zstd": Peer(needing("tensorstore", partial(zarr_write, True)), tensorstore_open),
        "tensorstore-none": Peer(needing("tensorstore", partial(zarr_write, False)), tensorstore_open),
    }
