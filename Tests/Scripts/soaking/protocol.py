"""The requests of a soak, and the responses that Gatehouse must give to them."""

import base64
import email.utils
import hashlib
import hmac
import json
import time

from server import KEY, SECOND_KEY

HEAD_TIMEOUT, BODY_TIMEOUT, IDLE_TIMEOUT, WRITE_TIMEOUT = 5, 5, 10, 5
ATTEMPTS, LOCKOUT = 5, 60
GRACE = 10
TTL, SESSION = 60, 120
ROUTES = {"/resource", "/verify", "/login", "/refresh", "/logout", "/logout/all", "/health/live",
          "/health/ready", "/openapi.json"}
# Requested by clients that disconnect before they know whether the request was read.
DOCUMENT_PATH = "/openapi.json"
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
KEYS = {"first": KEY, "second": SECOND_KEY,
        "third": "a key that is added while the server runs, as long as keys have to be"}
CHALLENGE = 'Bearer realm="gatehouse"'


class UnexpectedResponse(Exception):
    """The server's response is not the one that the protocol requires."""


def challenge(error, description):
    return f'{CHALLENGE}, error="{error}", error_description="{description}"'


class ExpectedResponse:
    """A response, except its date and its request id.
    - body: None if it is not known in advance.
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


UNAUTHORIZED = ExpectedResponse.error(401, "Unauthorized", www_authenticate=CHALLENGE)
INVALID_TOKEN = ExpectedResponse.error(
    401, "Invalid token", www_authenticate=challenge("invalid_token", "The token is invalid"))
EXPIRED = ExpectedResponse.error(
    401, "Token expired", www_authenticate=challenge("invalid_token", "The token expired"))
SESSION_EXPIRED = ExpectedResponse.error(
    401, "Session expired", www_authenticate=challenge("invalid_token", "The token expired"))
REVOKED = ExpectedResponse.error(
    401, "Token revoked", www_authenticate=challenge("invalid_token", "The token was revoked"))
INVALID_REQUEST = ExpectedResponse.error(
    400, "Invalid request",
    www_authenticate=challenge("invalid_request", "The request is malformed"))
NO_USER = ExpectedResponse.error(404, "User not found")
INVALID_CREDENTIALS = ExpectedResponse.error(401, "Invalid credentials", www_authenticate=CHALLENGE)
BUSY = ExpectedResponse.error(503, "Busy", retry_after="1")
OK = ExpectedResponse(200, b'{"status":"ok"}')
TOKEN = ExpectedResponse(200, None, pragma="no-cache")
DOCUMENT = ExpectedResponse(200, None)
NOT_FOUND = ExpectedResponse.error(404)


def resource(user):
    value = {"user": {"id": user.id, "name": user.name}}
    return ExpectedResponse(200, json.dumps(value, separators=(",", ":")).encode())


def verified(user, claims):
    return ExpectedResponse(
        204, X_Auth_User_Id=str(user.id), X_Auth_User_Name=user.name,
        X_Auth_Session=claims["sid"], X_Auth_Expires=str(claims["exp"]))


class User:
    def __init__(self, number, username):
        self.id = number
        self.username = username
        self.name = username.capitalize()
        self.password = f"the password of {username}"


_dates = {}


def check_date(text):
    """Checks that a date is now, within the time of a batch on a busy machine."""
    if text not in _dates:
        try:
            parsed = email.utils.parsedate_to_datetime(text.decode()).timestamp()
        except ValueError:
            raise UnexpectedResponse(f"the date is {text!r}") from None
        if len(_dates) > 1000:
            _dates.clear()
        _dates[text] = parsed
    if not -30 < _dates[text] - time.time() < 2:
        raise UnexpectedResponse(
            f"the date is {text!r} at {email.utils.formatdate(usegmt=True)}")


def read_token(body, user):
    """Checks a response with a new token. Returns the token and its claims."""
    value = json.loads(body)
    if list(value) != ["token", "token_type", "expires_in", "session_expires_in"]:
        raise UnexpectedResponse(f"the response with a token has the members {list(value)}")
    head, payload, signature = value["token"].split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    expected = hmac.new(KEYS[header["kid"]].encode(), f"{head}.{payload}".encode(), hashlib.sha256)
    if base64.urlsafe_b64encode(expected.digest()).rstrip(b"=") != signature.encode():
        raise UnexpectedResponse("the signature of a token is wrong")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    if claims["user_id"] != user.id or claims["sub"] != str(user.id):
        raise UnexpectedResponse(f"the token of user {user.id} names user {claims['user_id']}")
    if value["expires_in"] > TTL or value["expires_in"] < 1:
        raise UnexpectedResponse(f"a token is valid for {value['expires_in']} s")
    return value["token"], claims


def request_bytes(method, path, request_id, token=None, body=None, fields=(), version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: soak", f"X-Request-Id: {request_id}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode() + (body or b"")


def claims_of(user, now=None, **changes):
    now = int(time.time()) if now is None else now
    claims = {"iss": "gatehouse", "user_id": user, "iat": now, "exp": now + 3600, **changes}
    return {name: value for name, value in claims.items() if value is not None}
