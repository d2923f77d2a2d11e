"""Load on a server from so many clients at the same time, and the latencies that they see."""

import dataclasses
import threading
import time
from collections.abc import Callable

import numpy as np

PERCENTILES = (50, 90, 99)


@dataclasses.dataclass(frozen=True)
class Load:
    """What the clients saw.

    Args:
        requests: Answers within the time of the measurement.
        seconds: That time.
        percentiles: Latencies in milliseconds, by the numbers of PERCENTILES.
        busy: The share of one core that this process took. Threads of Python share one core:
            from 0.9 on, the clients are the limit rather than the server.
    """

    requests: int
    seconds: float
    percentiles: dict[int, float]
    busy: float


def measure(
    asks: list[Callable[[int], object]],
    seconds: float,
    warm_up: float = 1.0,
    now: Callable[[], float] = time.perf_counter,
    cpu: Callable[[], float] = time.process_time,
) -> Load:
    """Lets each client ask again and again, all at the same time, in threads.

    Args:
        asks: A function for each client: given the number of its request, from 0 on, it returns
            when that is answered.
        seconds: The time to measure for, > 0. Answers count that come within it.
        warm_up: Seconds before it that are not counted; each client's first request is not either.
        now: Returns the time in seconds.
        cpu: Returns the seconds of CPU time that this process has taken.

    Raises:
        Exception: of the first request that failed, which ends all.
        ValueError: no request was answered in that time.
    """
    spans: list[tuple[float, float]] = []
    failures: list[Exception] = []
    begins: list[float] = []
    # Connections are made before the time runs.
    ready = threading.Barrier(len(asks), action=lambda: begins.append(now() + warm_up))
    used: list[float] = []
    over = threading.Event()

    def work(ask):
        try:
            ask(0)
            ready.wait()
            number = 0
            while not over.is_set() and (start := now()) < begins[0] + seconds:
                if start >= begins[0] and not used:
                    used.append(cpu())
                number += 1
                ask(number)
                spans.append((start, now()))
        except threading.BrokenBarrierError:
            pass  # another one failed
        except Exception as error:
            failures.append(error)
            over.set()
            ready.abort()

    threads = [threading.Thread(target=work, args=(ask,), daemon=True) for ask in asks]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:  # also where the user interrupts
        over.set()
    if failures:
        raise failures[0]
    taken = cpu() - used[0] if used else 0.0
    begin, end = begins[0], begins[0] + seconds
    counted = [1000 * (stop - start) for start, stop in spans if begin <= stop < end]
    if not counted:
        raise ValueError(f"no request was answered within {seconds:g} s")
    values = {share: float(np.percentile(counted, share)) for share in PERCENTILES}
    return Load(len(counted), seconds, values, taken / seconds)
