from __future__ import annotations

import json
import subprocess
from pathlib import Path

from signaling.schema import wire_schema

ROOT = Path(__file__).parents[2]


def test_committed_schema_is_up_to_date() -> None:
    committed = json.loads((ROOT / "signaling" / "schema.json").read_text())
    assert committed == wire_schema(), "run `make types`"


def test_committed_typescript_is_up_to_date() -> None:
    check = subprocess.run(
        ["node", "scripts/types.mjs", "--check"],
        cwd=ROOT / "web",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert check.returncode == 0, check.stderr
