"""What is asked of a Gatehouse in a soak, and what it has to answer."""

import base64
import collections
import email.utils
import hashlib
import hmac
import json
import time

import house

HEAD_TIMEOUT, BODY_TIMEOUT, IDLE_TIMEOUT, WRITE_TIMEOUT = 5, 5, 10, 5
ATTEMPTS, LOCKOUT = 5, 60
GRACE = 10
# What takes longer has not come.
PATIENCE = 60
ROUTES = {"/resource", "/verify", "/login", "/refresh", "/logout", "/logout/all", "/health/live",
          "/health/ready", "/openapi.json"}
# Asked for by those who go away before they know whether they were heard.
LOOSE = "/openapi.json"
PHRASES = {
    200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required",
    413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
    417: "Expectation Failed", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    501: "Not Implemented", 503: "Service Unavailable", 505: "HTTP Version Not Supported"}
SENTENCES = {400: "Bad request", 404: "Not found", 405: "Method not allowed",
             408: "Request timeout", 411: "Length required", 413: "Content too large",
             414: "URI too long", 415: "Unsupported media type", 417: "Expectation failed",
             431: "Request header fields too large", 501: "Not implemented",
             505: "HTTP version not supported"}
KEYS = {"first": house.KEY, "second": house.SECOND_KEY,
        "third": "a key that comes while the server runs, as long as they have to be, and more"}
BARE = 'Bearer realm="gatehouse"'


class Wrong(Exception):
    """An answer that is not the right one."""


def challenge(error, description):
    return f'{BARE}, error="{error}", error_description="{description}"'


class Expected:
    """An answer, but for its date and its id.
    - body: None for one that nobody knows before.
    """

    def __init__(self, status, body=b"", closes=False, head=False, **fields):
        self.status = status
        self.body = body
        self.head = head
        self.fields = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
        self.fields.update((name.lower().replace("_", "-"), value)
                           for name, value in fields.items())
        if body:
            self.fields["content-length"] = str(len(body))
        if body or body is None:
            self.fields["content-type"] = "application/json"
        if closes:
            self.fields["connection"] = "close"

    @classmethod
    def error(cls, status, sentence=None, **rest):
        return cls(status, json.dumps({"error": sentence or SENTENCES[status]},
                                      separators=(",", ":")).encode(), **rest)


UNAUTHORIZED = Expected.error(401, "Unauthorized", www_authenticate=BARE)
INVALID_TOKEN = Expected.error(
    401, "Invalid token", www_authenticate=challenge("invalid_token", "The token is invalid"))
EXPIRED = Expected.error(
    401, "Token expired", www_authenticate=challenge("invalid_token", "The token expired"))
SESSION_EXPIRED = Expected.error(
    401, "Session expired", www_authenticate=challenge("invalid_token", "The token expired"))
REVOKED = Expected.error(
    401, "Token revoked", www_authenticate=challenge("invalid_token", "The token was revoked"))
INVALID_REQUEST = Expected.error(
    400, "Invalid request",
    www_authenticate=challenge("invalid_request", "The request is malformed"))
NO_USER = Expected.error(404, "User not found")
INVALID_CREDENTIALS = Expected.error(401, "Invalid credentials", www_authenticate=BARE)
BUSY = Expected.error(503, "Busy", retry_after="1")
OK = Expected(200, b'{"status":"ok"}')
TOKEN = Expected(200, None, pragma="no-cache")
DOCUMENT = Expected(200, None)
NOT_FOUND = Expected.error(404)


def resource(user):
    return Expected(200, json.dumps({"user": {"id": user.id, "name": user.name}},
                                    separators=(",", ":")).encode())


def verified(user, claims):
    return Expected(204, X_Auth_User_Id=str(user.id), X_Auth_User_Name=user.name,
                    X_Auth_Session=claims["sid"], X_Auth_Expires=str(claims["exp"]))


class User:
    def __init__(self, number, username):
        self.id = number
        self.username = username
        self.name = username.capitalize()
        self.password = f"the password of {username}"


_dates = {}


def check_date(text):
    """That it is now, within what a batch and a busy machine take."""
    if text not in _dates:
        try:
            parsed = email.utils.parsedate_to_datetime(text.decode()).timestamp()
        except ValueError:
            raise Wrong(f"the date is {text!r}") from None
        if len(_dates) > 1000:
            _dates.clear()
        _dates[text] = parsed
    if not -30 < _dates[text] - time.time() < 2:
        raise Wrong(f"the date is {text!r}, and it is {email.utils.formatdate(usegmt=True)}")


class Tally(collections.Counter):
    """What has to have happened in the server, by name and labels."""

    def request(self, path, status):
        self["request", path if path in ROUTES else "other", status] += 1

    def refused(self, reason, status):
        """Of what was no request."""
        self["request", "none", status] += 1
        self["refused", reason] += 1

    def login(self, outcome):
        self["login", outcome] += 1
        if outcome == "success":
            self["issued"] += 1

    def rejected(self, reason):
        self["rejected", reason] += 1


def read_token(body, user):
    """The claims of a fresh answer with a token."""
    value = json.loads(body)
    if list(value) != ["token", "token_type", "expires_in", "session_expires_in"]:
        raise Wrong(f"a token's answer has {list(value)}")
    head, payload, signature = value["token"].split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    made = hmac.new(KEYS[header["kid"]].encode(), f"{head}.{payload}".encode(), hashlib.sha256)
    if base64.urlsafe_b64encode(made.digest()).rstrip(b"=") != signature.encode():
        raise Wrong("a token's signature is wrong")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    if claims["user_id"] != user.id or claims["sub"] != str(user.id):
        raise Wrong(f"the token of {user.id} is that of {claims['user_id']}")
    if value["expires_in"] > TTL or value["expires_in"] < 1:
        raise Wrong(f"a token is good for {value['expires_in']} s")
    return value["token"], claims


TTL, SESSION = 60, 120


def message(method, path, rid, token=None, body=None, fields=(), version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: soak", f"X-Request-Id: {rid}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode() + (body or b"")


def claims_of(user, now=None, **changes):
    now = int(time.time()) if now is None else now
    claims = {"iss": "gatehouse", "user_id": user, "iat": now, "exp": now + 3600, **changes}
    return {name: value for name, value in claims.items() if value is not None}
