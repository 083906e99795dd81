"""Settings of the machine: `leadflow.toml` in the data folder, every key overridable by `LEADFLOW_…`."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from store.database import WAL_LIMIT_BYTES


class Settings(BaseSettings):
    """What differs from machine to machine. The company's own data lives in the store."""

    model_config = SettingsConfigDict(env_prefix="LEADFLOW_", extra="forbid")

    data: Path = Field(Path("leadflow-data"), description="Folder of the two databases and the master key")
    host: str = Field("127.0.0.1", description="Address that the doors listen on")
    http_port: int = Field(8080, ge=1, le=65535)
    smtp_port: int = Field(0, ge=0, le=65535, description="Port of the mail door; 0 leaves it closed")
    tls_cert: Path | None = Field(None, description="Certificate chain (PEM) for STARTTLS")
    tls_key: Path | None = None
    wal_limit_bytes: int = Field(
        WAL_LIMIT_BYTES, ge=4096, description="Checkpoint a database when its WAL has grown to this"
    )
    public_url: str | None = Field(
        None, description="Address under which people reach the console, for links in what is sent out"
    )
    log_json: bool = Field(False, description="Log as JSON lines rather than for a terminal")

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
        folder = Path(os.environ.get("LEADFLOW_DATA", str(cls.model_fields["data"].default)))
        toml = TomlConfigSettingsSource(settings_cls, toml_file=folder / "leadflow.toml")
        return init_settings, env_settings, toml
