"""What a number was measured on: the processor, and the commit of a folder."""

import platform
import re
import subprocess
import sys
from pathlib import Path


def processor() -> str:
    """The processor's name, as far as the system knows it."""
    if names := re.findall(r"model name\s*: (.*)", cpuinfo()):
        return names[0]
    if sys.platform == "darwin":  # where Python says no more than "arm"
        if name := _said_by("sysctl", "-n", "machdep.cpu.brand_string"):
            return name
    return platform.processor() or platform.machine()


def cpuinfo() -> str:
    """What Linux says of its processors; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder; empty where there is no git, or no repository."""
    return _said_by("git", *arguments, cwd=folder)


def _said_by(*command: str, cwd: Path | None = None) -> str:
    try:
        run = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except OSError:  # it is not installed
        return ""
    return run.stdout.rstrip()
