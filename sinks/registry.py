"""Every kind of sink: add a kind by writing its file and naming it here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.company import Company
from schemas.sinks import SinkSettings
from sinks.faulty import FAULTY
from sinks.mail import MAIL
from sinks.port import AnyKind
from sinks.robot import DINGTALK, FEISHU, WECOM
from sinks.webhook import WEBHOOK

SINKS: Mapping[str, AnyKind] = {
    "webhook": WEBHOOK,
    "mail": MAIL,
    "wecom": WECOM,
    "dingtalk": DINGTALK,
    "feishu": FEISHU,
    "faulty": FAULTY,
}

SETTINGS: Mapping[str, type[SinkSettings]] = {name: kind.settings for name, kind in SINKS.items()}
"""The model of each kind's settings, for whoever checks a company's files."""


class BadSink(ValueError):
    """The settings of a sink are wrong, or of a kind that this version does not have; `sink_id` names it."""

    def __init__(self, sink_id: str, field: str) -> None:
        super().__init__(f"{sink_id}: {field}")
        self.sink_id = sink_id
        self.field = field


def read_sink(values: Mapping[str, Any]) -> tuple[AnyKind, SinkSettings]:
    """Return a sink's kind and its settings. Raises BadSink."""
    sink_id = str(values["sink_id"])
    kind = SINKS.get(str(values["kind"]))
    if kind is None:
        raise BadSink(sink_id, "kind")
    try:
        return kind, kind.settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadSink(sink_id, ".".join(str(part) for part in first["loc"])) from None


def sinks_of(company: Company) -> Iterator[tuple[AnyKind, SinkSettings] | BadSink]:
    """Yield the sinks that are switched on, in the order of their ids; one that cannot be read as its error."""
    for sink_id in sorted(company.sinks):
        try:
            yield read_sink(company.sinks[sink_id])
        except BadSink as error:
            yield error
