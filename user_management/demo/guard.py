"""`python -m user_management.demo.guard FOLDER`: when the demo dies without a word, stop what it had started.

The demo holds the other end of our standard input and writes a word before it leaves in order. If the pipe ends
without it, the demo was killed. Our copy of the folder's lock keeps a next demo out until we are done.
"""

import signal
import sys
from pathlib import Path

from user_management.demo import processes

LEFT_IN_ORDER = "done"


def main() -> None:
    """Wait for the demo's end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if LEFT_IN_ORDER not in sys.stdin.read():
        processes.stop_all(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
