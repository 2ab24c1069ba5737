"""Where and with what a recorded number was measured."""

import argparse
import datetime
import json
import platform
import re
from pathlib import Path

import torch

import sirenlib
from sirenlib.machine import cpuinfo, git, processor

RESULTS = Path(__file__).parent / "results"


def command_line(about: str) -> argparse.ArgumentParser:
    """What every script takes that writes a record."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    help = "print the record and write nothing: the code may be changed"
    parser.add_argument("--draft", action="store_true", help=help)
    return parser


def begin(options: argparse.Namespace) -> torch.device:
    """The device that is asked for. Changed code is refused before hours have passed.

    Raises:
        RuntimeError: as `provenance`.
    """
    device = sirenlib.resolve_device(options.device)
    if not options.draft:
        provenance(device)
    return device


def provenance(device: torch.device) -> dict:
    """Hardware, versions, date and commit of a measurement made now.

    Raises:
        RuntimeError: the code is not that of the last commit.
    """
    if changed := _git("status", "--porcelain"):
        raise RuntimeError(
            f"a record names the commit that it is of, and this code was changed:\n"
            f"{changed}\ncommit first, or give --draft"
        )
    found = {
        "hardware": _hardware(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "commit": _git("log", "-1", "--format=%h") or "unknown",
    }
    return found | ({"instructions": _instructions()} if device.type == "cpu" else {})


def _git(*arguments: str) -> str:
    """What git says of the code that is measured."""
    return git(RESULTS.parents[1], *arguments, "--", "sirenlib", "benchmarks/*.py")


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s'[: threads > 1]}"


def _instructions() -> str:
    """What PyTorch uses of the processor, and its units for bfloat16."""
    units = set(re.findall(r"\b(?:avx512_bf16|amx_\w+)\b", cpuinfo()))
    return " ".join([torch.backends.cpu.get_cpu_capability(), *sorted(units)])


def write_record(name: str, record: dict, device: torch.device, draft: bool) -> None:
    """Write the record of a device, with its provenance: ``NAME_cuda.json`` on CUDA.

    A draft is printed.
    """
    suffix = "" if device.type == "cpu" else f"_{device.type}"
    if draft:
        print(as_json(record))
    else:
        write_result(name + suffix, record | {"provenance": provenance(device)})


def write_result(name: str, record: dict) -> None:
    """Write ``results/NAME.json``."""
    (RESULTS / f"{name}.json").write_text(as_json(record) + "\n", encoding="utf-8")


def as_json(record: dict) -> str:
    text = json.dumps(record, indent=1, ensure_ascii=False)
    lists = re.compile(r"\[[^][{}]*\]")  # of numbers: on one line each
    return lists.sub(lambda found: " ".join(found[0].split()), text)
