"""ONNX Runtime as WebAssembly, of the npm package ``onnxruntime-web`` that the user has.

kpcli does not carry it (14 MB of a program that only this page runs, and in its own version), and
makes no connection to fetch it. Its licence is that of ``onnxruntime``, which is installed.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kpcli.errors import ModelError

PACKAGE = "onnxruntime-web"
GLUE, WASM = "dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"
"""The smallest build: processor only, all operators."""
TESTED = "1.30.0"
LARGEST = 64_000_000
"""Bytes of a file of the package."""
NEXT_STEP = (
    f"run `npm pack {PACKAGE}@{TESTED}` in this folder (or download https://registry.npmjs.org/"
    f"{PACKAGE}/-/{PACKAGE}-{TESTED}.tgz), or name a copy with --web-runtime"
)


@dataclass(frozen=True)
class WebRuntime:
    """The runtime's two files, its version, its licence and what that asks to be passed on."""

    glue: bytes
    wasm: bytes
    version: str
    licence: str
    notices: bytes

    @classmethod
    def open(cls, place: Path | None) -> WebRuntime:
        """From the package, a ``.tgz`` or its folder; None: what lies in the current folder.

        Raises
        ------
        ModelError
            If there is none, or it is not the package.
        """
        path = _here() if place is None else place
        names = ("package.json", GLUE, WASM)
        try:
            files = _of_folder(path, names) if path.is_dir() else _of_archive(path, names)
            about = json.loads(files["package.json"])
            if about.get("name") != PACKAGE:
                raise ValueError(f"the package {about.get('name')!r}")
        except (OSError, EOFError, KeyError, ValueError, AttributeError, tarfile.TarError) as e:
            raise ModelError(
                f"{path}: not the npm package {PACKAGE}",
                expected=f"its .tgz or its folder, with {GLUE} and {WASM}",
                actual=str(e),
                next_step=NEXT_STEP,
            ) from e
        licence, notices = _terms()
        return cls(files[GLUE], files[WASM], str(about.get("version", "")), licence, notices)


def _here() -> Path:
    folder = Path("node_modules") / PACKAGE
    if folder.is_dir():
        return folder
    packed = sorted(Path().glob(f"{PACKAGE}-[0-9]*.tgz"), key=lambda p: p.stat().st_mtime)
    if packed:
        return packed[-1]
    raise ModelError(
        "the page needs ONNX Runtime as WebAssembly, which kpcli does not carry",
        expected=f"{PACKAGE}-*.tgz or node_modules/{PACKAGE} in the current folder",
        next_step=NEXT_STEP,
    )


def _of_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    for name in names:
        if (folder / name).stat().st_size > LARGEST:
            raise ValueError(f"{name} is larger than {LARGEST} bytes")
    return {name: (folder / name).read_bytes() for name in names}


def _of_archive(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            if name not in names or not member.isfile():
                continue
            if member.size > LARGEST:
                raise ValueError(f"{name} is larger than {LARGEST} bytes")
            file = archive.extractfile(member)
            found[name] = file.read() if file else b""
    for name in names:
        if name not in found:
            raise ValueError(f"no {name}")
    return found


def _terms() -> tuple[str, bytes]:
    """The licence and the third parties' notices, of the installed onnxruntime."""
    spec = find_spec("onnxruntime")
    folder = Path(spec.origin).parent if spec and spec.origin else Path("onnxruntime")
    try:
        licence = (folder / "LICENSE").read_text(encoding="utf-8")
        return licence, (folder / "ThirdPartyNotices.txt").read_bytes()
    except OSError as e:
        raise ModelError(
            "the page must hold the licence of ONNX Runtime, which is not there",
            expected=str(folder / "LICENSE"),
            next_step="pip install --force-reinstall onnxruntime",
        ) from e
