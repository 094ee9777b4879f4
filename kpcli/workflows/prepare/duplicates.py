"""Find pictures that are the same: a perceptual hash proposes, a second look decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcli.progress import progress
from kpcli.types import Pixels

Codes = NDArray[np.uint64]

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


def linked_groups(
    pairs: Sequence[tuple[Path, str]], fingerprints: Mapping[Path, Fingerprint]
) -> dict[str, str]:
    """For each group, the first by name of all groups that share a picture with it.

    ``pairs`` are (picture, group); faces of one picture may be of several groups. What two groups
    share with a third links them too.
    """
    leader = {group: group for _, group in pairs}

    def first(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    groups: dict[Path, str] = {}
    for path, group in pairs:
        a, b = first(groups.setdefault(path, group)), first(group)
        leader[max(a, b)] = min(a, b)
    paths = sorted(p for p in groups if p in fingerprints)
    codes = _codes(paths, fingerprints)
    for i, j, _ in _near(codes, codes):
        a, b = first(groups[paths[i]]), first(groups[paths[j]])
        if i < j and a != b:
            thumbnails = (fingerprints[paths[k]].thumbnail for k in (i, j))
            if correlation(*thumbnails) >= MIN_CORRELATION:
                leader[max(a, b)] = min(a, b)
    return {group: first(group) for group in leader}


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


def _codes(paths: Sequence[Path], fingerprints: Mapping[Path, Fingerprint]) -> Codes:
    return np.array([fingerprints[p].code for p in paths], np.uint64)


def _near(a: Codes, b: Codes) -> Iterator[tuple[int, int, int]]:
    """(row of a, row of b, bits that differ) of each pair within `MAX_DISTANCE`."""
    for start in progress(range(0, len(a), _CHUNK), "comparing pictures"):
        bits = np.bitwise_count(a[start : start + _CHUNK, None] ^ b)
        for i, j in np.argwhere(bits <= MAX_DISTANCE):
            yield start + int(i), int(j), int(bits[i, j])
