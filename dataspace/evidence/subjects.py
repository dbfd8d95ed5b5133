"""A person in the audit index: a tag that only the log's owner can make. Pure.

    tag = HMAC-SHA256(the node's key, kind ":" number)      in hexadecimal

The key is kept outside the log, and a tag is kept only in bodies and in the index beside the
log: neither the log nor who copies it tells who was looked at. A document is in its normal
form, so that one document has one tag.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from dataspace.linkage.documents import Document

KEY_BYTES: Final = 32


def subject_tag(key: bytes, document: Document) -> str:
    """The tag of one document under the 32 bytes of a node's key."""
    if len(key) != KEY_BYTES:
        raise ValueError("a subject key has 32 bytes")
    return hmac.new(key, document.canonical, hashlib.sha256).hexdigest()


def subject_tags(key: bytes, documents: Iterable[Document]) -> list[str]:
    """For a body's `subject_tags`: sorted, each once."""
    return sorted({subject_tag(key, each) for each in documents})
