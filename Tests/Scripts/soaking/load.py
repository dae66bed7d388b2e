"""What the clients of a process share, and the process."""

import multiprocessing
import signal
import time
import traceback

import house
from soaking.answers import Tally, claims_of


class Load:
    """Clients of one process, and what they have counted."""

    def __init__(self, name, address, users, end):
        self.name = name
        self.address = address
        self.users = users
        self.end = end
        self.tally = Tally()
        self.count = 0
        now = int(time.time())
        self.expired = house.sign(claims_of(1, now - 7200, jti="long-ago"))

    def next_id(self):
        self.count += 1
        return f"{self.name}.{self.count}"

    @property
    def is_over(self):
        return time.monotonic() >= self.end


def in_process(run, load, *arguments):
    """Runs clients beside this process.
    - Returns: the process, and where its tally, or what was wrong, is to be had.
    """
    here, there = multiprocessing.Pipe(duplex=False)

    def body():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # At the other process's end.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        here.close()
        try:
            run(load, *arguments)
            there.send((dict(load.tally), None))
        except BaseException:
            there.send((None, traceback.format_exc()))

    process = multiprocessing.get_context("fork").Process(target=body, daemon=True)
    process.start()
    there.close()
    return process, here
