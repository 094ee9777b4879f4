"""Every module of the catalogue's tables offers what the table's protocol says: mypy's word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kpcli.catalogue import TABLES

REPO = Path(__file__).resolve().parents[2]
PROTOCOLS = {
    "dataset format": "DatasetFormat", "detector": "DetectorModule",
    "architecture": "ArchitectureModule", "writer": "WriterModule", "runtime": "RuntimeModule",
    "export target": "ExporterModule",
}  # fmt: skip


def test_plug_ins_keep_their_protocols(tmp_path: Path) -> None:
    entries = [(kind, entry.module) for kind, table in TABLES.items() for entry in table.values()]
    lines = ["from kpcli import plug_ins", *(f"import {module}" for _, module in entries)]
    lines += [
        f"m{i}: plug_ins.{PROTOCOLS[kind]} = {module}" for i, (kind, module) in enumerate(entries)
    ]
    file = tmp_path / "plug_ins.py"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", file],
        cwd=REPO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(entries) > 30
