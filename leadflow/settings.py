"""Settings of the machine: `leadflow.toml` in the data folder, every key overridable by `LEADFLOW_…`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from enrich.survivorship import RULES, Criterion
from leadflow.paths import backups_of, journal_path
from schemas.base import Language
from schemas.lead import FieldName
from store.database import WAL_LIMIT_BYTES, PostgresLimits
from stream.breaker import MINIMUM, SHARE, WINDOW_US, Policy
from stream.retention import KEEP_US

MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000


class Settings(BaseSettings):
    """What differs from machine to machine. The company's own data lives in the store."""

    model_config = SettingsConfigDict(env_prefix="LEADFLOW_", extra="forbid")

    data: Path = Field(Path("leadflow-data"), description="Folder of the two databases and the master key")
    host: str = Field("127.0.0.1", description="Address that the doors listen on")
    http_port: int = Field(8080, ge=1, le=65535)
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s]+$",
        description="How people reach the console from elsewhere, without a path; links in what is sent begin with it",
    )
    list_upload_mb: int = Field(50, ge=1, le=200, description="MB of a list that the page /import takes")
    smtp_port: int = Field(0, ge=0, le=65535, description="Port of the mail door; 0 leaves it closed")
    tls_cert: Path | None = Field(None, description="Certificate chain (PEM) for STARTTLS")
    tls_key: Path | None = None
    wal_limit_bytes: int = Field(
        WAL_LIMIT_BYTES, ge=4096, description="Checkpoint a database when its WAL has grown to this"
    )
    kafka: str | None = Field(
        None,
        pattern=r"^[^/\s]+:\d+$",
        description="Brokers of the cluster, host:port; without it everything runs here",
    )
    database_url: str | None = Field(
        None,
        pattern=r"^postgresql\+psycopg://\S+$",
        description="PostgreSQL of the cluster: postgresql+psycopg://user:password@host/database",
    )
    database_pool: int = Field(8, ge=1, le=1_000, description="Connections that each process may have open")
    database_statement_s: float = Field(60.0, gt=0, description="Seconds that one statement may take")
    database_lock_s: float = Field(
        10.0, gt=0, description="Seconds to wait for a lock or for a free connection"
    )
    database_idle_s: float = Field(
        20.0, gt=0, description="Seconds after which a transaction in which nothing happens is cut off"
    )
    content: str | None = Field(
        None,
        pattern=r"^(file:///|s3://)\S+$",
        description="Where bodies over 256 KB lie for all machines: file:///folder or s3://bucket/prefix; else in the brokers",
    )
    doors_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s]+$",
        description="The cluster's doors, for `leadflow doctor` on another machine",
    )
    partitions: int = Field(
        8, ge=1, le=1_000, description="Partitions of each topic: the most workers a stage can use"
    )
    replication: int = Field(
        1, ge=1, le=9, description="Copies of each topic; 3 where there are three brokers"
    )
    master_key: Path | None = Field(
        None,
        description="File of the master key, the same on every machine (default: master.key in the data folder)",
    )
    log_keep_hours: float = Field(
        KEEP_US / HOUR_US, ge=1, description="How long the log keeps events that every stage has read"
    )
    breaker_share: float = Field(
        SHARE, gt=0, le=1, description="Hold a source when this share of what it sends is refused"
    )
    breaker_minimum: int = Field(
        MINIMUM, ge=1, description="Tries within the window before there is a share to speak of"
    )
    breaker_window_minutes: int = Field(
        WINDOW_US // MINUTE_US, ge=1, le=24 * 60, description="How far back tries count"
    )
    alarm_mail: str | None = Field(
        None,
        pattern=r"^[!-~]+@[!-~]+$",
        description="Who is told by mail when a source is held or a stage stops; else whoever answers for the default queue",
    )
    alarm_webhook: str | None = Field(
        None, pattern=r"^https?://[!-~]+$", description="Where alarms are POSTed to as JSON"
    )
    alarm_webhook_secret: str | None = Field(
        None,
        pattern=r"^whsec_[A-Za-z0-9+/=]{32,}$",
        description="Signs them, as it does a sink's webhooks",
        repr=False,
    )
    heartbeat_url: str | None = Field(
        None, pattern=r"^https?://[!-~]+$", description="Asked for at an interval while all is well"
    )
    heartbeat_fail_url: str | None = Field(
        None,
        pattern=r"^https?://[!-~]+$",
        description="Asked for instead while a stage stands; none: silence says so",
    )
    heartbeat_seconds: int = Field(
        60, ge=5, le=3_600, description="Whoever listens should be patient for some three of these"
    )
    canary_minutes: int = Field(
        30, ge=0, le=24 * 60, description="How often a marked probe enters each door by itself; 0 for never"
    )
    journal: Path | None = Field(
        None,
        description="File of the erasure journal; in a cluster one file for all who erase (default: FOLDER.erasures)",
    )
    backup_folder: Path | None = Field(
        None, description="Where backups go; beside the data folder (FOLDER.backups) if not set"
    )
    backup_at: str = Field(
        "03:30",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^$",
        description="When the nightly backup is made, in this machine's time; empty for none",
    )
    backup_keep: int = Field(7, ge=1, description="How many nightly backups are kept")
    survivorship: dict[FieldName, tuple[Criterion, ...]] = Field(
        {},
        description="Which value of a field stands in the golden record: by field, criteria in the order in which they decide",
    )
    log_json: bool = Field(False, description="Log as JSON lines rather than for a terminal")

    @property
    def is_cluster(self) -> bool:
        """Whether this machine is one of a cluster, which then keeps everything but the spool."""
        return self.kafka is not None and self.database_url is not None

    @property
    def breaker(self) -> Policy:
        """When a source's events are held."""
        return Policy(self.breaker_share, self.breaker_window_minutes * MINUTE_US, self.breaker_minimum)

    @property
    def database_limits(self) -> PostgresLimits:
        """What a process may take of the cluster's PostgreSQL."""
        return PostgresLimits(
            pool=self.database_pool,
            statement_s=self.database_statement_s,
            lock_s=self.database_lock_s,
            idle_s=self.database_idle_s,
        )

    @property
    def golden_rules(self) -> dict[str, tuple[str, ...]]:
        """Which value of a field stands: the rules of the house, else the usual ones."""
        return {**RULES, **{str(name): tuple(many) for name, many in self.survivorship.items()}}

    @property
    def log_keep_us(self) -> int:
        """How long the store's log keeps what has been read."""
        return int(self.log_keep_hours * HOUR_US)

    @property
    def local_url(self) -> str:
        """The console's address on this machine."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def erasures(self) -> Path:
        """The erasure journal."""
        return self.journal or journal_path(self.data)

    @property
    def key_file(self) -> Path:
        """The master key."""
        return self.master_key or self.data / "master.key"

    @property
    def backups(self) -> Path:
        """Where backups go."""
        return backups_of(self.data, self.backup_folder)

    @property
    def console_url(self) -> str:
        """Where people reach the console: from elsewhere if that is set, else on this machine."""
        return self.public_url or self.local_url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file, then the defaults."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_settings_file())
        return init_settings, env_settings, toml


def _settings_file() -> Path:
    folder = Path(os.environ.get("LEADFLOW_DATA", str(Settings.model_fields["data"].default)))
    return folder / "leadflow.toml"


class SettingsError(ValueError):
    """The settings of this machine cannot be used; says where each is wrong, and what to do."""

    def __init__(self, problems: Sequence[tuple[str, str, str, str, str]]) -> None:
        self._problems = problems
        super().__init__("\n".join(self.lines("en")))

    def lines(self, language: Language) -> list[str]:
        """Return a line a problem: place, what is wrong, what to do."""
        if language == "zh":
            return [f"{where}：{wrong}；{fix}" for where, _, _, wrong, fix in self._problems]
        return [f"{where}: {wrong}; {fix}" for where, wrong, fix, _, _ in self._problems]


def read_settings() -> Settings:
    """Return the settings. Raises SettingsError, which names file, key and fix."""
    file = _settings_file()
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        no_toml = (
            str(file),
            f"this is no TOML: {error}",
            "correct that line",
            f"不是 TOML：{error}",
            "请更正该行",
        )
        raise SettingsError([no_toml]) from None
    except ValidationError as error:
        found = [_problem(file, one) for one in error.errors(include_url=False, include_input=True)]
        raise SettingsError(found) from None


def _problem(file: Path, error: ErrorDetails) -> tuple[str, str, str, str, str]:
    key = str(error["loc"][0]).lower()
    variable = f"LEADFLOW_{key.upper()}"
    where = variable if variable in os.environ else f"{file}, {key}"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(key, Settings.model_fields, 1)
        fix = f"did you mean {near[0]}?" if near else f"keys are {', '.join(Settings.model_fields)}"
        zh = f"是否应为 {near[0]}？" if near else f"可用的键：{'、'.join(Settings.model_fields)}"
        return where, "there is no such setting", fix, "没有这个设置项", zh
    field = Settings.model_fields[key]
    meant = field.description or key
    default = "none" if field.default is None else field.default
    given = f"{error['input']!r}: {error['msg']}"
    return where, given, f"{meant} (default: {default})", given, f"请更正（默认值：{default}），说明：{meant}"
