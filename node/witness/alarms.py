"""What a witness saw of a log that broke its word: kept for good, and told to the node. Rim.

    alarms/<rule>-<digest>.json     both signed checkpoints, and what is wrong with them
    alarms/<rule>-<digest>.told     the region's node has recorded it

A file is written before the witness answers, and told again until the node has it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import structlog

from dataspace.audit.durable import make_directory, sync_directory, write_synced
from dataspace.errors import DataspaceError
from dataspace.local_socket import ask_locally
from dataspace.observing.readings import Reading, single

_LOG = structlog.get_logger("witness.alarms")
_MOST = 1_000  # kept of one rule; more of the same tells nothing new


class Alarms:
    """The alarms of one witness."""

    def __init__(self, directory: Path, node_run_folder: Path) -> None:
        self._directory = directory
        self._node = node_run_folder
        make_directory(directory)

    def keep(self, alarm: dict[str, object]) -> None:
        """Keep an alarm durably; one that is there already is the same alarm."""
        data = json.dumps(alarm, sort_keys=True).encode()
        target = self._directory / f"{alarm['rule']}-{hashlib.sha256(data).hexdigest()}.json"
        # SECURITY: whoever carries requests can pair a true checkpoint with a false proof and so
        # raise the weaker alarms at will; they must not take the places of a fork's, which
        # nobody but the log's owner can cause.
        kept = sum(1 for _ in self._directory.glob(f"{alarm['rule']}-*.json"))
        if target.exists() or kept >= _MOST:
            return
        draft = target.with_suffix(".new")
        write_synced(draft, data)
        draft.rename(target)
        sync_directory(self._directory)
        _LOG.warning("alarm.kept", rule=alarm["rule"], origin=alarm["origin"])

    def reading(self) -> Reading:
        """How many are kept, for the witness's page."""
        return single(
            "gba_witness_alarms_kept", "Alarms of this witness about others' logs.",
            lambda: sum(1 for _ in self._directory.glob("*.json")),
        )  # fmt: skip

    def tell(self) -> None:
        """Have the region's node record what it has not recorded yet."""
        for file in sorted(self._directory.glob("*.json")):
            told = file.with_suffix(".told")
            if told.exists():
                continue
            try:
                kept = json.loads(file.read_text())
                alarm = {"rule": kept["rule"], "origin": kept["origin"], "sha256": file.stem[-64:]}
                reply = ask_locally(self._node, {"do": "alarm", "alarm": alarm})
            except DataspaceError as error:
                _LOG.warning("alarm.untold", code=error.code)
                return
            if reply is None:
                return  # the node does not run now
            told.touch()
