"""Record what formats made for sound need for the phrase of chapter 14.

Each encoder of libsndfile runs at 23 settings, from its largest file to its smallest,
and its file is read back. It needs the package soundfile, which the book does not.

    pip install soundfile
    python benchmarks/codecs.py
"""

import io
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import soundfile
import torch
from provenance import begin, command_line, provenance, write_result

import sirenlib

NAME, SETTINGS = "codecs", 23
CHAPTER = Path(__file__).resolve().parents[1] / "book" / "14_sound.ipynb"
FORMATS = {
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "Vorbis": ("OGG", "VORBIS"),
    "Opus": ("OGG", "OPUS"),
}

matplotlib.use("Agg")


def main() -> None:
    options = command_line(__doc__).parse_args()
    begin(options)
    sound, rate = phrase()
    rows = []
    for name, kind in FORMATS.items():
        for setting in np.linspace(0, 0.99, SETTINGS).round(2).tolist():
            found = measured(sound, rate, *kind, setting)
            rows.append({"codec": name, "setting": setting} | found)
    version = soundfile.__libsndfile_version__
    record = {
        "what": f"the phrase of chapter 14 by libsndfile {version}",
        "samples": len(sound),
        "rate": rate,
        "rows": rows,
    }
    if not options.draft:
        known = provenance(torch.device("cpu"))
        write_result(NAME, record | {"provenance": known})
    for row in rows:
        print("{codec:7} {setting:5} {bytes:8,} bytes {snr:6.1f} dB".format(**row))


def phrase() -> tuple[np.ndarray, int]:
    """The sound and its rate in samples a second, by the chapter's own cells.

    Raises:
        ValueError: the chapter has no cell that makes it.
    """
    known: dict = {}
    for cell in nbformat.read(CHAPTER, as_version=4).cells:
        if cell.cell_type == "code" and not cell.source.startswith("# Set-up."):
            exec(cell.source, known)
        if "phrase" in known:
            return known["phrase"], known["RATE"]
    raise ValueError(f"{CHAPTER.name} has no cell that sets `phrase`")


def measured(
    sound: np.ndarray, rate: int, format: str, subtype: str, setting: float
) -> dict:
    """Size and signal-to-noise ratio of a file; 0 is its best setting."""
    file = io.BytesIO()
    kind = {"format": format, "subtype": subtype, "compression_level": setting}
    with soundfile.SoundFile(file, "w", rate, 1, **kind) as writer:
        writer.write(sound)
    file.seek(0)
    decoded, _ = soundfile.read(file)
    decoded = np.resize(np.pad(decoded, (0, len(sound))), len(sound))
    return {
        "bytes": len(file.getvalue()),
        "snr": round(sirenlib.snr(decoded, sound), 2),
    }


if __name__ == "__main__":
    main()
