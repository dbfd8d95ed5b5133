"""The policy set in force: Cedar rules and negative lists, parsed and validated once.

`load` takes the files' bytes and either returns a whole valid set or raises `Malformed`
(code `policy-set`) naming file, rule and line; there is no half-loaded set. Decides nothing.
Cedar: https://docs.cedarpolicy.com (validation is strict mode).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import cedarpy

from dataspace.policy.faults import PolicyFault
from dataspace.policy.negative_lists import compile_list, parse_list
from dataspace.policy.statements import Statement, statements

DEFAULT_DENY: Final = "default-deny"
POLICY_ERROR: Final = "policy-error"

LANGUAGES: Final = {
    "message_en": "en",
    "message_zh_hans": "zh-Hans",
    "message_zh_hant": "zh-Hant",
    "message_pt": "pt",
}
_ANNOTATIONS: Final = ("id", "basis", *LANGUAGES)
_VALIDATION_NOISE: Final = re.compile(r'for policy `policy0`[,:] | for Action::"\w+"')
_WRITTEN_ID: Final = re.compile(r'@id\("([a-z0-9-]+)"\)')
_BASES: Final = re.compile(r"entity\s+LegalBasis\s+enum\s*\[([^\]]*)\]")
_RULE_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# What schemas of earlier sets lack, and how to find out: a set replayed from the archive must be
# asked in its own words, or every request would misfit it.
LATER_WORDS: Final = {
    "assurance": "principal.assurance > 0",
    "member": 'principal in Member::"region/member"',
    "filing": "context.filing",
    "impact_assessment": "context.impact_assessment",
    "onward": "context.onward",
    "records_this_year": "context.records_this_year > 0",
}
_FILE_NAME: Final = re.compile(
    r"[A-Za-z0-9._-]+\.(?:cedar|cedarschema)|negative-lists/[\w.-]+\.toml"
)


@dataclass(frozen=True)
class Rule:
    """One rule: what it is called, the legal text it stands on, and where it is written.

    `effect` is `permit` or `forbid`; `messages` is keyed by language tag (`en`, `zh-Hans`,
    `zh-Hant`, `pt`); `line` counts from 1 in `source`, `text` is its Cedar.
    """

    id: str
    basis: str
    effect: str
    messages: Mapping[str, str] = field(hash=False)
    source: str
    line: int
    text: str = field(compare=False, repr=False)


@dataclass(frozen=True)
class PolicySet:
    """A valid set of rules. Two sets are equal when their files' names and bytes are.

    `sha256` (hex) is over the lines `<SHA-256 of the file, hex>  <name>\\n` sorted by name, which
    is what `sha256sum` prints. `rules` is keyed by id, in the order of files and lines; `files`
    are the bytes that were loaded, by name. `words` are those of `LATER_WORDS` that the schema
    declares.
    """

    sha256: str
    rules: Mapping[str, Rule] = field(compare=False)
    engine_rules: Any = field(compare=False, repr=False)
    engine_schema: Any = field(compare=False, repr=False)
    files: Mapping[str, bytes] = field(compare=False, repr=False)
    words: frozenset[str] = field(compare=False, repr=False)


def load(files: Mapping[str, bytes]) -> PolicySet:
    """The policy set in these files: `*.cedarschema` (one), `*.cedar`, `negative-lists/*.toml`.

    Raises `Malformed` for a file of another name, text that does not parse, a rule that does not
    fit the schema, a missing or repeated annotation, and an id that stands twice.
    """
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise PolicyFault(name, "is no policy file; see policies/README.md for the names")
    schema = _schema(files)
    rules: dict[str, Rule] = {}
    written: list[str] = []
    for source, statement in _all_statements(files):
        rule = _rule(source, statement, schema)
        if rule.id in rules:
            first = rules[rule.id]
            raise PolicyFault(
                source, f"stands already in {first.source}, line {first.line}",
                statement.line, rule.id,
            )  # fmt: skip
        rules[rule.id] = rule
        written.append(statement.text)
    return PolicySet(
        sha256=digest(files),
        rules=MappingProxyType(rules),
        engine_rules=_engine_rules(written, rules),
        engine_schema=schema,
        files=MappingProxyType(dict(files)),
        words=_words(schema),
    )


def legal_bases(policies: PolicySet) -> tuple[str, ...]:
    """The legal bases that the set's schema declares, in its order."""
    (name,) = (name for name in policies.files if name.endswith(".cedarschema"))
    found = _BASES.search(policies.files[name].decode())
    return tuple(re.findall(r'"([^"]+)"', found[1])) if found else ()


