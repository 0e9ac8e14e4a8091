"""The worker processes of the API: uvicorn's, whose parent heeds deaths and signals also while one does not answer.

uvicorn's own parent waits for the whole time that a worker may be silent, for one that died before its answer too:
nobody is replaced meanwhile, and SIGTERM goes unheeded until a supervisor's patience is over. And its workers go on
when the parent is killed, and keep the port.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from socket import socket

import structlog
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

log = structlog.get_logger(__name__)

STEP = 0.1
"""Seconds between looks at whether a worker that does not answer still lives."""


class Worker(Process):
    """A worker process; `signals` are those that the parent has yet to heed."""

    def __init__(self, config: Config, sockets: list[socket], signals: Sequence[int]) -> None:
        super().__init__(config, sockets)
        self.signals = signals

    def ping(self, timeout: float = 5) -> bool:
        """Whether it answers in time: no as soon as it has died, and yes for now while a signal is to be heeded."""
        until = time.monotonic() + timeout
        try:
            self.parent_conn.send(b"ping")
            while self.process.is_alive() and time.monotonic() < until:
                if self.signals:
                    return True
                if self.parent_conn.poll(STEP):
                    self.parent_conn.recv()
                    return True
        except (OSError, EOFError):
            pass
        return False

    def always_pong(self) -> None:
        """Answer the parent as long as it lives; without it, leave: nobody else would end us, and the port is ours."""
        parent = multiprocessing.parent_process()
        while parent is not None and parent.is_alive():
            if self.child_conn in wait([self.child_conn, parent.sentinel]):
                self.pong()
        os.kill(os.getpid(), signal.SIGTERM)


class Workers(Multiprocess):
    """As many workers as the configuration says, on a socket they share."""

    failed = False
    """Whether they ended because one could not begin."""

    def init_processes(self) -> None:
        """Start them all."""
        self.processes = [self.begun() for _ in range(self.processes_num)]

    def begun(self) -> Worker:
        """A worker, started."""
        worker = Worker(self.config, self.sockets, self.signal_queue)
        worker.start()
        return worker

    def keep_subprocess_alive(self) -> None:
        """Replace those that died or hang; end with one that could not even begin."""
        for number, worker in enumerate(self.processes):
            if self.should_exit.is_set() or worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                log.error("worker.failed", pid=worker.pid)
                self.failed = True
                self.should_exit.set()
                return
            log.warning("worker.died", pid=worker.pid)
            self.processes[number] = self.begun()


def serve(config: Config) -> None:
    """Serve with several workers until told to stop; exit status 3, as with one, when a worker could not begin."""
    workers = Workers(config, [config.bind_socket()])
    workers.run()
    if workers.failed:
        sys.exit(STARTUP_FAILURE)
