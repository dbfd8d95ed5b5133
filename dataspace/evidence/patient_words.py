"""The accesses to a person's records, in words that the person understands. Pure.

English, simplified and traditional Chinese, Portuguese. Names of members are shown as the
space writes them; no member's person is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from dataspace.v1 import audit_pb2

LANGUAGES: Final = ("en", "zh-Hans", "zh-Hant", "pt")
_AREA_TIME: Final = timezone(timedelta(hours=8))  # the whole area's

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Who looked at your records",
        "none": "{region}: nobody has read your records.",
        "released": "{when}: {who} read your records in {region} ({products}). Reason: {why}.",
        "break_glass": "{when}: {who} read your records in {region} in an emergency, without your "
        "consent ({products}). Reason: {why}. Such an access is always reviewed afterwards.",
        "existence": "Hospitals can also check whether you have records somewhere. For your "
        "privacy such a check does not tell us whom it was about, so checks cannot be listed here.",
        "statistics": "{region}: {count} statistics were released over {product}, which may hold "
        "your data. They count many people together and do not show you.",
        "no_statistics": "{region}: no statistics were released over data that may hold yours.",
        "away": "{region} did not answer, so this list may be incomplete. Please ask again.",
        "who": "{role} of {member} ({region})",
        "who_unknown": "{role} in {region}",
        "nothing_named": "fields not named",
    },
    "zh-Hans": {
        "title": "谁查看过您的病历",
        "none": "{region}：没有人读取过您的病历。",
        "released": "{when}：{who}读取了您在{region}的病历（{products}）。原因：{why}。",
        "break_glass": "{when}：{who}在紧急情况下未经您同意读取了您在{region}的病历（{products}）。"
        "原因：{why}。此类访问事后一律接受审查。",
        "existence": "医院也可以查询您在某处是否有病历。为保护您的隐私，此类查询不会让我们知道"
        "查询的是谁，因此无法在此列出。",
        "statistics": "{region}：共发布了 {count} 项涉及 {product} 的统计，其中可能包含您的数据。"
        "统计汇总了许多人的数据，不会显示您个人。",
        "no_statistics": "{region}：没有发布过可能包含您的数据的统计。",
        "away": "{region}没有答复，因此本清单可能不完整。请稍后再次查询。",
        "who": "{member}的{role}（{region}）",
        "who_unknown": "{region}的{role}",
        "nothing_named": "未列明字段",
    },
    "zh-Hant": {
        "title": "誰查看過您的病歷",
        "none": "{region}：沒有人讀取過您的病歷。",
        "released": "{when}：{who}讀取了您在{region}的病歷（{products}）。原因：{why}。",
        "break_glass": "{when}：{who}在緊急情況下未經您同意讀取了您在{region}的病歷（{products}）。"
        "原因：{why}。此類存取事後一律接受審查。",
        "existence": "醫院也可以查詢您在某處是否有病歷。為保障您的私隱，此類查詢不會讓我們知道"
        "查詢的是誰，因此無法在此列出。",
        "statistics": "{region}：共發布了 {count} 項涉及 {product} 的統計，當中可能包含您的資料。"
        "統計匯總了許多人的資料，不會顯示您個人。",
        "no_statistics": "{region}：沒有發布過可能包含您的資料的統計。",
        "away": "{region}沒有答覆，因此本清單可能不完整。請稍後再次查詢。",
        "who": "{member}的{role}（{region}）",
        "who_unknown": "{region}的{role}",
        "nothing_named": "未列明欄位",
    },
    "pt": {
        "title": "Quem consultou os seus registos",
        "none": "{region}: ninguém leu os seus registos.",
        "released": "{when}: {who} leu os seus registos em {region} ({products}). Motivo: {why}.",
        "break_glass": "{when}: {who} leu os seus registos em {region} numa emergência, sem o seu "
        "consentimento ({products}). Motivo: {why}. Um acesso assim é sempre revisto depois.",
        "existence": "Os hospitais também podem verificar se existem registos seus nalgum lugar. "
        "Para proteger a sua privacidade, essa verificação não nos diz de quem se trata, pelo que "
        "não pode ser listada aqui.",
        "statistics": "{region}: foram divulgadas {count} estatísticas sobre {product}, que pode "
        "conter dados seus. Juntam os dados de muitas pessoas e não mostram os seus.",
        "no_statistics": "{region}: não foram divulgadas estatísticas sobre dados que possam "
        "incluir os seus.",
        "away": "{region} não respondeu, por isso esta lista pode estar incompleta. Por favor, "
        "volte a perguntar.",
        "who": "{role} de {member} ({region})",
        "who_unknown": "{role} em {region}",
        "nothing_named": "campos não indicados",
    },
}

_NAMES: Final[dict[str, dict[str, str]]] = {
    "en": {
        "guangzhou": "Guangzhou", "hongkong": "Hong Kong", "macao": "Macao",
        "clinician": "a clinician", "researcher": "a researcher", "regulator": "a regulator",
        "public_health": "a public-health analyst", "operator": "an operator",
        "TREAT": "treatment", "ETREAT": "emergency treatment", "BTG": "emergency access",
        "PATRQT": "a patient's request", "HPAYMT": "payment", "HOPERAT": "operations",
        "HRESCH": "health research", "PUBHLTH": "public health",
    },
    "zh-Hans": {
        "guangzhou": "广州", "hongkong": "香港", "macao": "澳门",
        "clinician": "临床医生", "researcher": "研究人员", "regulator": "监管人员",
        "public_health": "公共卫生分析人员", "operator": "运营人员",
        "TREAT": "治疗", "ETREAT": "紧急治疗", "BTG": "紧急访问",
        "PATRQT": "患者请求", "HPAYMT": "付款", "HOPERAT": "运营",
        "HRESCH": "健康研究", "PUBHLTH": "公共卫生",
    },
    "zh-Hant": {
        "guangzhou": "廣州", "hongkong": "香港", "macao": "澳門",
        "clinician": "臨床醫生", "researcher": "研究人員", "regulator": "監管人員",
        "public_health": "公共衞生分析人員", "operator": "營運人員",
        "TREAT": "治療", "ETREAT": "緊急治療", "BTG": "緊急存取",
        "PATRQT": "病人要求", "HPAYMT": "付款", "HOPERAT": "營運",
        "HRESCH": "健康研究", "PUBHLTH": "公共衞生",
    },
    "pt": {
        "guangzhou": "Cantão", "hongkong": "Hong Kong", "macao": "Macau",
        "clinician": "um clínico", "researcher": "um investigador", "regulator": "um regulador",
        "public_health": "um analista de saúde pública", "operator": "um operador",
        "TREAT": "tratamento", "ETREAT": "tratamento de emergência", "BTG": "acesso de emergência",
        "PATRQT": "pedido do doente", "HPAYMT": "pagamento", "HOPERAT": "operações",
        "HRESCH": "investigação em saúde", "PUBHLTH": "saúde pública",
    },
}  # fmt: skip


@dataclass(frozen=True)
class RegionAccesses:
    """One region's answer about a person; `accesses` is None where it did not answer."""

    region: str
    accesses: audit_pb2.AuditAccesses | None


