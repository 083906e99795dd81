"""A source: one configured way in. Each format brings its own settings as a subclass, in its own file."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from schemas.base import Channel, Frozen, Language, Purpose


class SourceSettings(Frozen):
    """What every source has. `format` picks the parser; subclasses add what that parser needs."""

    source_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Stable, lower case")
    channel: Channel
    format: str
    name: str = Field(description="Shown to people")
    zone: str = Field("Asia/Shanghai", description="IANA zone of times without an offset")
    language: Language = "zh"
    purpose: Purpose = Field("real", description="`test` to try a form out, `demo` in the demo company")
    campaign: str | None = Field(None, description="Campaign code when nothing on the lead names one")
    secret: str | None = Field(None, description="Shared secret of a signed source", repr=False)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no IANA time zone; write one such as Asia/Shanghai") from error
        return zone
