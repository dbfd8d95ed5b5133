"""An explanation in the reader's language: English, simplified and traditional Chinese,
Portuguese. What rules say is theirs, in the same four. Pure.
"""

from __future__ import annotations

from typing import Final

from dataspace.policy.decisions import CitedRule
from dataspace.policy.explaining import Change, Explanation

LANGUAGES: Final = ("en", "zh-Hans", "zh-Hant", "pt")

_FIELDS: Final = {
    "en": {
        "agreement": "a valid agreement between the regions, filed and with an impact assessment",
        "consent": "a valid consent of the patient",
        "filing": "an agreement that names its filing or notification",
        "impact_assessment": "an agreement that names an impact assessment",
        "onward": "an agreement without onward transfer",
        "legal_basis": "legal basis {value}",
        "purpose": "purpose {value}",
        "actor_role": "role {value}",
        "categories": "no columns of category {value}",
        "columns": "no column {value}",
    },
    "zh-Hans": {
        "agreement": "双方地区之间已备案并附影响评估的有效协议",
        "consent": "患者的有效同意",
        "filing": "列明备案或通知编号的协议",
        "impact_assessment": "列明影响评估的协议",
        "onward": "不含再转移的协议",
        "legal_basis": "法律依据 {value}",
        "purpose": "用途 {value}",
        "actor_role": "角色 {value}",
        "categories": "不含类别 {value} 的列",
        "columns": "不含列 {value}",
    },
    "zh-Hant": {
        "agreement": "雙方地區之間已備案並附影響評估的有效協議",
        "consent": "病人的有效同意",
        "filing": "列明備案或通知編號的協議",
        "impact_assessment": "列明影響評估的協議",
        "onward": "不含再轉移的協議",
        "legal_basis": "法律依據 {value}",
        "purpose": "用途 {value}",
        "actor_role": "角色 {value}",
        "categories": "不含類別 {value} 的欄位",
        "columns": "不含欄位 {value}",
    },
    "pt": {
        "agreement": "um acordo válido entre as regiões, registado e com avaliação de impacto",
        "consent": "um consentimento válido do doente",
        "filing": "um acordo que indique o registo ou a notificação",
        "impact_assessment": "um acordo que indique uma avaliação de impacto",
        "onward": "um acordo sem nova transferência",
        "legal_basis": "a base legal {value}",
        "purpose": "a finalidade {value}",
        "actor_role": "a função {value}",
        "categories": "nenhuma coluna da categoria {value}",
        "columns": "sem a coluna {value}",
    },
}

_WORDS: Final = {
    "en": {
        "permit": "permitted",
        "deny": "refused",
        "rule": "rule",
        "basis": "legal text",
        "with": "it would be permitted with",
        "and": " and ",
        "nothing": "no small change would make it permitted; emergencies are not proposed here",
    },
    "zh-Hans": {
        "permit": "准许",
        "deny": "拒绝",
        "rule": "规则",
        "basis": "法律依据",
        "with": "如有以下条件则可准许",
        "and": "，并且",
        "nothing": "没有任何小的改动可使其获准；此处不建议声明紧急情况",
    },
    "zh-Hant": {
        "permit": "准許",
        "deny": "拒絕",
        "rule": "規則",
        "basis": "法律依據",
        "with": "如有以下條件則可准許",
        "and": "，並且",
        "nothing": "沒有任何小的改動可使其獲准；此處不建議聲明緊急情況",
    },
    "pt": {
        "permit": "permitido",
        "deny": "recusado",
        "rule": "regra",
        "basis": "texto legal",
        "with": "seria permitido com",
        "and": " e ",
        "nothing": "nenhuma pequena alteração o permitiria; aqui não se propõem emergências",
    },
}


def message_of(rule: CitedRule, language: str) -> str:
    """What a rule says in a language of `LANGUAGES`."""
    return {
        "en": rule.message_en,
        "zh-Hans": rule.message_zh_hans,
        "zh-Hant": rule.message_zh_hant,
        "pt": rule.message_pt,
    }[language]


def change_in(change: Change, language: str) -> str:
    """A change as a condition, such as "a valid consent of the patient"."""
    return _FIELDS[language][change.field].format(value=change.left_out or change.value)


def lines_of(explanation: Explanation, language: str) -> list[str]:
    """The whole explanation: outcome, each deciding rule with its legal text, and what helps."""
    words = _WORDS[language]
    decision = explanation.decision
    lines = [words["permit"] if decision.allowed else words["deny"]]
    for rule in decision.rules:
        lines.append(f"  {words['rule']} {rule.id}: {message_of(rule, language)}")
        lines.append(f"    {words['basis']}: {rule.basis}")
    if decision.allowed:
        return lines
    if not explanation.permitted_with:
        return [*lines, words["nothing"]]
    lines.append(f"{words['with']}:")
    for changes in explanation.permitted_with:
        said = words["and"].join(change_in(each, language) for each in changes)
        lines.append(f"  – {said}")
    return lines