def digest(files: Mapping[str, bytes]) -> str:
    """The digest (hex) that names a policy set; any changed byte or name changes it."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _schema(files: Mapping[str, bytes]) -> Any:
    names = [name for name in files if name.endswith(".cedarschema")]
    if len(names) != 1:
        raise PolicyFault("", f"a policy set has one *.cedarschema file, this one has {len(names)}")
    try:
        return cedarpy.Schema.from_str(_text(names[0], files[names[0]]))
    except ValueError as error:
        raise PolicyFault(names[0], str(error)) from error


def _words(schema: Any) -> frozenset[str]:
    return frozenset(
        name
        for name, condition in LATER_WORDS.items()
        if cedarpy.validate_policies(
            f"permit (principal, action, resource) when {{ {condition} }};", schema
        ).validation_passed
    )


def _all_statements(files: Mapping[str, bytes]) -> Iterator[tuple[str, Statement]]:
    for name in sorted(files):
        if name.endswith(".cedar"):
            for statement in statements(_text(name, files[name])):
                yield name, statement
        elif name.endswith(".toml"):
            compiled = compile_list(parse_list(name, _text(name, files[name])))
            yield name, Statement(text=compiled, line=1)


def _rule(source: str, statement: Statement, schema: Any) -> Rule:
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        raise PolicyFault(source, str(error), statement.line, _named(statement)) from error
    if parsed["templates"] or len(parsed["staticPolicies"]) != 1:
        raise PolicyFault(
            source, "a rule has no slots and ends with one ;", statement.line, _named(statement)
        )
    (policy,) = parsed["staticPolicies"].values()
    annotations = policy.get("annotations", {})
    name = annotations.get("id") or "without @id"
    for key in _ANNOTATIONS:
        if not (annotations.get(key) or "").strip():
            raise PolicyFault(source, f"@{key} is missing or empty", statement.line, name)
    for key in annotations.keys() - set(_ANNOTATIONS):
        raise PolicyFault(source, f"unknown annotation @{key}", statement.line, name)
    if not _RULE_ID.fullmatch(name) or name in (DEFAULT_DENY, POLICY_ERROR):
        raise PolicyFault(
            source,
            f"{name!r} cannot be the id of a rule: small letters, digits and hyphens, "
            f"and neither {DEFAULT_DENY} nor {POLICY_ERROR}",
            statement.line,
        )
    _validate(source, name, statement, schema)
    return Rule(
        id=name,
        basis=annotations["basis"],
        effect=policy["effect"],
        messages=MappingProxyType({tag: annotations[key] for key, tag in LANGUAGES.items()}),
        source=source,
        line=statement.line,
        text=statement.text,
    )


def _named(statement: Statement) -> str:
    """The id of a rule that does not parse, as far as it can be read."""
    found = _WRITTEN_ID.search(statement.text)
    return found[1] if found else "without @id"


def _validate(source: str, rule: str, statement: Statement, schema: Any) -> None:
    result = cedarpy.validate_policies(statement.text, schema)
    if not result.validation_passed:
        # The engine says the same of each action, in any order: once is enough.
        said = "; ".join(sorted({_VALIDATION_NOISE.sub("", each.error) for each in result.errors}))
        raise PolicyFault(source, said, statement.line, rule)


def _engine_rules(written: list[str], rules: Mapping[str, Rule]) -> Any:
    # INVARIANT: the engine numbers rules by place (`policy0`, ...), and `rules` keeps that order.
    text = "\n".join(written)
    numbered = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    placed = {f"policy{place}": name for place, name in enumerate(rules)}
    if {key: policy["annotations"]["id"] for key, policy in numbered.items()} != placed:
        raise PolicyFault("", "the policy engine numbers rules otherwise than by their place")
    return cedarpy.PolicySet.from_str(text)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyFault(name, "is not UTF-8 text") from error
