"""Pictures of event frames: a contact sheet (PNG) or a moving one (GIF); ON orange, OFF blue, on white."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from neurodata.errors import NeurodataError
from neurodata.storage import writing

# Okabe and Ito's colours, told apart by colour-blind readers: RGB.
OFF_RGB, ON_RGB = np.array([0, 114, 178]), np.array([213, 94, 0])
SMALLEST_SIDE_PX = 128
CAPTION_PX, GAP_PX = 14, 4
WIDEST_PX = 1200


def paint(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of frames: [T, C, H, W] to [T, H, W, 3]; the darkest is the 99th percentile of the numbers.

    Of one channel, numbers below zero have the colour of OFF; of two, only how large they are is shown; three are red,
    green and blue. A raster [T, N] or [T, 2, N] is one picture, with time to the right; of real numbers, such as a
    spectrogram in decibels, the smallest is white. A grid [T, C, Z, Y, X] is seen from above.
    """
    counts = _pictures(frames)  # [T, C, H, W]
    if counts.shape[1] == 3:
        return _in_colour(counts)
    if counts.shape[1] == 1 and counts.min(initial=0) < 0:
        counts = np.concatenate([np.maximum(-counts, 0), np.maximum(counts, 0)], axis=1)
    counts = np.abs(counts)
    seen = counts[counts > 0]
    full = float(np.percentile(seen, 99)) if len(seen) else 1.0
    strength = np.sqrt(np.clip(counts / full, 0, 1))  # The root lifts single events out of the white.
    pictures = np.full((*strength[:, 0].shape, 3), 255.0)  # [T, H, W, 3]
    colours = (OFF_RGB, ON_RGB) if strength.shape[1] == 2 else (ON_RGB,)
    for channel, rgb in enumerate(colours):
        pictures -= strength[:, channel, :, :, None] * (255.0 - rgb)
    return np.clip(pictures, 0, 255).astype(np.uint8)


def _pictures(frames: NDArray[Any]) -> NDArray[np.float64]:
    """Frames of any encoding as [T, C, H, W]."""
    values = frames.astype(np.float64)
    if values.ndim == 2:
        is_real = frames.dtype.kind == "f" and values.min(initial=0) < 0
        return (values - values.min() if is_real else values).T[np.newaxis, np.newaxis]
    if values.ndim == 3:
        return values.transpose(1, 2, 0)[np.newaxis]
    if values.ndim == 5:
        summed: NDArray[np.float64] = values.sum(axis=2)
        return summed
    if values.ndim != 4:
        raise NeurodataError(f"a sample of shape {'x'.join(map(str, frames.shape))} is none that can be drawn")
    return values


def _in_colour(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pictures [T, H, W, 3] of [T, 3, H, W]: the smallest number is dark, the largest bright."""
    lowest = values.min(initial=0)
    bright = (values - lowest) / max(float(values.max(initial=0) - lowest), 1e-9) * 255
    pictures: NDArray[np.uint8] = bright.transpose(0, 2, 3, 1).astype(np.uint8)
    return pictures


def contact_sheet(frames: NDArray[Any], title: str) -> Image.Image:
    """All T frames of one sample, as `paint` takes them, in reading order and numbered, under a title."""
    pictures = [_enlarge(picture) for picture in paint(frames)]
    width, height = pictures[0].size
    rows = -(-len(pictures) // max(1, WIDEST_PX // (width + GAP_PX)))
    columns = -(-len(pictures) // rows)  # as even as can be
    cell_width, cell_height = width + GAP_PX, height + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * cell_width + GAP_PX, rows * cell_height + CAPTION_PX + GAP_PX), (232, 232, 232))
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP_PX, 1), title, fill=(0, 0, 0))
    for step, picture in enumerate(pictures):
        left = GAP_PX + step % columns * cell_width
        top = CAPTION_PX + GAP_PX + step // columns * cell_height
        sheet.paste(picture, (left, top))
        draw.text((left, top + height), f"t={step}", fill=(90, 90, 90))
    return sheet


def save_sample(frames: NDArray[Any], path: Path, title: str, frames_per_second: float = 8.0) -> None:
    """Write a sample, as `paint` takes it, as a contact sheet (.png) or an animation (.gif).

    Raises
    ------
    NeurodataError
        When the suffix is another one, or the sample has a shape that cannot be drawn.
    StorageError
        When the file cannot be written.
    """
    if path.suffix.lower() == ".png":
        with writing(path) as file:
            contact_sheet(frames, title).save(file, format="PNG")
    elif path.suffix.lower() == ".gif":
        first, *rest = (_enlarge(picture) for picture in paint(frames))
        with writing(path) as file:
            first.save(file, format="GIF", save_all=True, append_images=rest, duration=1000 / frames_per_second, loop=0)
    else:
        raise NeurodataError(f"{path}: pictures end in .png (all steps side by side) or .gif (moving)")


def _enlarge(picture: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(picture)
    factor = max(1, -(-SMALLEST_SIDE_PX // min(image.size)))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
