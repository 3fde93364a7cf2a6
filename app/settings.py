"""Settings: the environment variables `DRIPLINE_*`, read once into one frozen object.

An unknown `DRIPLINE_*` name is an error, so that a typing mistake never goes unnoticed. Every
setting may also be given as the path of a file that holds its value, `DRIPLINE_<NAME>_FILE`
(secrets mounted by Docker or Kubernetes). Written reference: docs/reference/settings.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.errors import UsageError

PREFIX = "DRIPLINE_"
FILE = "_FILE"
# Names that are no settings: the test run reads one, `up` tells its children the other
# (app.child). A role must not refuse them.
FOREIGN = frozenset({"DRIPLINE_REQUIRE_REAL", "DRIPLINE_PARENT"})


class Settings(BaseSettings):
    """What is in force. Made by `load_settings` alone; a field `kafka` is `DRIPLINE_KAFKA`.

    Secrets are `SecretStr`: printing or logging the object never shows them.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka: str | None = Field(None, description="Kafka's bootstrap servers, `host:port,…`")
    smtp: SecretStr | None = Field(
        None, description="the mail server, `smtp://[user:pass@]host:port` (`smtps://` for TLS)"
    )
    mail_from: str = Field(
        "Dripline <no-reply@localhost>",
        description="sender of mails whose campaign and step name none",
    )
    write_keys: SecretStr = Field(
        SecretStr(""), description="comma list of the write keys that the collector knows"
    )
    admin_token: SecretStr | None = Field(
        None, description="asked of whoever uses the pages and `/api`; needed to bind elsewhere"
    )
    secret: SecretStr | None = Field(
        None, description="signs link tokens and keys the hashes in `suppressions`"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="signs webhooks (Standard Webhooks, `whsec_…`); default: from the secret"
    )
    webhook_allow_private: bool = Field(
        False, description="webhooks may reach addresses that are not public (tests, `up`)"
    )
    smtp_starttls: Literal["auto", "required", "off"] = Field(
        "auto", description="STARTTLS when the mail server offers it, always, or never"
    )
    smtp_connections: int = Field(
        10, ge=1, le=50, description="mails that are on their way to the mail server at once"
    )
    delivery_tries: int = Field(
        30,
        ge=1,
        le=1000,
        description="calls of one command, the first included; then it has failed",
    )
    delivery_first_retry_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="wait after the first failed call; it doubles, up to an hour",
    )
    public_url: str | None = Field(
        None, description="how the world reaches the collector: links in mails begin with it"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port of collector and pages; 0: any free")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of `/metrics` of worker and delivery; unset: none"
    )
    campaigns: Path | None = Field(None, description="directory that is published at start")
    data: Path = Field(Path(".dripline"), description="directory for what outlives a process")
    partitions: int = Field(
        96, ge=1, le=10_000, description="number of partitions when topics are created; fixed then"
    )
    clock: str | None = Field(
        None,
        description="the clock of `up`, `<monotonic ns>:<log ms>:<speed>`; set by `up` alone, the "
        "one sign for the embedded broker",
    )
    record_time: Literal["append", "producer"] = Field(
        "append",
        description="whose time a record has; `producer` for tests and the embedded broker",
    )
    default_expiry: Literal["on", "off"] = Field(
        "on", description="messages that name no `expires_after` expire after 3 days; `off`: never"
    )
    session_timeout_seconds: float = Field(
        10.0, ge=1, le=1800, description="without a sign of life for so long, a worker is replaced"
    )
    instance_id: str | None = Field(
        None, description="static member name in the consumer group: a restart moves no partition"
    )
    flush_seconds: float = Field(
        1.0, gt=0, le=60, description="longest time from a lead's change to its durable state"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, else one JSON object a line"
    )

    @field_validator("kafka")
    @classmethod
    def _bootstrap(cls, value: str | None) -> str | None:
        for server in (value or "").split(","):
            host, _, port = server.strip().rpartition(":")
            if value is not None and not (host and port.isdigit()):
                raise ValueError(f"{server.strip()!r} is not host:port")
        return value

    @field_validator("smtp")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            url = urlsplit(value.get_secret_value())
            if url.scheme not in ("smtp", "smtps") or not url.hostname:
                raise ValueError("is not of the form smtp://[user:pass@]host:port")
        return value

    @field_validator("public_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise ValueError("is not a URL of the form https://host[:port][/path]")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands in: nothing is read behind its back."""
        return (init_settings,)

    def bootstrap(self) -> str:
        """Kafka's bootstrap servers, or `UsageError` when none are set."""
        if self.kafka is None:
            raise UsageError(
                "DRIPLINE_KAFKA is not set: give the broker's host:port, or start everything on "
                "this machine with `dripline up`"
            )
        return self.kafka

    def signing_secret(self) -> bytes:
        """The key of tokens and of the hashes in `suppressions`, or `UsageError`.

        Every role of an installation must have the same one, for ever: with another, links in
        sent mails are void and nobody who unsubscribed is recognised.
        """
        if self.secret is None or not self.secret.get_secret_value():
            raise UsageError(
                "DRIPLINE_SECRET is not set: give every role the same long random text, for "
                "example from `openssl rand -hex 32`"
            )
        return self.secret.get_secret_value().encode()

    def keys(self) -> frozenset[str]:
        """The write keys."""
        parts = self.write_keys.get_secret_value().split(",")
        return frozenset(part.strip() for part in parts if part.strip())

    def base_url(self) -> str:
        """How the collector is reached, without a slash at the end."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def embedded(self) -> bool:
        """On the embedded broker (clarifications 3c): no idempotence, no LogAppendTime check."""
        return self.clock is not None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make another process have these settings; those not set are left out."""
    found: dict[str, str] = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value() or None
        if value is not None:
            found[variable(name)] = str(value)
    return found


class Origin(BaseModel, frozen=True):
    """Where one setting's value comes from: `default`, a variable's name, or a file's path."""

    name: str
    value: str
    source: str


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process's environment).

    Raises `UsageError` for an unknown name, a value of the wrong type or range, a name given
    twice (as itself and as a file), and a file that cannot be read. An empty value is as if the
    name were not there. No message shows a secret's value.
    """
    values, _ = _read(os.environ if environ is None else environ)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise UsageError(_problems(error)) from None


def origins(environ: Mapping[str, str] | None = None) -> list[Origin]:
    """Every setting with its value in force (secrets masked) and where it comes from."""
    environ = os.environ if environ is None else environ
    settings = load_settings(environ)
    _, sources = _read(environ)
    return [
        Origin(
            name=variable(name),
            value=_shown(getattr(settings, name)),
            source=sources.get(name, "default"),
        )
        for name in Settings.model_fields
    ]


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown."""
    return "SecretStr" in str(field.annotation)


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The raw values by field, and each one's source."""
    known = {variable(name): name for name in Settings.model_fields}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in FOREIGN or not environ[name]:
            continue
        plain = name if name in known else name.removesuffix(FILE)
        if plain not in known:
            raise UsageError(_unknown(name, known))
        field = known[plain]
        if field in values:
            raise UsageError(f"{plain} and {plain}{FILE} are both set: keep one of them")
        values[field] = environ[name] if plain == name else _file(name, environ[name])
        sources[field] = name if plain == name else f"{name} ({environ[name]})"
    return values, sources


def _file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{name}: cannot read {path}: {reason}") from None


def _unknown(name: str, known: Mapping[str, str]) -> str:
    names = {k.removeprefix(PREFIX): k for k in (*known, *(k + FILE for k in known))}
    close = get_close_matches(name.removeprefix(PREFIX), names, n=1, cutoff=0.6)
    hint = f"did you mean {names[close[0]]}?" if close else "`dripline config` lists what there is"
    return f"{name} is not a setting: {hint}"


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{variable(str(problem['loc'][0])) if problem['loc'] else 'settings'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
