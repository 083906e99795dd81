"""What a device calls itself, in the words of its owner."""

from __future__ import annotations

_PROGRAMS = {
    "wxwork": "WeCom",
    "MicroMessenger": "WeChat",
    "DingTalk": "DingTalk",
    "Lark": "Feishu",
    "Edg": "Edge",
    "Firefox": "Firefox",
    "OPR": "Opera",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "HarmonyOS": "HarmonyOS",
    "OpenHarmony": "HarmonyOS",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}
"""In this order: each also claims to be those below it."""


def device_name(agent: str | None) -> str:
    """Return a browser and its system out of a User-Agent, such as `WeCom, iPhone`; empty if it says neither."""
    found = (
        next((name for sign, name in known.items() if sign in (agent or "")), "")
        for known in (_PROGRAMS, _SYSTEMS)
    )
    return ", ".join(one for one in found if one)
