"""What the bot is told by its command line and its environment. Errors name the variable and the field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from opensqt.api.gridbot import GridBot, GridBotSpec
from opensqt.api.problems import problems
from opensqt.api.process import DSN_ENV, RESOURCE_ENV


class SettingsError(Exception):
    """The bot cannot start as it was told to; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses are host:port."""

    bot: GridBot
    dsn: str = field(repr=False)
    connector: str
    listen: str
    health: str
    metrics: str


def read_settings(env: Mapping[str, str], *, connector: str, listen: str, health: str, metrics: str) -> Settings:
    """Raises SettingsError."""
    for option, address in {"connector": connector, "listen": listen, "health": health, "metrics": metrics}.items():
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"--{option}: {address!r} is not host:port")
    dsn = env.get(DSN_ENV, "")
    if not dsn:
        raise SettingsError(f"{DSN_ENV} is not set: the Secret of spec.journal.dsnSecretRef must hold a PostgreSQL DSN")
    return Settings(_read_bot(env.get(RESOURCE_ENV, "")), dsn, connector, listen, health, metrics)


def _read_bot(text: str) -> GridBot:
    if not text:
        raise SettingsError(f"{RESOURCE_ENV} is not set: it must hold the GridBot as JSON")
    try:
        bot = GridBot.model_validate(json.loads(text))
    except ValidationError as error:
        raise SettingsError(f"{RESOURCE_ENV}: {'; '.join(map(str, problems(error)))}") from None
    except ValueError as error:
        raise SettingsError(f"{RESOURCE_ENV} is not JSON: {error}") from None
    if not bot.metadata.uid:
        raise SettingsError(f"{RESOURCE_ENV}: metadata.uid: must be set, for client ids come from it")
    return bot


def read_spec(text: str) -> GridBotSpec:
    """A spec as JSON. Raises SettingsError, with a message that names the field as `spec.…`."""
    try:
        return GridBotSpec.model_validate(json.loads(text))
    except ValidationError as error:
        raise SettingsError("; ".join(map(str, problems(error, "spec")))) from None
    except ValueError as error:
        raise SettingsError(f"spec is not JSON: {error}") from None
