"""What every peer speaks: one JSON line when ready, then for every line with a number of steps
on stdin one JSON line with the milliseconds per step, those of the processor and the peak memory of the process."""
import json
import resource
import sys
import time


def serve(version, step, wait=lambda: None):
    step()
    wait()
    print(json.dumps({"version": version}), flush=True)
    for line in sys.stdin:
        steps = int(line)
        began, before = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        wait()
        milliseconds = (time.perf_counter() - began) / steps * 1e3
        cpu = (time.process_time() - before) / steps * 1e3
        # Kibibytes on Linux, bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        message = {"milliseconds": milliseconds, "cpuMilliseconds": cpu, "peakBytes": peak}
        print(json.dumps(message), flush=True)
