"""Whose cosignatures make a checkpoint believable. Pure.

An owner never counts towards its own log: a region's log needs the witnesses of both other
regions, the broker's those of two of three. A region counts once, whichever of its keys
signed; one that is suspended does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint, verify_checkpoint
from dataspace.audit.cosignatures import Cosigned, verify_cosignature
from dataspace.audit.notes import Note, VerifierKey, parse_note, parse_signature_lines
from dataspace.errors import Malformed, Unverified

NEEDED = 2  # regions other than the owner


@dataclass(frozen=True)
class CosignedCheckpoint:
    """A checkpoint that enough regions cosigned. `at_s` is when the quorum stood."""

    checkpoint: Checkpoint
    by_region: Mapping[str, tuple[Cosigned, ...]]
    at_s: int

    @property
    def origin(self) -> str:
        """Whose log."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """How many entries."""
        return self.checkpoint.size


@dataclass(frozen=True)
class Quorum:
    """The rule for one log: its key and owner, and the witnesses' keys by region.

    `regions` leaves out suspended ones; the owner's own may stand in it and does not count.
    """

    log_key: VerifierKey
    owner: str
    regions: Mapping[str, tuple[VerifierKey, ...]]
    needed: int = NEEDED

    def __post_init__(self) -> None:
        if self.needed < 1:
            raise Unverified("a quorum needs at least one cosigner", code="quorum")
        speaks_for = {self.log_key.public: "the log"}
        for region, keys in self.regions.items():
            for key in keys:
                # SECURITY: one signer must not count twice, nor an owner as its own witness.
                other = speaks_for.setdefault(key.public, region)
                if other != region:
                    raise Unverified(
                        f"the key of {key.name} speaks for {other} and for {region}; "
                        "see `gba trust show`",
                        code="quorum",
                    )

    @classmethod
    def of_witnesses(
        cls, log_key: VerifierKey, witnesses: Iterable[VerifierKey], needed: int
    ) -> Quorum:
        """The rule "so many of these witnesses", for logs outside any space.

        Keys of one name are one witness's, which counts once.
        """
        by_name: dict[str, tuple[VerifierKey, ...]] = {}
        for key in witnesses:
            by_name[key.name] = (*by_name.get(key.name, ()), key)
        if needed > len(by_name):
            raise Malformed(
                f"{needed} witnesses are asked for, and keys of {len(by_name)} are given",
                code="quorum",
            )
        return cls(log_key, "", by_name, needed)

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.log_key.name

    def names(self) -> tuple[str, ...]:
        """The witnesses that count, by name."""
        return tuple(sorted({key.name for keys in self._counting().values() for key in keys}))

    def holding(self, note_text: str, witness: str, answer: str) -> tuple[str, ...]:
        """Of a witness's answer, the lines that its own keys signed over this note's checkpoint.

        So one witness that answers wrongly, or in another's name, spoils nobody else's.
        Raises `Unverified` for an answer that is no signature lines.
        """
        note = parse_note(note_text)
        checkpoint = parse_checkpoint(note.text)
        own = [key for keys in self._counting().values() for key in keys if key.name == witness]
        return tuple(
            line.line
            for line in parse_signature_lines(answer)
            if any(_holds(replace(note, signatures=(line,)), checkpoint, key) for key in own)
        )

    def check(self, note_text: str) -> CosignedCheckpoint:
        """The checkpoint in a note; raises `Unverified` unless owner and quorum signed it."""
        checkpoint = verify_checkpoint(note_text, self.log_key)
        note = parse_note(note_text)
        by_region: dict[str, tuple[Cosigned, ...]] = {}
        for region, keys in self._counting().items():
            found = [verify_cosignature(note, checkpoint, key) for key in keys]
            # A time of 0 says nothing of when; tlog-witness has witnesses always give one.
            cosigned = tuple(each for each in found if each is not None and each.at_s > 0)
            if cosigned:
                by_region[region] = cosigned
        if len(by_region) < self.needed:
            who = ", ".join(sorted(by_region)) or "nobody"
            raise Unverified(
                f"the checkpoint of {self.origin} at size {checkpoint.size} is cosigned by {who},"
                f" and {self.needed} must; ask again when their witnesses are there",
                code="not-cosigned",
            )
        times = sorted(min(each.at_s for each in cosigned) for cosigned in by_region.values())
        return CosignedCheckpoint(checkpoint, by_region, times[self.needed - 1])

    def _counting(self) -> dict[str, tuple[VerifierKey, ...]]:
        # SECURITY: an owner that cosigned its own log would need one accomplice less.
        return {region: keys for region, keys in self.regions.items() if region != self.owner}


def _holds(note: Note, checkpoint: Checkpoint, key: VerifierKey) -> bool:
    try:
        return verify_cosignature(note, checkpoint, key) is not None
    except Unverified:
        return False