def tell(found: Sequence[RegionAccesses], language: str) -> list[str]:
    """Lines of plain text, the title first; `language` is one of `LANGUAGES`."""
    words = _WORDS[language]
    lines = [words["title"]]
    answered = [each for each in found if each.accesses is not None]
    for each in answered:
        assert each.accesses is not None
        told = sorted(each.accesses.accesses, key=lambda access: (access.at_ms, access.index))
        lines += [_access(access, each.region, language) for access in told]
        if not told:
            lines.append(words["none"].format(region=_name(each.region, language)))
    lines.append(words["existence"])
    for each in answered:
        assert each.accesses is not None
        lines += _statistics(each.accesses, _name(each.region, language), words)
    for each in found:
        if each.accesses is None:
            lines.append(words["away"].format(region=_name(each.region, language)))
    return lines


def when(at_ms: int) -> str:
    """A moment in the area's own time (UTC+8), to the minute."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_AREA_TIME)
    return at.strftime("%Y-%m-%d %H:%M")


def _access(access: audit_pb2.AuditAccess, region: str, language: str) -> str:
    words = _WORDS[language]
    form = words["break_glass" if access.kind == "record.break_glass" else "released"]
    who = words["who" if access.actor_member else "who_unknown"].format(
        role=_name(access.actor_role, language),
        member=access.actor_member,
        region=_name(access.actor_region, language),
    )
    comma = "、" if language.startswith("zh") else ", "
    return form.format(
        when=when(access.at_ms),
        who=who,
        region=_name(region, language),
        products=comma.join(access.products) or words["nothing_named"],
        why=_name(access.purpose, language),
    )


def _statistics(accesses: audit_pb2.AuditAccesses, region: str, words: dict[str, str]) -> list[str]:
    counted = [each for each in accesses.statistics if each.released]
    if not counted:
        return [words["no_statistics"].format(region=region)]
    return [
        words["statistics"].format(region=region, count=each.released, product=each.product)
        for each in counted
    ]


def _name(word: str, language: str) -> str:
    return _NAMES[language].get(word, word or "–")
