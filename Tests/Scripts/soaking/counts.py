"""What the clients of a soak have counted."""

import collections
import dataclasses

from soaking.protocol import ROUTES


def _counter():
    return dataclasses.field(default_factory=collections.Counter)


@dataclasses.dataclass
class Counts:
    """What must have happened in the server, according to its clients."""
    connections: int = 0
    # Responses by route and status. Refused requests have the route "none".
    requests: collections.Counter = _counter()
    # Bounds of the requests for DOCUMENT_PATH, because these clients do not wait for the response.
    documents_least: int = 0
    documents_most: int = 0
    logins: collections.Counter = _counter()  # By outcome.
    rejected: collections.Counter = _counter()  # Tokens, by reason.
    refused: collections.Counter = _counter()  # Requests that were not parsed or queued, by reason.
    throttled: collections.Counter = _counter()  # Logins, by reason.
    timeouts: collections.Counter = _counter()  # By kind.
    issued: int = 0
    verified: int = 0
    refreshed: int = 0
    reused: int = 0
    logouts: int = 0
    revocations: int = 0
    lockouts: int = 0

    def request(self, path, status):
        self.requests[path if path in ROUTES else "other", status] += 1

    def refuse(self, reason, status):
        """Counts bytes that were refused before they were a request."""
        self.requests["none", status] += 1
        self.refused[reason] += 1

    def login(self, outcome):
        self.logins[outcome] += 1
        if outcome == "success":
            self.issued += 1

    def reject(self, reason):
        self.rejected[reason] += 1

    def verify(self):
        self.verified += 1

    def add(self, other):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, collections.Counter):
                value.update(getattr(other, field.name))
            else:
                setattr(self, field.name, value + getattr(other, field.name))
