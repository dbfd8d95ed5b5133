"""What the broker's image leaves out is needed by nothing that the broker starts with."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = "import sys; sys.modules.update(dict.fromkeys({left_out}))\nimport {modules}"


def test_the_broker_and_the_command_start_without_engine_and_arrow() -> None:
    code = WITHOUT.format(
        left_out=("duckdb", "pyarrow"), modules="broker.__main__, dataspace.cli.main"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
