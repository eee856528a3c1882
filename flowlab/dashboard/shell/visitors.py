"""Who a visitor is: a random cookie of the browser, the same in all its tabs and after a reload.

The cookie is a secret, for whoever has it controls its owner's runs; what is written beside runs is a digest of it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping

COOKIE = "flowlab_visitor"
MAX_AGE_SECONDS = 180 * 86_400

_VALUE = re.compile(r"[0-9a-f]{32}")


def new_cookie(is_secure: bool) -> str:
    """A Set-Cookie header of a new visitor; `is_secure` where the page came by HTTPS."""
    kept = f"{COOKIE}={secrets.token_hex(16)}; Max-Age={MAX_AGE_SECONDS}; Path=/; HttpOnly; SameSite=Lax"
    return f"{kept}; Secure" if is_secure else kept


def of_cookies(cookies: Mapping[str, str]) -> str:
    """The visitor's name, 32 hex digits, from a browser's cookies; "" where there is none of ours.

    >>> of_cookies({COOKIE: "0" * 32}) == of_cookies({COOKIE: "0" * 32, "a": "b"}) != "0" * 32
    True
    >>> of_cookies({COOKIE: "somebody"})
    ''
    """
    value = str(cookies.get(COOKIE, ""))
    return hashlib.sha256(value.encode()).hexdigest()[:32] if _VALUE.fullmatch(value) else ""
