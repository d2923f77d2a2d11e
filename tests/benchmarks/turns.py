"""What a process of `processes.Prepared` runs in a test: next to nothing."""

from benchmarks import processes


def taking_its_turn():
    processes.turn()
    return {"steps": 1}
