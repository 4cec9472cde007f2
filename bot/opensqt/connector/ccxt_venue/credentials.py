"""The credentials of an account: one file a key in a mounted Secret, read again when it changes, never shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

API_KEY = "apiKey"
API_SECRET = "apiSecret"  # noqa: S105 - the name of a file
PASSPHRASE = "passphrase"  # noqa: S105 - the name of a file


class CredentialsError(Exception):
    """The Secret lacks something; the message names the key, never a value."""


@dataclass(frozen=True, slots=True)
class Credentials:
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    passphrase: str = field(repr=False, default="")

    def scrub(self, text: str) -> str:
        """The text without any of the values."""
        for value in (self.api_secret, self.passphrase, self.api_key):
            if value:
                text = text.replace(value, "***")
        return text


def read(folder: Path, *, passphrase: bool) -> Credentials:
    """Raises `CredentialsError` where a key is missing, empty or unreadable."""
    names = (API_KEY, API_SECRET, PASSPHRASE) if passphrase else (API_KEY, API_SECRET)
    values: dict[str, str] = {}
    faults: list[str] = []
    for name in names:
        try:
            values[name] = (folder / name).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            faults.append(f"key {name} is missing")
        except (OSError, UnicodeError) as error:
            faults.append(f"key {name} cannot be read ({type(error).__name__})")
        else:
            if not values[name]:
                faults.append(f"key {name} is empty")
    if faults:
        raise CredentialsError(f"spec.credentialsSecretRef: {_incomplete(folder, names, faults)}")
    return Credentials(values[API_KEY], values[API_SECRET], values.get(PASSPHRASE, ""))


def _incomplete(folder: Path, names: Sequence[str], faults: Sequence[str]) -> str:
    try:
        present = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        present = []
    if not present:
        return f"there is no such Secret here, or it is empty: make it with the keys {', '.join(names)}"
    return f"the Secret is not complete: {', '.join(faults)}; it has the keys {', '.join(present)}"
