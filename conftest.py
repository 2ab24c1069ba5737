"""Settings that every test and every notebook kernel starts under."""

import os
import sys
from pathlib import Path

# Before anything imports torch. One thread is faster than two for small networks,
# and the committed outputs come from a CPU.
os.environ.setdefault("SIRENLIB_BOOK", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The tools and the benchmarks are scripts, not packages; so are the tests' helpers.
for folder in ("tools", "benchmarks", "tests"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

pytest_plugins = ["fake_cuda.plugin"]
