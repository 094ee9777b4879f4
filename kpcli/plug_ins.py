"""What plug-ins are: a name's entry, the table that loads it, and what each kind of module offers.

The tables themselves, where a new plug-in is registered, are `kpcli.catalogue`.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, runtime_checkable

from kpcli.errors import ModelError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kpcli.schemes import LandmarkScheme
    from kpcli.types import FaceBox, Frame, FrameFaces, Note, Reject, Sample


@dataclass(frozen=True)
class Entry:
    """One named plug-in."""

    module: str
    help: str


M = TypeVar("M", covariant=True)
E = TypeVar("E", bound=Entry)


class Table(Mapping[str, E], Generic[E, M]):
    """Plug-ins of one kind by name; `load` gives the module, which offers ``M``."""

    def __init__(self, kind: str, entries: Mapping[str, E]) -> None:
        self.kind = kind
        self._entries = entries

    def __getitem__(self, name: str) -> E:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> M:
        """Import the module behind a name.

        Raises
        ------
        UsageError
            If the table has no such name.
        ModelError
            If something that the module needs is not installed.
        """
        if name not in self:
            raise UsageError(f"unknown {self.kind} {name!r}", expected=", ".join(self))
        try:
            return cast(M, importlib.import_module(self[name].module))
        except ImportError as e:
            if e.name and e.name.startswith("kpcli"):
                raise
            raise ModelError(
                f"the {self.kind} {name!r} needs a package that is not installed",
                actual=str(e),
                next_step=f"pip install {e.name or 'it'}",
            ) from e


@dataclass(frozen=True)
class Architecture(Entry):
    """One named architecture."""

    weights: tuple[str, ...] = ("none", "file")
    """What it may start from, of ``none``, ``imagenet`` and a file of its weights."""


class DatasetFormat(Protocol):
    """What a module of `FORMATS` offers."""

    def sniff(self, root: Path) -> bool:
        """Whether the folder (or file) looks like this format; cheap, never raises."""

    def read(self, root: Path) -> Iterable[Sample | Reject | Note]:
        """Yield every labelled face as it stands, and a `Reject` for each damaged label."""


class Detector(Protocol):
    """Finds faces; what ``create`` of a module of `DETECTORS` returns."""

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Faces of each frame, best first."""


@runtime_checkable
class GlancingDetector(Detector, Protocol):
    """One that can also look cheaply, for a video's frames between the full looks."""

    def glance(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Faces of each frame, best first; small ones may be missing."""


@runtime_checkable
class ShrinkingDetector(Detector, Protocol):
    """One for which large pictures need not be read at their full size."""

    def shrink(self, width: int, height: int) -> int:
        """1, or 2: a picture of this size may be read at half of it, for nothing finer is seen."""


class DetectorModule(Protocol):
    """What a module of `DETECTORS` offers."""

    GIVEN: bool
    """The boxes are given, not found: in videos, every frame has its own."""

    def create(self, argument: str | None, size: int, device: str) -> Detector:
        """The detector of ``name:argument``, which looks at this long side in pixels.

        ``device`` is one of `kpcli.options.DEVICES`, where a network of ours finds the faces.
        """


class Writer(Protocol):
    """What ``create`` of a module of `WRITERS` gives inside its ``with`` block."""

    def write(self, frame: FrameFaces) -> None:
        """Add one frame; frames come file by file, in the order of the file."""


class WriterModule(Protocol):
    """What a module of `WRITERS` offers."""

    OUTPUT: str
    """The file or folder it writes, relative to the output folder."""
    PACKAGE: str
    """The library beyond kpcli's own that it imports; "" for none."""

    def create(
        self, out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
    ) -> AbstractContextManager[Writer]:
        """A writer whose output appears (or is replaced) when the block ends well.

        ``extras`` are names of `kpcli.writers.landmark_csv.Extra`: what the faces have besides.
        """


class ArchitectureModule(Protocol):
    """What a module of `ARCHITECTURES` offers: constants and ``build``."""

    INPUT_SIZE: int
    COLOUR: str
    TASK: str
    """What it is for; see `kpcli.model_bundle.ModelCard`."""

    @property
    def STRIDES(self) -> Sequence[int]:  # noqa: N802
        """Of a detector: pixels between the cells of each scale; else empty."""

    def build(self, n_points: int, *, weights: str = "none") -> Any:
        """A keras.Model: (B, S, S, 3 or 1) in 0..255 to a dict with ``points`` (B, N, 2)."""


class Runtime(Protocol):
    """What ``create`` of a module of `RUNTIMES` returns."""

    line: str
    """The library, its version and the device that runs."""

    def run(self, pictures: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""


class RuntimeModule(Protocol):
    """What a module of `RUNTIMES` offers; importing it does not import its library."""

    FILE: str
    """The export that it runs, a file or folder of the bundle."""
    PACKAGE: str
    """The library that it imports."""
    INSTALL: str
    """What pip installs to have it."""

    def create(self, path: Path, threads: int = 0, device: str = "auto") -> Runtime:
        """Open the export; ``threads`` 0: as many as the library likes.

        ``device`` is one of `kpcli.options.DEVICES`; what does not know it refuses.
        """


class ExporterModule(Protocol):
    """What a module of `EXPORTERS` offers."""

    FILE: str
    """The export that it makes, a file or (without an ending) a folder of the bundle."""

    @property
    def QUANTIZE(self) -> Sequence[str]:  # noqa: N802
        """What it knows of ``none``, ``float16`` (weights) and ``int8``."""

    def export(
        self,
        weights: Path,
        path: Path,
        *,
        quantize: str = "none",
        calibration: Sequence[NDArray[np.uint8]] = (),
    ) -> None:
        """Write the export of ``weights`` to ``path`` (a new file, or a folder that exists).

        ``calibration`` are typical inputs (B, H, W, C), for int8.
        """

    def open_export(self, path: Path) -> Runtime:
        """Open what `export` wrote, to check it."""
