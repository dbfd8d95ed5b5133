"""A running node's part in its backup: it says so in its log, and publishes all of that. Rim."""

from __future__ import annotations

import re
from typing import Any

from dataspace.backup.making import BEGUN
from dataspace.errors import Malformed
from dataspace.evidence.recording import Recorder
from dataspace.processes import now_ms

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def begin_backup(recorder: Recorder, request: dict[str, Any]) -> dict[str, Any]:
    """{"do": "backup", "recovery_key_sha256": …}: from here on the log's files hold all that was
    acknowledged before, this entry with it. Raises `Malformed` and as `Recorder.record`.
    """
    key = request.get("recovery_key_sha256")
    if not isinstance(key, str) or not _DIGEST.fullmatch(key):
        raise Malformed("say which recovery key, by its digest", code="admin")
    recorder.record(BEGUN, now_ms(), {"recovery_key_sha256": key})
    recorder.log.publish()
    return {"log_size": recorder.log.size}
