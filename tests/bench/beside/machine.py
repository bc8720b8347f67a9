"""Whether a machine is quiet enough to be measured on, and what it is."""
import json
import os
import pathlib
import subprocess
import tempfile

# Of the fastest product that this kind of machine has shown.
SLOWEST_SHARE = 0.85
# Processes that want a core beside the benchmark's own.
MOST_LOAD = 0.4


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def matrix_peak_flops(hone, model, threads):
    """What a bf16 product reaches, as hone measures it for `mfu`: the best of three."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(json.dumps({"model": {"base": str(model)}, "adapter": {"method": "lora"},
                                 "data": {"train": config.name},  # with --tokens it is not read
                                 "train": {"precision": "bf16", "max_steps": 1}}))
        config.flush()
        best = 0
        for _ in range(3):
            told = subprocess.run([hone, "plan", config.name, "--json", "--quiet", "--tokens", "64",
                                   "--threads", str(threads)],
                                  capture_output=True, text=True, check=True).stdout
            best = max(best, json.loads(told)["matrix_peak_flops"])
        return best


def look(hone, model, threads, known, own=0):
    """The machine as it is now, and why it is too busy to be measured on (empty: it is not).

    @param known {processor and threads: the fastest product so far}; a faster one is noted in it
    @param own of the load, what is the benchmark's: its last minute is in the average
    """
    name = f"{processor()}, {threads} threads"
    load = os.getloadavg()[0]
    peak = matrix_peak_flops(hone, model, threads)
    fastest = max(known.get(name, 0), peak)
    known[name] = fastest
    reasons = []
    if load > MOST_LOAD + own:
        reasons.append(f"a load of {load:.2f}, expected at most {MOST_LOAD + own}")
    if peak < SLOWEST_SHARE * fastest:
        reasons.append(f"a product at {peak / 1e9:.0f} GFLOP/s, {fastest / 1e9:.0f} were seen")
    return {"processor": processor(), "threads": threads, "load_average": load,
            "matrix_peak_flops": peak, "fastest_matrix_peak_flops": fastest}, reasons
