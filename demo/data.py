"""The rendered data set: every picture is a function of its split and index, so only pixels are stored."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import numpy as np

from demo.drawing import IMAGE_SIZE, LABEL_GRID, render
from demo.scenes import Scene, sample_judge_scene, sample_scene

TRAIN_COUNT = 24_000
VALIDATION_COUNT = 512
_SPLIT_SEED = {"train": 11, "validation": 12, "judge": 13, "judge-validation": 14}
_CHUNK = 250


def scene_at(split: str, index: int) -> Scene:
    """The scene with this index; the same on every machine."""
    sample = sample_judge_scene if split.startswith("judge") else sample_scene
    return sample(random.Random(_SPLIT_SEED[split] * 10_000_019 + index))


def _paths(folder: Path, split: str) -> tuple[Path, Path]:
    return folder / f"{split}-images.npy", folder / f"{split}-labels.npy"


def _render_chunk(task: tuple[Path, str, int, int]) -> None:
    folder, split, start, stop = task
    images, labels = (np.load(path, mmap_mode="r+") for path in _paths(folder, split))
    for index in range(start, stop):
        picture, labels[index] = render(scene_at(split, index))
        images[index] = np.asarray(picture)


def load_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Memory-mapped pictures (N, 256, 256, 3) and label maps (N, 16, 16) of a prepared split."""
    images, labels = (np.load(path, mmap_mode="r") for path in _paths(folder, split))
    return images, labels


def prepare_split(folder: Path, split: str, count: int) -> None:
    """Render a split with all cores, unless a finished one is there."""
    done = folder / f"{split}.done"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shapes = ((count, IMAGE_SIZE, IMAGE_SIZE, 3), (count, LABEL_GRID, LABEL_GRID))
    for path, shape in zip(_paths(folder, split), shapes, strict=True):
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
    tasks = [(folder, split, start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    with multiprocessing.Pool() as pool:
        list(pool.imap_unordered(_render_chunk, tasks))
    done.touch()
