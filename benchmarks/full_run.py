"""Record the experiment of the common tutorial, all 2501 steps of it.

It is a record of quality, not of time: what the steps cost is measured in chapter 9. A
cameraman of 128x128 pixels, 2-256x4-1, Adam at 1e-4, the whole picture in every
step. Chapter 9 shows the record beside the shorter run that its reader makes.

    python benchmarks/full_run.py [--device cuda]
"""

import matplotlib
import torch
from provenance import RESULTS, begin, command_line, provenance, write_result

import sirenlib
from sirenlib import figures

matplotlib.use("Agg")
from matplotlib import pyplot as plt

NAME, SIZE, STEPS = "full_run", 128, 2501
STAGES = (0, 20, 100, 500, 2500)


def main() -> None:
    options = command_line(__doc__).parse_args()
    device = begin(options)

    signal = sirenlib.cameraman(SIZE).to(device)
    generator = torch.Generator().manual_seed(0)
    model = sirenlib.Siren(2, 256, 3, 1, generator=generator).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    coords = signal.coords.clone().requires_grad_()

    history, stages = sirenlib.History(), []
    for step in range(STEPS):
        output = model(coords)
        loss = ((output - signal.values) ** 2).mean()
        if step in STAGES:
            stages.append(output.detach().cpu().reshape(signal.shape))
        if step % 20 == 0:
            history.step.append(step)
            history.loss.append(loss.item())
            history.psnr.append(sirenlib.psnr_from_mse(loss.item(), 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    record = {
        "what": "cameraman 128x128, 2-256x4-1, official start, Adam 1e-4, full batch",
        "steps": STEPS,
        "final_psnr": round(sirenlib.signal_psnr(model, signal), 2),
        "history": {
            "step": history.step,
            "psnr": [round(value, 3) for value in history.psnr],
        },
    }
    if not options.draft:
        draw(model, signal, stages)
        write_result(NAME, record | {"provenance": provenance(device)})
    print(f"{record['final_psnr']} dB after {STEPS} steps")


def draw(model, signal, stages) -> None:
    plt.style.use(figures.STYLE)
    fields = sirenlib.evaluate(model, signal.coords)
    panels = figures.three_panels(*fields, signal.shape)
    panels.savefig(RESULTS / f"{NAME}-panels.png")
    row, axes = plt.subplots(1, len(STAGES), figsize=(8, 2.1))
    for axis, step, stage in zip(axes, STAGES, stages, strict=True):
        figures.show_picture(axis, stage, f"step {step}")
    row.savefig(RESULTS / f"{NAME}-stages.png")


if __name__ == "__main__":
    main()
