"""The README's table of training speed, from the record alone."""

BEGIN = "<!-- tools/bench --readme writes from here -->"
END = "<!-- to here -->"


def gib(size):
    return f"{size / 2**30:.2f} GiB"


def spread(one):
    return f"{one['median']:,.0f} ({one['lowest']:,.0f}–{one['highest']:,.0f})"


def row(case, name, one, hone):
    is_hone = one is hone
    ratio = hone["tokens_per_s"]["median"] / one["tokens_per_s"]["median"]
    cells = [case if is_hone else "", name, spread(one["tokens_per_s"]),
             f"{one['trained_tokens_per_s']['median']:,.0f}", "" if is_hone else f"{ratio:.2f}",
             gib(one["peak_memory_bytes"]["median"]),
             f"{one['first_step_done_s']['median']:.1f} s" if "first_step_done_s" in one else "",
             f"{100 * one['mfu']['median']:.0f} %" if "mfu" in one else ""]
    return f"| {' | '.join(cells)} |"


def circumstances(case):
    """When, how often and on what a case was measured, and what was wrong with that."""
    machine = case["machine"]
    told = (f"{case['rounds']} rounds, {case['date']}, {machine['processor']}, "
            f"{machine['threads']} threads, a bf16 product at "
            f"{machine['matrix_peak_flops'] / 1e9:,.0f} GFLOP/s")
    if case["refusal"]:
        told += f"; measured on a busy machine: {'; '.join(case['refusal'])}"
    return told


def block(record, sweeps):
    lines = []
    for case in record["cases"].values():
        if not lines:
            lines += [
                "Training SmolLM2-135M-Instruct beside its peers on the same rows, in turns, medians "
                "over the rounds (lowest and highest); below each case, when and where it was measured "
                "(`tests/bench/results/training.json`, `tools/bench`). Padding is not counted.",
                "",
                "| case | tool | tokens/s | trained tokens/s | hone is faster by | peak memory | "
                "first step done | of the matrix peak |", "|---|---|---|---|---|---|---|---|"]
        hone = case["tools"]["hone"]
        for tool, one in case["tools"].items():
            lines.append(row(case["title"], tool, one, hone))
        lines.append(f"| | *{circumstances(case)}* | | | | | | |")
    if lines:
        first, later = (max(c["losses_differ"][key] for c in record["cases"].values())
                        for key in ("first_step", "any_step"))
        lines += ["", f"Losses differ by at most {first:.4f} in the first step and {later:.4f} in "
                  "any: adapters begin with other random numbers.", "",
                  "![tokens per second](tests/bench/results/training.svg)"]
    for name, sweep in sweeps.items():
        lines += ["", f"![{sweep['title']}](tests/bench/results/sweep_{name}.svg)"]
    return "\n".join(lines)


def rewrite(path, record, sweeps):
    """Replaces what stands between the markers. @throws SystemExit where there are none"""
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"{path}: expected one line {BEGIN} and one {END} behind it")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{block(record, sweeps)}\n{END}{after}", encoding="utf-8")
