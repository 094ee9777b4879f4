"""What an export gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """The file or folder that was written, and what its checks gave."""

    path: Path
    lines: Sequence[str]

    def summary(self) -> str:
        """Size, deviation from Keras, errors on the faces it was checked on."""
        return "\n".join(self.lines)
