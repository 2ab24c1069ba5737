"""Where and with what a recorded number was measured."""

import datetime
import json
import platform
import re
import subprocess
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def provenance(device: torch.device) -> dict:
    """Hardware, versions, date and commit of a measurement made now."""
    return {
        "hardware": _hardware(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
    }


def _commit() -> str:
    """The last commit of the code that was measured, marked if it was changed since."""
    code = ["--", "sirenlib", "benchmarks/*.py"]

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", *arguments, *code],
            cwd=RESULTS.parents[1],
            capture_output=True,
            text=True,
        )
        return run.stdout.strip()

    changed = " with changes" if git("status", "--porcelain") else ""
    return (git("log", "-1", "--format=%h") or "unknown") + changed


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if "model name" in line]
        model = names[0] if names else model
    threads = torch.get_num_threads()
    return f"{model}, {threads} thread{'s' if threads > 1 else ''}"


def write_record(name: str, record: dict, device: torch.device) -> None:
    """Write the record of a device, with its provenance: ``NAME_cuda.json`` on CUDA."""
    suffix = "" if device.type == "cpu" else f"_{device.type}"
    write_result(name + suffix, record | {"provenance": provenance(device)})


def write_result(name: str, record: dict) -> None:
    """Write ``results/NAME.json``."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    lists = re.compile(r"\[[^][{}]*\]")  # of numbers: on one line each
    text = lists.sub(lambda found: " ".join(found[0].split()), text)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
