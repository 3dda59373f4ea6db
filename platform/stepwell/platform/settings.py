"""Configuration from the environment: every field is `STEPWELL_` and its name in capitals."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _separate(value: object) -> object:
    return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value


Keys: TypeAlias = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_separate)]


class Settings(BaseSettings):
    """What an operator may set."""

    model_config = SettingsConfigDict(env_prefix="STEPWELL_", frozen=True, extra="ignore")

    redis_url: str | None = Field(
        default=None,
        repr=False,  # may hold a password
        description=(
            "redis://, rediss://, unix://, redis+sentinel://host:port,host:port/service or redis+cluster://host:port; "
            "unset: the server of the data directory"
        ),
    )
    partitions: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="slices of the keyspace, fixed when first used; unset: what was fixed, else 1, or 16 on a cluster",
    )
    data_dir: Path = Field(default=Path(".stepwell"), description="where the embedded server keeps its data")

    redis_deadline: float = Field(
        default=5.0, gt=0, description="seconds after which a silent server's connection is dropped"
    )
    redis_patience: float = Field(
        default=15.0, gt=0, description="seconds for which a call is tried again before it fails as unavailable"
    )
    redis_commands_in_flight: int = Field(default=4096, ge=1, description="unanswered commands of one connection")
    redis_bytes_in_flight: int = Field(default=8 << 20, ge=1, description="unanswered bytes of one connection")

    embedded_binary: Path | None = Field(
        default=None, description="server program to embed; unset: valkey-server or redis-server on PATH, else ours"
    )
    embedded_maxmemory: int | None = Field(
        default=None, ge=16 << 20, description="bytes; unset: a quarter of the memory of the machine or container"
    )
    embedded_fsync: Literal["everysec", "always"] = Field(
        default="everysec", description="always survives the loss of the host, everysec may lose its last 2 seconds"
    )
    embedded_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="also listen on this port of 127.0.0.1, with a password, for redis-cli",
    )

    max_event_bytes: int = Field(default=512 << 10, ge=1024, description="size of one event")
    max_steps: int = Field(default=1_000, ge=1, description="steps of one run")
    max_output_bytes: int = Field(default=4 << 20, ge=1024, description="output of one step, or of a function")
    max_run_bytes: int = Field(default=32 << 20, ge=1024, description="outputs and errors of all steps of one run")

    session_expiry: float = Field(
        default=15.0, ge=3.0, description="seconds of silence after which a worker is taken for dead"
    )
    threads: int = Field(
        default=32, ge=1, description="step bodies, and runs of plain `def` handlers, in threads of a worker at once"
    )
    recorded_bytes: int = Field(
        default=32 << 20,
        ge=0,
        description="bytes of outcomes a worker keeps of suspended runs with much state, so as not to read them again",
    )
    drain_patience: float = Field(
        default=20.0, ge=0, description="seconds a worker that is told to stop has to finish the steps it is in"
    )
    hang_limit: float = Field(
        default=60.0, ge=1, description="seconds a worker's event loop may stand still before the worker is killed"
    )
    crash_limit: int = Field(
        default=3, ge=0, description="deaths of its worker in a row that a run survives before it fails as Crashed"
    )
    cancel_patience: float = Field(
        default=30.0, ge=0, description="seconds a worker has to let go of a run that is to be cancelled"
    )

    call_timeout: float = Field(
        default=7_200.0, gt=0, description="seconds that an app reached over HTTP has to answer a call"
    )
    retry_interval: float | None = Field(
        default=None,
        ge=0,
        description="seconds by which each pause before a retry of an app reached over HTTP is longer than the one "
        "before, for tests; unset: 15 s, 30 s, 1 min, 2 min, and so on",
    )

    gateway_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_separate)] = Field(
        default=(),
        description="hosts that the server may make requests to for steps of apps reached over HTTP, as patterns "
        "separated by commas: api.example.com,*.example.org; `*` for all that are public",
    )
    gateway_timeout: float = Field(default=300.0, gt=0, description="seconds that such a request may take")

    log_lines: int = Field(
        default=1_000, ge=0, le=10_000, description="newest lines that are kept of what one run logs; 0: none"
    )
    log_bytes: int = Field(default=256 << 10, ge=64 << 10, description="bytes of those lines")
    capture_prints: bool = Field(default=True, description="whether lines that runs print are kept with them, too")

    retention_days: float = Field(default=7.0, gt=0, description="days for which finished runs and events are kept")
    retention_memory: float = Field(
        default=0.5, gt=0, le=1, description="share of maxmemory above which the oldest finished runs go before that"
    )

    event_keys: Keys = Field(default=(), description="keys that allow sending events, separated by commas")
    api_keys: Keys = Field(
        default=(),
        description="keys that allow reading and steering, separated by commas: SECRET, or NAME:SCOPES:SECRET",
    )

    signing_key: SecretStr | None = Field(
        default=None, description="what requests between this server and apps that it calls over HTTP are signed with"
    )
    signing_key_fallback: SecretStr | None = Field(
        default=None,
        description="the other signing key while keys are changed: taken too, and signed with for apps that answer 401",
    )
    allow_private_urls: bool | None = Field(
        default=None,
        description=(
            "whether apps may be served at addresses of private networks and of this machine; "
            "unset: where only this machine can reach the server"
        ),
    )
