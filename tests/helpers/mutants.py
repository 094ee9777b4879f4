"""Damage files, as broken disks, cut downloads and careless editors do."""

from __future__ import annotations

import re

import numpy as np

NASTY = (
    "nan", "inf", "-inf", "1e999", "-1", "0", "1e-320", "99999999999", "9" * 5000, "", "x", "1 2",
    "²", "٣", "ü", "\u2028", "\x00", "\r", "\n", '"', "'", "<", "{", "}", ",", ";", "..", "/",
    "/dev/null",
    "a" * 300, "0x10", "1_0", "-0", "1.5", "None", "true", "\ud800",
)  # fmt: skip
"""Words that have surprised a reader of text before."""


def mutant(data: bytes, chance: np.random.Generator) -> bytes:
    """The file with a few bytes changed, a piece cut out, doubled, zeroed, or its end lost."""
    kind = chance.integers(5)
    # Half of the time near the beginning, where the headers are.
    reach = min(len(data), 400) if chance.random() < 0.5 else len(data)
    at = int(chance.integers(reach))
    size = int(chance.integers(1, 1 + min(64, len(data) - at)))
    if kind == 0:
        changed = bytearray(data)
        for place in chance.integers(0, reach, int(chance.integers(1, 12))):
            changed[place] = chance.integers(256)
        return bytes(changed)
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at + size :]
    if kind == 3:
        return data[:at] + data[at : at + size] * 3 + data[at + size :]
    return data[:at] + bytes(size) + data[at + size :]


def text_mutant(data: bytes, chance: np.random.Generator) -> bytes:
    """The text with a word replaced, a line lost, doubled or moved; or as `mutant` does."""
    kind = chance.integers(6)
    if kind < 2:
        return mutant(data, chance)
    lines = data.splitlines(keepends=True)
    at = int(chance.integers(min(len(lines), 12) if chance.random() < 0.5 else len(lines)))
    if kind == 2:
        del lines[at]
    elif kind == 3:
        lines.insert(int(chance.integers(len(lines))), lines[at])
    else:
        words = list(re.finditer(rb"[^\s,:;='\"<>\[\]{}]+", lines[at]))
        if words:
            # The first words of a line are names and counts: as likely as all others together.
            few = words[:2] if chance.random() < 0.5 else words
            word = few[int(chance.integers(len(few)))]
            new = str(chance.choice(np.array(NASTY, object))).encode("utf-8", "surrogatepass")
            lines[at] = lines[at][: word.start()] + new + lines[at][word.end() :]
    return b"".join(lines)
