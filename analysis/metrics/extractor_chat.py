"""One request to an OpenAI-compatible service with the standard library: what comes back, and whether a failure may pass."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from probes.command.cli import BadInput

LARGEST = 4_000_000
"""Bytes of a reply that are read."""
PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Statuses after which the same request may be answered."""
LONGEST_WAIT = 300.0
"""Seconds that a server can have us wait."""


class Passing(Exception):
    """A failure that may pass.

    Attributes
    ----------
    wait : how long the server asks to wait (s); 0 if it does not say
    """

    def __init__(self, why: str, wait: float = 0.0):
        super().__init__(why)
        self.wait = wait


def chat(url: str, body: dict[str, Any], key: str, timeout: float) -> str:
    """What the model says to the messages of a request.

    Parameters
    ----------
    url : of the service or of its ``chat/completions``
    key : sent as bearer, to this address only; none if empty

    Raises
    ------
    Passing : no connection, too slow, overloaded, or a reply in another form
    BadInput : the service refuses the request as such, or sends it elsewhere; the key is none that can be sent
    """
    address = url.rstrip("/")
    address = address if address.endswith("/chat/completions") else f"{address}/chat/completions"
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f"{address}: the key holds a character that cannot be sent; set its environment variable to the key alone.")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout) as reply:
            content = reply.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        with error:
            if error.code not in PASSING:
                raise BadInput(f"{address}: refused with status {error.code} ({_said(error)}); {_way_out(error.code)}.") from None
            raise Passing(f"status {error.code}: {_said(error)}", _wait(error)) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise Passing(f"no answer: {getattr(error, 'reason', None) or error or type(error).__name__}") from None
    if len(content) > LARGEST:
        raise Passing(f"a reply of more than {LARGEST:,} bytes")
    try:
        said = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise Passing(f"a reply without choices, message and content: {_short(content)}") from None
    if not isinstance(said, str):
        raise Passing("a reply without text")
    return said


def listed(said: str) -> list[str]:
    """The objects in what the model said: the JSON list of strings from its first bracket to its last; "()" is an empty one.

    Raises
    ------
    Passing : there is no such list
    """
    said = "[]" if said.strip() == "()" else said
    start, end = said.find("["), said.rfind("]")
    try:
        found = json.loads(said[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise Passing(f"no JSON list of names: {_short(said.encode())}")
    return found


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return _short(error.read(LARGEST)) or str(error.reason)
    except OSError:
        return str(error.reason)


def _short(content: bytes) -> str:
    return " ".join(content[:400].decode("utf-8", "replace").split())[:120]


def _wait(error: urllib.error.HTTPError) -> float:
    try:
        return min(max(float(error.headers.get("Retry-After", "")), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError):
        return 0.0


def _way_out(status: int) -> str:
    if status in (401, 403):
        return "set the environment variable of the key"
    return "check the address, the model's name and the prompt"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for the address that was given."""

    def redirect_request(self, *_: Any) -> None:
        """None: the status is an error."""
