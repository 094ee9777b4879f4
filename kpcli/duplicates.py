"""Find the same picture in two splits: a perceptual hash proposes, a second look decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcli.types import Pixels

MAX_DISTANCE = 10
"""Bits of 64 by which the hashes of two encodings of one picture may differ."""
MIN_CORRELATION = 0.94
"""Least correlation of two thumbnails.

Re-encoded, resized, brightened copies reach 0.96 and more, copies cropped by 2 % mostly so;
different pictures of 300-W, CelebA, YouTube Faces and WIDER FACE stay below 0.93.
"""
THUMBNAIL = 32
_SHIFT = 2
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``code`` is the 64-bit perceptual hash, ``thumbnail`` (32, 32) uint8 gray."""

    code: int
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One picture in two splits: the files, the bits that differ, the thumbnails' correlation."""

    first: Path
    first_split: str
    second: Path
    second_split: str
    distance: int
    correlation: float


def fingerprint(pixels: Pixels) -> Fingerprint:
    """Hash and thumbnail of a picture (H, W, 3)."""
    import imagehash

    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # The hash looks at 32 x 32 pixels: average down to a few times that before.
    small = cv2.resize(gray, (128, 128), interpolation=cv2.INTER_AREA)
    code = int(str(imagehash.phash(Image.fromarray(small))), 16)
    thumbnail = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return Fingerprint(code, np.asarray(thumbnail, np.uint8))


def across_splits(
    splits: Mapping[str, Sequence[Path]], fingerprints: Mapping[Path, Fingerprint]
) -> list[Duplicate]:
    """Every pair of pictures of two different splits that look the same.

    ``splits`` is split to pictures; pictures without a fingerprint are left out.
    """
    known = {
        split: sorted({p for p in paths if p in fingerprints}) for split, paths in splits.items()
    }
    found = []
    for (split_a, a), (split_b, b) in combinations(sorted(known.items()), 2):
        for i, j, distance in _near(_codes(a, fingerprints), _codes(b, fingerprints)):
            alike = correlation(fingerprints[a[i]].thumbnail, fingerprints[b[j]].thumbnail)
            if a[i] == b[j] or alike >= MIN_CORRELATION:
                found.append(Duplicate(a[i], split_a, b[j], split_b, distance, alike))
    return found


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Best correlation of two thumbnails when one's middle is moved a little over the other.

    Flat thumbnails correlate with nothing but themselves.
    """
    middle = slice(_SHIFT, -_SHIFT)
    pairs = ((a, b[middle, middle]), (b, a[middle, middle]))
    if any(part.std() == 0 for _, part in pairs):
        return float(np.array_equal(a, b))
    return max(
        float(cv2.matchTemplate(whole, np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED).max())
        for whole, part in pairs
    )


def _codes(paths: Sequence[Path], fingerprints: Mapping[Path, Fingerprint]) -> NDArray[np.uint8]:
    """Hashes as (N, 8) bytes."""
    codes = np.array([fingerprints[p].code for p in paths], np.uint64)
    return codes[:, None].view(np.uint8)


def _near(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """(row of a, row of b, bits that differ) of each pair within `MAX_DISTANCE`."""
    ones = np.array([bin(v).count("1") for v in range(256)], np.uint8)
    pairs = []
    for start in range(0, len(a), _CHUNK):
        part = a[start : start + _CHUNK]
        bits = np.zeros((len(part), len(b)), np.uint8)
        for byte in range(8):
            bits += ones[part[:, byte, None] ^ b[None, :, byte]]
        for i, j in np.argwhere(bits <= MAX_DISTANCE):
            pairs.append((start + int(i), int(j), int(bits[i, j])))
    return pairs
