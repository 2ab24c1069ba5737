"""Value, gradient and Laplacian: nested autograd against one forward pass.

Two jobs at 256x256 with the network 2-256x4-1: drawing the three panels, in chunks, and
one training step on a Laplacian loss over a batch. The times are medians of interleaved
rounds; the peak of the memory is measured in a process of its own for each.

    python benchmarks/derivatives.py [--device cuda] [--rounds 5]
"""

import statistics

import torch
from provenance import begin, command_line, write_record
from timing import in_own_process, peak_megabytes, seconds

import sirenlib

NAME, SIZE, BATCH = "derivatives", 256, 8192
JOBS, METHODS = ("evaluate", "step"), ("autograd", "forward")


def work(job: str, method: str, device: torch.device, points: int | None = None):
    """A function without arguments that does the job once, on so many points or all."""
    generator = torch.Generator().manual_seed(0)
    siren = sirenlib.Siren(2, 256, 3, 1, generator=generator).to(device)
    coords = sirenlib.coordinate_grid(SIZE, SIZE)[:points].to(device)
    if job == "evaluate":
        # Wrapped, it is no Siren to `evaluate`, which then asks autograd.
        model = siren if method == "forward" else torch.nn.Sequential(siren)
        return lambda: sirenlib.evaluate(model, coords)
    batch = coords[torch.randperm(len(coords), generator=generator)[:BATCH]]

    def step():
        if method == "forward":
            laplacian = sirenlib.forward_laplacian(siren, batch)[2]
        else:
            x = batch.clone().requires_grad_()
            laplacian = sirenlib.laplace(siren(x), x)
        siren.zero_grad()
        laplacian.square().mean().backward()

    return step


def peak(job: str, method: str, device: torch.device) -> float:
    """Memory that the job takes at its peak, beyond what stood there before."""
    work(job, method, device, points=16)()  # loads what is loaded on first use
    return peak_megabytes(work(job, method, device), device)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", nargs=2, metavar=("JOB", "METHOD"))
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(*arguments.peak, sirenlib.resolve_device(arguments.device)))
        return
    device = begin(arguments)
    asked = [__file__, f"--device={device}", "--peak"]
    # First, while this process is small.
    peaks = {(j, m): in_own_process(*asked, j, m) for j in JOBS for m in METHODS}
    rows = []
    for job in JOBS:
        functions = {method: work(job, method, device) for method in METHODS}
        for function in functions.values():
            function()  # once beforehand
        times = {method: [] for method in METHODS}
        for _ in range(arguments.rounds):
            for method, function in functions.items():
                times[method].append(seconds(function, device))
        for method in METHODS:
            row = {
                "job": job,
                "method": method,
                "seconds": round(statistics.median(times[method]), 4),
                "spread": [round(t, 4) for t in sorted(times[method])],
                "peak_megabytes": round(peaks[job, method], 1),
            }
            rows.append(row)
            print(row, flush=True)
    what = f"2-256x4-1, {SIZE}x{SIZE} evaluated in chunks; a step has {BATCH} points"
    write_record(NAME, {"what": what, "rows": rows}, device, arguments.draft)


if __name__ == "__main__":
    main()
