"""A process of clients, and what its clients share."""

import multiprocessing
import signal
import time
import traceback

from server import sign_token
from soaking.counts import Counts
from soaking.protocol import claims_of


class Load:
    """The clients of one process, and what they have counted."""

    def __init__(self, name, address, users, end):
        self.name = name
        self.address = address
        self.users = users
        self.end = end
        self.counts = Counts()
        self.last_id = 0
        now = int(time.time())
        self.expired_token = sign_token(claims_of(1, now - 7200, jti="long-ago"))

    def next_id(self):
        self.last_id += 1
        return f"{self.name}.{self.last_id}"

    @property
    def is_over(self):
        return time.monotonic() >= self.end


def in_process(run, load, *arguments):
    """Runs clients in a process of their own.
    - Returns: the process, and a pipe that delivers a pair: its counts, and the text of an error.
      One of the two is None.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def body():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # The parent terminates this process when it ends itself.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        receiver.close()
        try:
            run(load, *arguments)
            sender.send((load.counts, None))
        except BaseException:
            sender.send((None, traceback.format_exc()))

    process = multiprocessing.get_context("fork").Process(target=body, daemon=True)
    process.start()
    sender.close()
    return process, receiver
