"""Keys that cannot be shown, and texts in which none is left."""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn
from urllib.parse import quote, quote_plus

from engines.data.sources.errors import NotConfigured, SourceError

MASK = "***"
SHORTEST = 8  # characters: masking anything shorter would also mask honest data
VARIABLES = (
    "ALPHAVANTAGE_API_KEY",
    "FRED_API_KEY",
    "EDGAR_IDENTITY",  # no key, but a person's name and address
    "DATA_GOV_API_KEY",
    "TRADING_ECONOMICS_API_KEY",
)


class Secret:
    """A key.  Only `reveal` gives it away; printing, formatting, comparing and pickling do not."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the moment of sending."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        """Refused.

        Raises:
            TypeError: always.
        """
        raise TypeError("a secret is not pickled")


class Redactor:
    """Replaces every form in which one of its secrets could appear in a text."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms = {form for secret in secrets for form in _forms(secret.reveal())}
        ordered = sorted(forms, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None
        self._bytes = (
            re.compile(b"|".join(re.escape(form.encode()) for form in ordered), re.IGNORECASE) if ordered else None
        )

    def text(self, text: str) -> str:
        """The text without secrets."""
        return text if self._text is None else self._text.sub(MASK, text)

    def body(self, body: bytes) -> bytes:
        """A reply without secrets: some sources send the key back."""
        return body if self._bytes is None else self._bytes.sub(MASK.encode(), body)

    def error(self, error: SourceError) -> SourceError:
        """The same error, its texts without secrets and nothing chained to it that could hold one."""
        error.what, error.why, error.next_step = map(self.text, (error.what, error.why, error.next_step))
        error.args = (error.what,)
        error.__cause__ = error.__context__ = error.__traceback__ = None
        return error


def _forms(value: str) -> set[str]:
    """A secret as it is, each half of `key:secret`, and each of them as URLs, JSON, HTML and Basic headers write it."""
    plain = {part for part in (value, *value.split(":")) if len(part) >= SHORTEST}
    forms = set()
    for part in plain:
        forms |= {part, quote(part), quote(part, safe=""), quote_plus(part), html.escape(part)}
        forms |= {json.dumps(part)[1:-1], base64.b64encode(part.encode()).decode()}
    return forms


def from_env(source: str, env: Mapping[str, str], variable: str) -> Secret:
    """The secret in an environment variable.

    Raises:
        NotConfigured: it is not set, or holds what cannot be one (its text is not repeated).
    """
    value = env.get(variable, "").strip()
    if not value:
        raise NotConfigured(source, f"{variable} is not set.", f"{source} needs it.", f"Set {variable}.")
    if len(value) < SHORTEST or not (value.isascii() and value.isprintable()):
        why = f"It must hold at least {SHORTEST} printable ASCII characters."
        raise NotConfigured(source, f"{variable} holds no key.", why, f"Set {variable}.")
    return Secret(value)


def redactor(env: Mapping[str, str]) -> Redactor:
    """Masks everything that is configured as a secret, whichever source it belongs to."""
    values = (env.get(variable, "").strip() for variable in VARIABLES)
    return Redactor(Secret(value) for value in values if len(value) >= SHORTEST)
