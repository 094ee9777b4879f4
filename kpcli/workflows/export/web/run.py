"""Write the page: networks, runtime, styles and scripts in one file that asks for nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kpcli.catalogue import EXPORTERS
from kpcli.detectors.builtin import BUNDLE
from kpcli.errors import ModelError, UsageError
from kpcli.model_bundle import LANDMARKS, ModelBundle
from kpcli.options import ExportOptions
from kpcli.outputs import Outputs
from kpcli.runtimes import open_runtime
from kpcli.runtimes.onnx_runtime import OnnxRuntime
from kpcli.version import __version__
from kpcli.workflows.export.exported import Exported
from kpcli.workflows.export.web.runtime import WebRuntime
from kpcli.workflows.export.web.settings import settings
from kpcli.workflows.export.web.stickers import web_stickers

COMMAND = "export"
OUTPUT = Path("page.html")
PAGE = Path(__file__).parent / "page"
SCRIPTS = ("pixels", "geometry", "detector", "landmarks", "measures", "follow", "table", "plots",
           "stickers", "main")  # fmt: skip
RUNTIMES = ("onnx", "onnx_float")
"""Runtimes whose file the page can run; the first that the bundle has."""
LARGEST = 25_000_000
"""Bytes that the page should not exceed: what mail servers take."""


def write_page(options: ExportOptions, say: Callable[[str], None] = print) -> Exported:
    """Write the page of a landmark model.

    Raises
    ------
    UsageError
        If it is to be no ``.html``, or the options ask for what only exports have.
    InputError
        If something that is not ours lies where the page goes.
    ModelError
        If the model cannot run as ONNX, or ONNX Runtime Web is not there.
    """
    path = options.out or OUTPUT
    _check(options, path)
    outputs = Outputs(path.parent, COMMAND)
    outputs.check([path.name])
    bundle = ModelBundle.open(options.bundle)
    if bundle.card.task != LANDMARKS:
        raise ModelError(
            f"{bundle.path}: the model's task is {bundle.card.task!r}", expected=LANDMARKS
        )
    runtime = WebRuntime.open(options.web_runtime)
    page = _page(bundle, ModelBundle.open(BUNDLE), runtime, options.quantize).encode()
    with outputs.replacing(path.name) as temporary:
        temporary.write_bytes(page)
    lines = [
        f"web: {path}, {len(page) / 1e6:.2f} MB, with ONNX Runtime Web {runtime.version}",
        f"terms of the model, which the page shows: {bundle.card.licence}",
    ]
    if len(page) > LARGEST:
        lines.append(f"warning: larger than {LARGEST / 1e6:.0f} MB; --quantize makes it smaller")
    for line in lines:
        say(line)
    return Exported(path, lines)


def _check(options: ExportOptions, path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            "--to web writes one file", expected="--out NAME.html", actual=f"--out {path}"
        )
    if options.quantize == "int8" or options.calibrate or options.csv:
        raise UsageError(
            "--to web takes the bundle's ONNX file as it is, or makes one of float32 or float16",
            next_step="for int8: `kpcli export BUNDLE --to onnx --quantize int8 --calibrate CSV` "
            "first",
        )


def _page(bundle: ModelBundle, detector: ModelBundle, runtime: WebRuntime, quantize: str) -> str:
    networks = {"landmarks": _onnx(bundle, quantize), "detector": _onnx(detector, quantize)}
    known = settings(bundle.card, detector.card)
    known["stickers"], pictures = web_stickers(bundle.card.landmark_scheme)
    known["bytes"] = {name: takes_bytes for name, (_, takes_bytes) in networks.items()}
    script = _script(known)
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    blocks = {
        "glue": runtime.glue,
        "wasm": runtime.wasm,
        "third": runtime.notices,
        **pictures,
        **{name: data for name, (data, _) in networks.items()},
    }
    scheme = bundle.card.landmark_scheme
    shown = {
        "name": bundle.card.name,
        "points": scheme.n_points,
        "scheme": scheme.name,
        "version": __version__,
        "licence": bundle.card.licence,
        "detector_licence": detector.card.licence,
        "runtime_version": runtime.version,
        "runtime_licence": runtime.licence,
        "policy": _policy(style, script),
    }
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return template.format(
        **{name: html.escape(str(value), quote=True) for name, value in shown.items()},
        style=style,
        script=script,
        data="\n".join(_block(name, data) for name, data in blocks.items()),
    )


def _onnx(bundle: ModelBundle, quantize: str) -> tuple[bytes, bool]:
    """A network as ONNX, and whether it takes bytes; made here where the bundle has none."""
    for name in RUNTIMES:
        file = EXPORTERS.load(name).FILE
        if (bundle.path / file).is_file():
            opened = open_runtime(bundle, name)  # also looks whether it is what the card says
            assert isinstance(opened, OnnxRuntime)
            return bundle.file(file).read_bytes(), opened.takes_bytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / EXPORTERS.load("onnx").FILE
        EXPORTERS.load("onnx").export(bundle.weights, path, quantize=quantize)
        return path.read_bytes(), False


def _script(known: Mapping[str, object]) -> str:
    """The script in a function of its own; no text of a card can end it."""
    parts = [(PAGE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    constants = json.dumps(known, ensure_ascii=True).replace("<", "\\u003c")
    return "\n".join(['(() => {"use strict";', f"const S = {constants};", *parts, "})();"])


def _block(name: str, data: bytes) -> str:
    text = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")
    return f'<script type="text/plain" id="{name}">{text}</script>'


def _policy(style: str, script: str) -> str:
    """Only this script and this style, what they make themselves, and no connection at all."""
    return (
        f"default-src 'none'; script-src {_digest(script)} blob: 'wasm-unsafe-eval'; "
        f"style-src {_digest(style)}; img-src blob:; media-src blob:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
