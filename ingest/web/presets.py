"""What is known of some senders of leads: ready-made settings of `web.mapped`, each of them overridable.

Where each comes from, and what could not be verified, stands in docs/channels.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.web.form import SYNONYMS

_SUCCESS = {"code": 0, "message": "success"}

FEIYU: dict[str, Any] = {
    "proof": "query",
    "key": "id || clue_id || clueId || req_id",
    "time": "create_time_detail || create_time || date",
    "fields": {
        "full_name": "name",
        "phone": "telphone || telephone || phone",
        "email": "email",
        "region": "province_name || province || location",
        "city": "city_name || city",
        "address": "address",
        "message": "lines(from_json(remark_dict) || remark || form_remark)",
    },
    "others": {"微信": "weixin || wechat", "QQ": "qq", "落地页": "external_url", "门店": "store_name"},
    "hints": {"utm": "promotion_name || ad_name"},
    "answer": _SUCCESS,
    "answer_status": 200,
}
"""飞鱼 / 巨量引擎. The pushing rule in 飞鱼 names the keys itself; these are the names it proposes."""

BAIDU: dict[str, Any] = {
    "proof": "query",
    "key": "clueId",
    "time": "commitTime",
    "fields": {
        "full_name": "(formDetail[?type=='name'].value | [0]) || userName || imName",
        "phone": "cluePhoneNumber || phone",
        "region": "area || province",
        "city": "city",
        "message": "lines(formDetail[?type!='name' && type!='phone'])",
    },
    "others": {
        "关键词": "keyword || searchWord",
        "微信": "wechatAccount",
        "落地页": "url",
        "渠道": "flowChannelName || solutionTypeName",
    },
    "hints": {"utm": "campaignName"},
    "answer": _SUCCESS,
    "answer_status": 200,
}
"""百度营销通 / 基木鱼 / 爱番番."""

TENCENT: dict[str, Any] = {
    "proof": "query",
    "key": "leads_id || outer_leads_id",
    "time": "leads_action_time || leads_create_time",
    "fields": {
        "full_name": "leads_name",
        "phone": "leads_tel || leads_telephone",
        "email": "leads_email",
        "region": "leads_area || tel_location",
        "address": "leads_address",
        "company": "leads_company",
        "job_title": "leads_profession",
        "message": "lines(from_json(bundle || memo))",
    },
    "others": {"微信": "leads_wechat", "QQ": "leads_qq", "落地页": "leads_page_url || page_url"},
    "hints": {"utm": "campaign_name || adgroup_name", "click": "click_id && join('', ['gdt_vid=', to_string(click_id)])"},
    "answer": _SUCCESS,
    "answer_status": 200,
}  # fmt: skip
"""腾讯广告 (广点通)."""

_ANY = {field: " || ".join(orjson.dumps(name).decode() for name in names.split()) for field, names in SYNONYMS.items()}  # fmt: skip

FORM_SERVICE: dict[str, Any] = {
    "proof": "query",
    "leads": "entry || data || fields || @",
    "key": "id || serial_number || entry_id || submission_id || token",
    "time": "created_at || create_time || submitted_at || submit_time",
    "fields": _ANY,
    "keep": r".*",
    "hints": {"utm": "utm_campaign"},
}
"""Any form service that posts its fields under their names, in a form or in JSON."""

WEB_TO_LEAD: dict[str, Any] = {
    "proof": "none",
    "fields": {
        "given_name": "first_name",
        "family_name": "last_name",
        "salutation": "salutation",
        "job_title": "title",
        "company": "company",
        "email": "email",
        "phone": "[mobile, phone][?@]",
        "website": "URL || url",
        "address": "street",
        "city": "city",
        "region": "state_code || state",
        "postcode": "zip",
        "country": "country_code || country",
        "industry": "industry",
        "message": "description",
        "heard_of_us": "lead_source",
    },
    "keep": r"00N\w+",
    "hints": {"utm": "Campaign_ID"},
    "answers_with": "page",
}
"""Salesforce Web-to-Lead: a site keeps its form and changes only the host in its `action`."""

PRESETS: Mapping[str, dict[str, Any]] = {
    "feiyu": FEIYU,
    "baidu": BAIDU,
    "tencent": TENCENT,
    "form-service": FORM_SERVICE,
    "salesforce-web-to-lead": WEB_TO_LEAD,
}


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings over those of their preset: a key that is given replaces, of tables entry by entry.

    Raises ValueError for a preset that there is not.
    """
    name = given.get("preset")
    if name is None:
        return dict(given)
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; one of: {', '.join(PRESETS)}")
    base = PRESETS[name]
    merged = {**base, **given}
    for key in ("fields", "others", "hints"):
        if isinstance(given.get(key), Mapping) and key in base:
            merged[key] = {**base[key], **given[key]}
    return merged
