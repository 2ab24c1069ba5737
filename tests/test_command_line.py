"""``python -m sirenlib fit PHOTO``: what it writes, and what it says of bad input."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from measuring import ROOT, measured, needs_fork
from PIL import Image
from scipy.io import wavfile

from sirenlib import (
    History,
    Quilt,
    Signal,
    Siren,
    array_signal,
    image_signal,
    load,
    psnr,
    render,
    save,
    snr,
)
from sirenlib import __main__ as command_line
from sirenlib.__main__ import main
from sirenlib.links import from_link, to_link
from sirenlib.signals import grid_between
from sirenlib.sounds import sound_signal, write_sound
from sirenlib.steps import Stepper


def photograph(height=24, width=32):
    """A picture with detail of all sizes, as a photograph has it."""
    down = np.fft.fftfreq(height)[:, None, None]
    right = np.fft.fftfreq(width)[:, None]
    size = np.maximum(np.hypot(down, right), 1 / width)
    noise = np.random.default_rng(0).standard_normal((height, width, 3))
    waves = np.fft.fft2(noise, axes=(0, 1)) / size**1.2
    picture = np.fft.ifft2(waves, axes=(0, 1)).real
    picture -= picture.min()
    return (picture / picture.max() * 255).astype(np.uint8)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photograph()).save(path)
    return path


# Settings under which no figure could be read, or even be made.
ABSURD = """
backend: TkAgg
figure.dpi: 3000
savefig.dpi: 2000
figure.figsize: 100, 1
text.usetex: True
font.size: 200
font.family: no such font
axes.titlesize: 300
image.origin: lower
image.cmap: prism
savefig.format: pdf
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A fit of a small photo: (its folder, what it printed, the photo).

    Its names are not ASCII, as the terminal is, and matplotlib has absurd settings.
    """
    folder = tmp_path_factory.mktemp("fit")
    photo, out = folder / "foto-é照.png", folder / "néw" / "out"
    Image.fromarray(photograph()).save(photo)
    (folder / "matplotlibrc").write_text(ABSURD)
    settings = {"MATPLOTLIBRC": str(folder), "PYTHONIOENCODING": "ascii"}
    # 128 steps, less than two seconds.
    arguments = ["fit", photo, "--size", "32", "--out", out, "--epochs", "2"]
    return out, run(*arguments, **settings), photo


def run(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "sirenlib", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "SIRENLIB_BOOK": "cpu", **settings},
    )


def printed(path):
    """How a path stands on a terminal of ASCII."""
    return str(path).encode("ascii", "backslashreplace").decode()


# A photo of one's own


def test_fit_succeeds_without_a_word_on_stderr(fitted):
    assert (fitted[1].returncode, fitted[1].stderr) == (0, "")


def test_fit_writes_five_files(fitted):
    assert sorted(path.name for path in fitted[0].iterdir()) == [
        "checkpoint.pt",
        "history.json",
        "network.pt",
        "panels.png",
        "reconstruction.png",
    ]


def test_fit_says_first_what_it_reads(fitted):
    first, *_ = fitted[1].stdout.splitlines()
    assert first == f"reading {printed(fitted[2])}"


def test_fit_prints_its_recipe(fitted):
    _, second, _ = fitted[1].stdout.splitlines()
    # N - 1 = 31 gaps; a third of them, times three with one hidden layer, in the
    # coordinates of a tile that has an eighth more than the picture.
    assert second == (
        "32x24 pixels, a quilt of 1x1 networks of width 64, init=random-phase, "
        "first omega_0=34.9, lr=0.001, on cpu"
    )


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("quilt", "a quilt of 3x1 networks of width 64, init=random-phase, first"),
        ("siren", "one network of width 256, init=fast, first"),
    ],
)
def test_fit_says_which_network_it_makes(tmp_path, recipes, capsys, network, words):
    Image.fromarray(photograph(40, 100)).save(tmp_path / "wide.png")
    options = ["--network", network, "--size", "100", "--out", str(tmp_path / "out")]
    assert main(["fit", str(tmp_path / "wide.png"), *options]) == 0
    second = capsys.readouterr().out.splitlines()[1]
    assert second.startswith(f"100x40 pixels, {words} omega_0=")


@pytest.mark.parametrize(("network", "kind"), [("quilt", Quilt), ("siren", Siren)])
def test_network_of_each_kind_is_fitted_drawn_and_viewed(
    photo, tmp_path, capsys, network, kind
):
    out = tmp_path / network
    options = ["--network", network, "--size", "32", "--epochs", "1"]
    assert main(["fit", str(photo), *options, "--out", str(out)]) == 0
    assert type(load(out / "network.pt").model) is kind
    drawn(tmp_path / "a.png", out / "network.pt")
    view = ["view", str(out / "network.pt"), "--out", str(tmp_path / "a.html")]
    assert main(view) == 0
    # Again, from the checkpoint: of the same kind only.
    assert main(["fit", str(photo), *options, "--out", str(out), "--resume"]) == 0
    capsys.readouterr()
    other = {"quilt": "siren", "siren": "quilt"}[network]
    before = (out / "network.pt").read_bytes()
    options[1] = other
    line = complaint(capsys, "fit", photo, *options, "--out", out, "--resume")
    assert "the checkpoint of a fit with another" in line and "model" in line
    assert (out / "network.pt").read_bytes() == before


def test_fit_has_square_pixels_and_the_suggested_omega_0(fitted):
    saved = load(fitted[0] / "network.pt")
    assert saved.window == ((-0.75, 0.75), (-1.0, 1.0))
    assert np.allclose(saved.model.window, saved.window)
    assert math.isclose(saved.model.first_omega_0, 31 * 1.125, rel_tol=1e-6)


@pytest.fixture
def recipes(monkeypatch):
    """Nothing is trained or written; the list tells how `fit` was called."""
    calls = []

    def called(model, signal, **recipe):
        calls.append(recipe)
        return History(final_psnr=20.0)

    monkeypatch.setattr(command_line, "fit", called)
    monkeypatch.setattr(command_line, "_write", lambda *_: None)
    return calls


@pytest.mark.parametrize(
    ("network", "rates"), [("siren", (3e-4, 5e-4)), ("quilt", (1e-3, 1e-3))]
)
def test_large_photo_gets_a_lower_rate_if_it_is_one_network(
    tmp_path, recipes, capsys, network, rates
):
    Image.fromarray(np.zeros((257, 256), np.uint8)).save(tmp_path / "a.png")
    for size, rate in zip((257, 256), rates, strict=True):
        out = ["--size", str(size), "--out", str(tmp_path / f"{size}")]
        options = ["--network", network, *out]
        assert main(["fit", str(tmp_path / "a.png"), *options]) == 0
        assert recipes[-1]["lr"] == rate
        assert f" lr={rate:g}," in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"epochs": 12, "precision": "float32", "until": None, "lr": 1e-3}),
        (["--network", "siren"], {"epochs": 12, "lr": 5e-4}),
        (["--precision", "bfloat16"], {"precision": "bfloat16"}),
        (["--lr", "0.002"], {"lr": 0.002}),
        (["--until", "33.5"], {"until": 33.5}),
        (["--epochs", "7"], {"epochs": 7}),
    ],
)
def test_options_reach_the_fit(photo, tmp_path, recipes, capsys, options, expected):
    out = tmp_path / "out"
    assert main(["fit", str(photo), "--size", "8", "--out", str(out), *options]) == 0
    expected |= {"checkpoint": out / "checkpoint.pt"}
    assert {name: recipes[0][name] for name in expected} == expected


def test_fit_prints_quality_time_and_place(fitted):
    *_, last = fitted[1].stdout.splitlines()
    place = re.escape(printed(fitted[0]))
    assert re.fullmatch(rf"\d+\.\d\d dB in \d+\.\d s: {place}", last)


def test_printed_quality_is_that_of_the_history(fitted):
    history = json.loads((fitted[0] / "history.json").read_text())
    assert f"{history['final_psnr']:.2f} dB" in fitted[1].stdout
    assert history["step"][-1] == 128 and not history["interrupted"]


def test_printed_quality_is_that_of_the_reconstruction(fitted):
    out, process, photo = fitted
    printed = float(re.search(r"([\d.]+) dB", process.stdout)[1])
    drawn = np.asarray(Image.open(out / "reconstruction.png"), dtype=float)
    # Rounding to 8 bits and clipping change little at such a quality.
    assert abs(psnr(drawn, np.asarray(Image.open(photo)), 255) - printed) < 0.5


def test_network_learns_the_photo(fitted):
    # The mean color alone gives 15.3 dB. Seeds 0, 1 and 2 reached 26.5, 26.8, 27.0, and
    # at half the rate 23.6, 24.3, 24.6.
    history = json.loads((fitted[0] / "history.json").read_text())
    assert history["final_psnr"] > 25.5


def test_panels_do_not_depend_on_the_settings_of_matplotlib(fitted):
    with Image.open(fitted[0] / "panels.png") as panels:
        width, height = panels.size
        colors = panels.convert("RGB").getcolors(2**20)
    assert 900 < width < 1000 and 300 < height < 450
    assert max(colors)[1] == (255, 255, 255)


def test_panels_of_a_narrow_picture_have_a_sane_size(tmp_path, capsys):
    for name, shape in {"tall": (256, 3), "wide": (3, 256)}.items():
        Image.fromarray(photograph(*shape)).save(tmp_path / f"{name}.png")
        out = tmp_path / name
        arguments = ["fit", str(tmp_path / f"{name}.png"), "--epochs", "1"]
        assert main([*arguments, "--out", str(out)]) == 0
        width, height = Image.open(out / "panels.png").size
        assert 500 < width < 1200 and 50 < height < 1500


def test_perfect_fit_writes_json_that_every_reader_knows(photo, tmp_path, monkeypatch):
    history = History([1, 2], [0.1, 0.2], [0.5, 0.0], [9.0, math.inf], math.inf)
    monkeypatch.setattr(command_line, "fit", lambda *_, **__: history)
    options = ["--size", "8", "--out", str(tmp_path / "out")]
    assert main(["fit", str(photo), *options]) == 0

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    text = (tmp_path / "out" / "history.json").read_text()
    rows = json.loads(text, parse_constant=refuse)
    assert (rows["psnr"], rows["final_psnr"]) == ([9.0, None], None)
    assert rows["loss"] == [0.5, 0.0]


def test_written_network_draws_the_reconstruction(fitted):
    out, _, photo = fitted
    saved = load(out / "network.pt")
    unit = (render(saved.model, *saved.shape, window=saved.window) + 1) / 2
    pixels = np.asarray(Image.open(out / "reconstruction.png"), dtype=float)
    assert saved.shape == image_signal(photo, 32).shape
    assert np.abs(unit.clip(0, 1).numpy() * 255 - pixels).max() < 0.51


def test_gray_photo_gives_a_gray_reconstruction(tmp_path, capsys):
    Image.fromarray(photograph()[..., 0]).save(tmp_path / "gray.png")
    out = tmp_path / "out"
    arguments = ["fit", str(tmp_path / "gray.png"), "--size", "16", "--epochs", "1"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert Image.open(out / "reconstruction.png").mode == "L"


def test_same_seed_same_network(photo, tmp_path, capsys):
    weights = []
    for name in ("a", "b"):
        out = tmp_path / name
        options = ["--size", "8", "--epochs", "2", "--seed", "3", "--out", str(out)]
        main(["fit", str(photo), *options])
        weights.append(load(out / "network.pt").model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_help_succeeds(capsys):
    for arguments, words in ((["fit"], "--size"), ([], "fit|render|view|link|verify")):
        with pytest.raises(SystemExit) as stop:
            main([*arguments, "--help"])
        assert stop.value.code == 0 and words in capsys.readouterr().out
    assert "fit|render|view|link|verify" in complaint(capsys)


# Bad input


@pytest.fixture
def untrained(monkeypatch):
    """Nothing may be trained."""

    def train(*_, **__):
        raise AssertionError("a training was started")

    monkeypatch.setattr(torch.optim, "Adam", train)


def complaint(capsys, *arguments):
    """The one line on stderr of a command that must fail."""
    code, output = main([str(a) for a in arguments]), capsys.readouterr()
    assert (code, output.out.count("dB")) == (2, 0)
    assert output.err.startswith("sirenlib: ") and output.err.count("\n") == 1
    return output.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("text", b"just words\n" * 99),
        ("truncated", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ],
)
def test_file_that_is_no_picture(tmp_path, untrained, capsys, name, content):
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(content)
    line = complaint(capsys, "fit", path, "--out", tmp_path / "out")
    assert f"{name}.jpg cannot be read" in line and "save it as PNG" in line


def test_video_or_phone_picture(tmp_path, untrained, capsys):
    path = tmp_path / "video.jpg"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(999))
    line = complaint(capsys, "fit", path, "--out", tmp_path / "out")
    assert "video.jpg is a HEIC or HEIF picture, or a video" in line
    assert "export it as JPEG" in line


def test_missing_photo(tmp_path, untrained, capsys):
    line = complaint(capsys, "fit", tmp_path / "gone.jpg", "--out", tmp_path / "out")
    assert "gone.jpg: there is no such file" in line


def test_folder_for_a_photo(tmp_path, untrained, capsys):
    line = complaint(capsys, "fit", tmp_path, "--out", tmp_path / "out")
    assert "is a folder" in line


def test_animation(tmp_path, untrained, capsys):
    frames = [Image.new("L", (8, 8), 90 * i) for i in range(3)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "a.gif has 3 frames" in complaint(capsys, "fit", path)


def test_photo_of_one_pixel(tmp_path, untrained, capsys):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    arguments = ["fit", tmp_path / "dot.png", "--out", tmp_path / "out"]
    assert "dot.png is 1x1 pixels" in complaint(capsys, *arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "0"),
        ("--size", "-3"),
        ("--size", "1.5"),
        ("--size", "large"),
        ("--size", "1000000000"),
        ("--size", "9" * 30),
        ("--epochs", "0"),
        ("--epochs", "-1"),
        ("--epochs", "many"),
        ("--until", "0"),
        ("--until", "nan"),
        ("--until", "good"),
        ("--lr", "0"),
        ("--lr", "-1"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--lr", "fast"),
        ("--network", "hash"),
        ("--seed", "one"),
        ("--seed", "99999999999999999999"),
        ("--device", "banana"),
        ("--device", "meta"),
    ],
)
def test_bad_option_is_named(photo, tmp_path, untrained, capsys, option, value):
    arguments = ["fit", photo, "--out", tmp_path / "out", f"{option}={value}"]
    line = complaint(capsys, *arguments)
    assert option.strip("-") in line and value in line


@pytest.mark.parametrize("arguments", [[], ["fit"], ["paint"], ["fit", "a", "--blue"]])
def test_incomplete_command_points_to_the_help(untrained, capsys, arguments):
    assert "--help" in complaint(capsys, *arguments)


@pytest.mark.parametrize("name", ["file", "file/out"])
def test_file_in_the_way_of_the_folder(photo, tmp_path, untrained, capsys, name):
    (tmp_path / "file").write_text("in the way")
    line = complaint(capsys, "fit", photo, "--out", tmp_path / name)
    assert "--out" in line and "a file is in the way" in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda(photo, tmp_path, untrained, capsys):
    options = ["--device", "cuda", "--out", tmp_path / "out"]
    assert "finds 0 CUDA devices" in complaint(capsys, "fit", photo, *options)


def test_bad_input_leaves_no_folder(tmp_path, untrained, capsys):
    complaint(capsys, "fit", tmp_path / "gone.jpg", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_after_a_learning_rate_that_diverges_a_smaller_one_works(
    photo, tmp_path, capsys
):
    options = ["--size", "16", "--epochs", "3", "--out", str(tmp_path / "out")]
    for rate in ("1e25", "1e29"):
        line = complaint(capsys, "fit", photo, *options, "--lr", rate)
        assert f"lr={float(rate):g} is too large" in line
    assert main(["fit", str(photo), *options, "--lr", "1e-3"]) == 0
    assert "dB" in capsys.readouterr().out


# What PyTorch says on Linux and on Windows, in a plain RuntimeError, and the others.
LINUX = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't "
LINUX += "allocate memory: you tried to allocate 4000000000 bytes."
WINDOWS = "[enforce fail at alloc_cpu.cpp:81] data. DefaultCPUAllocator: not enough "
WINDOWS += "memory: you tried to allocate 4000000000 bytes."


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(LINUX),
        RuntimeError(WINDOWS),
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
    ],
    ids=["linux", "windows", "numpy", "cuda"],
)
def test_missing_memory_is_one_line(photo, tmp_path, monkeypatch, capsys, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(command_line, "fit", refuse)
    line = complaint(capsys, "fit", photo, "--size", "8", "--out", tmp_path / "out")
    assert line == "sirenlib: not enough memory: take a smaller --size\n"


def test_other_error_of_pytorch_is_not_hidden(photo, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("an index is out of range")

    monkeypatch.setattr(command_line, "fit", fail)
    with pytest.raises(RuntimeError, match="out of range"):
        main(["fit", str(photo), "--size", "8", "--out", str(tmp_path / "out")])


@needs_fork
def test_limit_of_memory_is_met_with_one_line_and_drawing_needs_little(tmp_path):
    save(Siren(2, 16, 1, 3), tmp_path / "n.pt", image_signal(np.zeros((4, 4, 3))))
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    limited = """
import pathlib
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * os.sysconf("SC_PAGE_SIZE") + 300_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
with open("said", "w") as sys.stderr:
    assert sirenlib.__main__.main(["fit", "photo.png", "--size", "20000"]) == 2
"""
    drawn = 'sirenlib.__main__.main(["render", "n.pt", "--size", "3000"])'
    _, (_, memory) = measured(limited, drawn, cwd=tmp_path)
    said = (tmp_path / "said").read_text()
    assert said == "sirenlib: not enough memory: take a smaller --size\n"
    # 3 bytes a pixel are the picture; it was 68 in all.
    assert memory < 20 * 3000**2
    assert Image.open(tmp_path / "picture.png").size == (3000, 3000)


def test_interrupt_before_the_fit_is_not_an_error(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "fit_file", stop)
    assert main(["fit", "photo.jpg"]) == 130
    assert capsys.readouterr().err == "sirenlib: stopped\n"


def truncated_tiff(folder):
    path = folder / "cut.tif"
    Image.fromarray(photograph()).save(path)
    path.write_bytes(path.read_bytes()[:60])
    return path


def test_cut_file_is_one_line(tmp_path, untrained, capsys):
    line = complaint(capsys, "fit", truncated_tiff(tmp_path))
    assert "cut.tif cannot be read" in line


def test_process_ends_with_one_line_and_code_2(tmp_path):
    process = run("fit", truncated_tiff(tmp_path), "--out", tmp_path / "out")
    assert process.returncode == 2
    assert process.stdout == f"reading {tmp_path / 'cut.tif'}\n"
    assert re.fullmatch(r"sirenlib: .+\n", process.stderr)


def test_fit_works_without_a_place_for_errors(photo, tmp_path):
    # As under pythonw, in a service, or with 2>&-.
    options = "--size 8 --epochs 1 --out out"
    process = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m sirenlib fit photo.png {options} 2>&-"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIRENLIB_BOOK": ""},
    )
    assert process.returncode == 0 and process.stdout.endswith(": out\n")
    assert (tmp_path / "out" / "network.pt").exists()


def test_complaint_without_a_place_for_errors_is_code_2(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["fit", str(tmp_path / "gone.jpg")]) == 2


# Where it is written


@pytest.fixture
def album(tmp_path, monkeypatch):
    """The current folder, with two photos of one name."""
    monkeypatch.chdir(tmp_path)
    Path("other").mkdir()
    Image.fromarray(photograph()).save("garden.png")
    Image.fromarray(photograph()[::-1]).save("other/garden.jpg")
    return tmp_path


SHORT = ["--size", "8", "--epochs", "2"]


def test_folder_is_named_like_the_photo(album, capsys):
    assert main(["fit", "other/garden.jpg", *SHORT]) == 0
    assert load("garden/network.pt").shape == (6, 8)


def test_second_photo_does_not_overwrite_the_first_network(album, capsys):
    assert main(["fit", "garden.png", *SHORT]) == 0
    before = Path("garden/network.pt").read_bytes()
    capsys.readouterr()
    for photo in ("other/garden.jpg", "garden.png"):
        line = complaint(capsys, "fit", photo, *SHORT)
        assert "garden holds a fit already: add --resume" in line and "--out" in line
    line = complaint(capsys, "fit", "other/garden.jpg", *SHORT, "--resume")
    assert "another signal" in line
    assert Path("garden/network.pt").read_bytes() == before


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_network_without_a_checkpoint_is_not_overwritten(album, capsys, resume):
    Path("garden").mkdir()
    Path("garden/network.pt").write_bytes(b"all I have")
    line = complaint(capsys, "fit", "garden.png", *SHORT, *resume)
    assert "garden holds a" in line and "choose another --out" in line
    assert Path("garden/network.pt").read_bytes() == b"all I have"


def test_photo_without_a_suffix_needs_a_folder(album, capsys):
    Path("garden.png").rename("meadow")
    line = complaint(capsys, "fit", "meadow", *SHORT)
    assert "a file is in the way, choose another --out" in line
    assert main(["fit", "meadow", *SHORT, "--out", "new"]) == 0


# Stopping and going on


@pytest.fixture
def stop(monkeypatch):
    """Let the fit of the next command be interrupted in its seventh step."""
    plain = Stepper.__call__

    def interrupted(self, index, rate):
        self.count = getattr(self, "count", 0) + 1
        if self.count == 7:
            monkeypatch.setattr(Stepper, "__call__", plain)
            raise KeyboardInterrupt
        plain(self, index, rate)

    monkeypatch.setattr(Stepper, "__call__", interrupted)


def arguments_for(photo, out):
    return ["fit", str(photo), "--size", "32", "--epochs", "2", "--out", str(out)]


def weights_of(folder):
    return load(folder / "network.pt").model.state_dict()


def assert_same_network(*folders):
    mine, other = map(weights_of, folders)
    assert all(torch.equal(mine[name], other[name]) for name in other)


def test_stopped_fit_goes_on_with_resume(photo, tmp_path, stop, capsys, fitted):
    out = tmp_path / "out"
    assert main(arguments_for(photo, out)) == 130
    assert "(stopped early: --resume goes on)" in capsys.readouterr().out
    assert json.loads((out / "history.json").read_text())["interrupted"]
    assert load(out / "network.pt").shape == (24, 32)
    assert main([*arguments_for(photo, out), "--resume"]) == 0
    assert "early" not in capsys.readouterr().out
    assert_same_network(out, fitted[0])


def test_finished_fit_goes_on_with_more_epochs_only(photo, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["fit", str(photo), "--size", "32", "--out", str(out), "--epochs"]
    assert main([*arguments, "3"]) == 0
    before = weights_of(out)
    assert main([*arguments, "3", "--resume"]) == 0  # returns at once
    assert json.loads((out / "history.json").read_text())["resumed_at"] == 3 * 64
    assert all(torch.equal(before[name], w) for name, w in weights_of(out).items())
    assert main([*arguments, "9", "--resume"]) == 0
    rows = json.loads((out / "history.json").read_text())
    assert (rows["step"][-1], rows["resumed_at"]) == (9 * 64, 3 * 64)
    assert any(not torch.equal(before[name], w) for name, w in weights_of(out).items())
    capsys.readouterr()
    line = complaint(capsys, *arguments, "5", "--resume")
    assert "another number of epochs" in line


def test_resumed_fit_says_where_it_goes_on(photo, tmp_path, monkeypatch, capsys):
    arguments = ["fit", str(photo), "--size", "32", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--epochs", "3"]) == 0
    monkeypatch.delenv("SIRENLIB_BOOK", raising=False)
    capsys.readouterr()
    assert main([*arguments, "--epochs", "6", "--resume"]) == 0
    assert "checkpoint.pt: 192 of 384 steps are done" in capsys.readouterr().err


def test_fit_stops_at_the_wished_quality(photo, tmp_path, capsys, fitted):
    out = tmp_path / "out"
    assert main([*arguments_for(photo, out), "--until", "20"]) == 0
    rows = json.loads((out / "history.json").read_text())
    assert 20 <= rows["final_psnr"] < 24 and 20 < rows["step"][-1] < 110
    assert not rows["interrupted"] and "early" not in capsys.readouterr().out
    assert main([*arguments_for(photo, out), "--resume"]) == 0  # to the end
    assert_same_network(out, fitted[0])


def test_stopped_fit_is_not_overwritten(photo, tmp_path, stop, capsys):
    arguments = arguments_for(photo, tmp_path / "out")
    main(arguments)
    before = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    capsys.readouterr()
    assert "add --resume" in complaint(capsys, *arguments)
    assert (tmp_path / "out" / "checkpoint.pt").read_bytes() == before


def test_resume_with_other_options_is_refused(photo, tmp_path, stop, capsys):
    arguments = arguments_for(photo, tmp_path / "out")
    main(arguments)
    capsys.readouterr()
    assert "another lr" in complaint(capsys, *arguments, "--resume", "--lr", "0.002")


def test_resume_without_a_stop_is_a_plain_fit(photo, tmp_path, capsys):
    arguments = arguments_for(photo, tmp_path / "out")
    assert main([*arguments, "--resume"]) == 0


# Drawing a network again


def drawn(path, *arguments):
    assert main(["render", *map(str, arguments), "--out", str(path)]) == 0
    return np.asarray(Image.open(path))


def test_render_draws_the_reconstruction(fitted, tmp_path, capsys):
    picture = drawn(tmp_path / "a.png", fitted[0] / "network.pt")
    expected = np.asarray(Image.open(fitted[0] / "reconstruction.png"))
    assert np.abs(picture.astype(int) - expected).max() <= 1  # rounded the other way
    assert capsys.readouterr().out == f"32x24 pixels: {tmp_path / 'a.png'}\n"


def test_render_at_another_size_keeps_the_aspect(fitted, tmp_path, capsys):
    picture = drawn(tmp_path / "a.png", fitted[0] / "network.pt", "--size", "100")
    assert picture.shape == (75, 100, 3)


def test_render_of_a_window_is_that_part(fitted, tmp_path, capsys):
    network = fitted[0] / "network.pt"
    window = ["--window", -0.5, 0.25, 0, 1]
    picture = drawn(tmp_path / "a.png", network, "--size", 40, *window)
    # Pixels are square: three quarters of a unit by one.
    assert picture.shape == (30, 40, 3)
    saved = load(network)
    unit = (render(saved.model, 30, 40, ((-0.5, 0.25), (0.0, 1.0))) + 1) / 2
    assert np.abs(unit.clip(0, 1).numpy() * 255 - picture).max() < 0.51


def test_deep_zoom_takes_numbers_with_exponents(fitted, tmp_path, capsys):
    window = ["--window", "-1e-3", "1e-3", "-.002", "2E-3"]
    picture = drawn(tmp_path / "a.png", fitted[0] / "network.pt", "--size", 20, *window)
    assert picture.shape == (10, 20, 3)
    assert np.ptp(picture.astype(int), axis=(0, 1)).max() < 20


def test_picture_whose_coordinates_descend_is_drawn_upright(tmp_path, capsys):
    grid = grid_between([(1.0, -1.0, 6), (-1.0, 1.0, 9)])
    signal = Signal(grid, grid[:, :1], (6, 9))
    model = Siren(2, 8, 1, 1)
    save(model, tmp_path / "n.pt", signal)
    picture = drawn(tmp_path / "a.png", tmp_path / "n.pt")
    expected = (model(grid).detach().reshape(6, 9).clip(-1, 1) + 1) / 2 * 255
    assert np.abs(picture - expected.numpy()).max() < 0.51
    window = ["--window", "1", "0.2", "-1", "1"]
    part = drawn(tmp_path / "b.png", tmp_path / "n.pt", "--size", "10", *window)
    unit = (render(model, *part.shape, ((1.0, 0.2), (-1.0, 1.0))) + 1) / 2
    assert np.abs(unit[..., 0].clip(0, 1).numpy() * 255 - part).max() < 0.51
    line = complaint(capsys, "render", tmp_path / "n.pt", "--window", 0, 1, -1, 1)
    assert "in the order of the whole picture" in line


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_network_of_every_floating_type_is_drawn_and_viewed(tmp_path, dtype, capsys):
    signal = image_signal(np.zeros((4, 5)))
    save(Siren(2, 8, 1, 1).to(dtype), tmp_path / "n.pt", signal)
    assert drawn(tmp_path / "a.png", tmp_path / "n.pt").shape == (4, 5)
    page = ["view", str(tmp_path / "n.pt"), "--out", str(tmp_path / "a.html")]
    assert main(page) == 0


@pytest.fixture
def small(tmp_path):
    """A small network of a picture."""
    path = tmp_path / "small.pt"
    save(Siren(2, 8, 1, 3), path, image_signal(photograph()))
    return path


def other_files(folder, network):
    Image.fromarray(photograph()).save(folder / "holiday.png")
    Image.fromarray(photograph()).save(folder / "holiday.jpg")
    (folder / "notes.txt").write_text("sirenlib is what I want to try")
    (folder / "own.html").write_text("<p>my page on sirenlib</p>")
    (folder / "empty").write_bytes(b"")
    (folder / "n.pt").write_bytes(network.read_bytes())
    return ["holiday.png", "holiday.jpg", "notes.txt", "own.html", "empty", "n.pt"]


@pytest.mark.parametrize(
    ("command", "ours", "other"),
    [("render", "a.png", "a.html"), ("view", "a.html", "a.png")],
)
def test_only_a_file_of_its_own_is_overwritten(
    small, tmp_path, capsys, command, ours, other
):
    network = small
    for name in other_files(tmp_path, network):
        before = (tmp_path / name).read_bytes()
        line = complaint(capsys, command, tmp_path / "n.pt", "--out", tmp_path / name)
        assert f"{name} is there already" in line and "another name" in line
        assert (tmp_path / name).read_bytes() == before
    out = str(tmp_path / ours)
    for _ in range(2):
        assert main([command, str(network), "--out", out]) == 0
    first = Path(out).read_bytes()
    assert main([command, str(network), "--out", out]) == 0
    assert Path(out).read_bytes() == first
    another = {"render": "view", "view": "render"}[command]
    assert main([another, str(network), "--out", str(tmp_path / other)]) == 0
    assert "is there" in complaint(capsys, command, network, "--out", tmp_path / other)


def test_reconstruction_may_be_drawn_again(fitted, tmp_path, capsys):
    path = tmp_path / "reconstruction.png"
    path.write_bytes((fitted[0] / "reconstruction.png").read_bytes())
    assert main(["render", str(fitted[0] / "network.pt"), "--out", str(path)]) == 0


def test_picture_that_is_too_large_to_draw_is_refused_at_once(fitted, capsys):
    line = complaint(capsys, "render", fitted[0] / "network.pt", "--size", 3_000_000)
    assert "--size must be at most 65535, not 3000000" in line


def test_render_of_a_gray_network_is_gray(tmp_path, capsys):
    signal = image_signal(np.zeros((4, 5)))
    save(Siren(2, 8, 1, 1), tmp_path / "n.pt", signal)
    assert drawn(tmp_path / "a.png", tmp_path / "n.pt").shape == (4, 5)


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """The networks of a picture and of a sound, in the current folder."""
    monkeypatch.chdir(tmp_path)
    save(Siren(2, 8, 1, 1), "n.pt", image_signal(np.zeros((4, 5))))
    line = torch.zeros(7, 1)
    save(
        Siren(1, 8, 1, 1),
        "sound.pt",
        Signal(line + torch.arange(7.0)[:, None], line, (7,)),
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gone.pt"], "gone.pt: there is no such file"),
        (["photo.png"], "photo.png is no network of sirenlib"),
        (["n.pt", "--size", "0"], "--size must be a whole number from 1"),
        (["n.pt", "--window", "1", "-1", "-1", "1"], "TOP BOTTOM LEFT RIGHT"),
        (["n.pt", "--window", "-1", "nan", "-1", "1"], "all finite"),
        (["n.pt", "--window", "-1", "inf", "-1", "1"], "all finite"),
        (["n.pt", "--window", "0", "0", "-1", "1"], "in the order of the whole"),
        (["n.pt", "--window", "-1", "1", "1", "-1e-3"], "in the order of the whole"),
        (["n.pt", "--window", "-1e39", "1e39", "-1", "1"], "all finite"),
        (["n.pt", "--window", "-1", "1"], "expected 4 arguments"),
        (["n.pt", "--out", "missing/a.png"], "there is no such folder"),
        (["n.pt", "--device", "banana"], "banana"),
        (["sound.pt"], "sound.pt is the network of no picture"),
    ],
)
def test_bad_render_says_why(photo, networks, tmp_path, capsys, arguments, reason):
    assert reason in complaint(capsys, "render", *arguments)
    assert not (tmp_path / "picture.png").exists()


# A page to send to somebody


@pytest.fixture
def tiny(tmp_path):
    """A network small enough for a link, in a file."""
    signal = image_signal(photograph(), size=24)
    save(Siren(2, 8, 1, 3), tmp_path / "tiny.pt", signal)
    return tmp_path / "tiny.pt"


def test_link_prints_an_address_and_nothing_else(tiny, capsys):
    assert main(["link", str(tiny), "--base", "https://example.org/picture.html"]) == 0
    link, said = capsys.readouterr()
    assert link.startswith("https://example.org/picture.html#siren-")
    again, network = from_link(link), load(tiny)
    assert again[1:] == network[1:]
    drawn = [render(each.model, 9, 9) for each in (again, network)]
    assert psnr(*drawn, data_range=2) > 35
    assert re.match(rf"{len(link) - 1:,} characters. Rounded, .* \d\d\.\d dB", said)


def test_link_without_a_page_says_where_it_belongs(tiny, capsys):
    assert main(["link", str(tiny), "--base", ""]) == 0
    link, said = capsys.readouterr()
    assert link.startswith("siren-") and "behind the # of picture.html" in said


def test_link_goes_to_the_page_of_the_book(tiny, tmp_path, monkeypatch, capsys):
    """Online where it has an address, otherwise as it was built."""
    module = tmp_path / "sirenlib" / "__main__.py"
    monkeypatch.setattr(command_line, "__file__", str(module))
    page = tmp_path / "book" / "_build" / "html" / "picture.html"
    page.parent.mkdir(parents=True)
    starts = {}
    for name, make in [
        ("nothing", lambda: None),
        ("built", page.touch),
        (
            "online",
            lambda: (tmp_path / "_config.yml").write_text(
                "html:\n  baseurl: https://me.github.io/book/\n"
            ),
        ),
    ]:
        make()
        main(["link", str(tiny)])
        starts[name] = capsys.readouterr().out.partition("siren-")[0]
    online = "https://me.github.io/book/picture.html#"
    assert starts == {"nothing": "", "built": f"{page.as_uri()}#", "online": online}


def test_qr_code_without_its_package(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "segno", None)
    assert main(["link", str(tiny), "--qr", str(tmp_path / "a.png")]) == 2
    assert "pip install segno" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_qr_code_is_written_and_written_again(name, tiny, tmp_path):
    segno, path = pytest.importorskip("segno"), tmp_path / name
    assert main(["link", str(tiny), "--base", "x", "--qr", str(path)]) == 0
    assert main(["link", str(tiny), "--base", "y", "--qr", str(path)]) == 0
    if name == "a.png":
        code = segno.make(
            to_link(load(tiny), base="y"), error="l", micro=False, boost_error=False
        )
        dark = np.asarray(Image.open(path))[::4, ::4] < 128
        assert np.array_equal(dark, [list(row) for row in code.matrix_iter(border=4)])
    else:
        assert path.read_bytes().startswith(b"<?xml") and b"<path" in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "width", "words"),
    [("a.gif", 8, "must end with .svg or .png"), ("a.png", 28, "at most 2,953")],
)
def test_qr_code_that_cannot_be(name, width, words, tmp_path, capsys):
    signal = image_signal(photograph(), size=24)
    save(Siren(2, width, 3, 3), tmp_path / "n.pt", signal)
    command = ["link", str(tmp_path / "n.pt"), "--qr", str(tmp_path / name)]
    assert main(command) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_link_does_not_write_over_another_picture(tiny, photo, capsys):
    before = photo.read_bytes()
    assert main(["link", str(tiny), "--qr", str(photo)]) == 2
    assert "did not write" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_width_is_for_one_network(photo, tmp_path, capsys):
    command = ["fit", str(photo), "--size", "16", "--epochs", "1", "--width", "12"]
    command += ["--out", str(tmp_path / "n")]
    assert main(command) == 2
    assert "add --network siren" in capsys.readouterr().err
    assert main([*command, "--network", "siren"]) == 0
    assert load(tmp_path / "n" / "network.pt").model.hidden_features == 12


def test_view_writes_one_page_with_everything_in_it(fitted, tmp_path, capsys):
    path = tmp_path / "garden.html"
    assert main(["view", str(fitted[0] / "network.pt"), "--out", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    assert "<title>garden</title>" in page and "<h1>garden</h1>" in page
    assert 'alt="garden, learned from 24 by 32 pixels' in page
    assert capsys.readouterr().out == f"{len(page) / 1e6:.1f} MB: {path}\n"


def test_view_of_a_sound_plays_it(tmp_path, capsys):
    signal = array_signal(np.sin(np.arange(99)))
    save(Siren(1, 8, 1, 1), tmp_path / "n.pt", signal, rate=11025)
    path = tmp_path / "bell.html"
    assert main(["view", str(tmp_path / "n.pt"), "--out", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    assert 'alt="bell, learned from 99 samples and played by a neural network."' in page
    assert "playSound(root, " in page and '"rate": 11025' in page
    assert capsys.readouterr().out == f"{len(page) / 1e6:.1f} MB: {path}\n"


def test_view_of_a_shape_turns_it(tmp_path, capsys):
    grid = grid_between([(-1, 1, 3), (-1, 1, 4), (-1, 1, 5)])
    path = tmp_path / "egg.html"
    signal = Signal(grid, grid[:, :1].clone(), (3, 4, 5))
    save(Siren(3, 8, 1, 1), tmp_path / "n.pt", signal)
    assert main(["view", str(tmp_path / "n.pt"), "--out", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    assert 'alt="egg, learned from 3 by 4 by 5 points' in page
    assert "viewShape(root, " in page
    assert capsys.readouterr().out == f"{len(page) / 1e6:.1f} MB: {path}\n"


def test_view_of_a_hostile_name_is_text(small, tmp_path, capsys):
    path = tmp_path / "<img onerror=alert(1)>.html"
    network = str(small)
    title = "</script><img src=x onerror=alert(2)>"
    for more in ([], ["--title", title]):
        assert main(["view", network, "--out", str(path), *more]) == 0
        page = path.read_text(encoding="utf-8")
        assert "<img onerror" not in page and "<img src=x" not in page
        assert page.count("</script>") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gone.pt"], "gone.pt: there is no such file"),
        (["n.pt", "--out", "missing/a.html"], "there is no such folder"),
        (["sound.pt"], "the network does not say its rate"),
    ],
)
def test_bad_view_says_why(networks, tmp_path, capsys, arguments, reason):
    assert reason in complaint(capsys, "view", *arguments)
    assert list(tmp_path.glob("*.html")) == []


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on Unix")
def test_page_may_have_a_name_that_is_no_text(small, tmp_path, capsys):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/gard\xe9n.html")
    try:
        Path(path).write_bytes(b"")
    except OSError:
        pytest.skip("this file system wants text")
    Path(path).unlink()
    network = str(small)
    for _ in range(2):
        assert main(["view", network, "--out", path]) == 0
        assert "<h1>gard\\udce9n</h1>" in Path(path).read_text(encoding="utf-8")
        assert capsys.readouterr().out.endswith("gard\\udce9n.html\n")


def test_page_that_fails_leaves_the_old_one(small, tmp_path, monkeypatch, capsys):
    path = tmp_path / "a.html"
    arguments = ["view", str(small), "--out", str(path)]
    assert main(arguments) == 0
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    capsys.readouterr()
    assert "No space left" in complaint(capsys, *arguments)
    assert path.read_bytes() == before and sorted(os.listdir(tmp_path)) == [
        "a.html",
        "small.pt",
    ]


# A sound of one's own


@pytest.fixture
def song(tmp_path):
    """Half a second of two tones that die away."""
    seconds = np.arange(4000) / 8000
    tones = np.sin(2 * np.pi * 440 * seconds) + np.sin(2 * np.pi * 660 * seconds)
    path = tmp_path / "song.wav"
    write_sound(0.4 * tones * np.exp(-3 * seconds), 8000, path)
    return path


def test_sound_becomes_a_network_and_a_sound_again(song, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "evaluate", None)  # it needs no derivatives
    out = tmp_path / "out"
    assert main(["fit", str(song), "--out", str(out), "--device", "cpu"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint.pt",
        "history.json",
        "network.pt",
        "panels.png",
        "reconstruction.wav",
    ]
    said = capsys.readouterr().out
    assert "0.5 s at 8000 samples a second, a quilt of 4 networks" in said
    target, rate = sound_signal(song)
    again, same_rate = sound_signal(out / "reconstruction.wav")
    measured = snr(again.values, target.values)
    assert rate == same_rate == 8000 and measured > 20  # silence has 0
    rows = json.loads((out / "history.json").read_text())
    # The file has 16 bits, and so it differs a little.
    assert rows["final_snr"] == pytest.approx(measured, abs=0.1)
    assert f"signal-to-noise ratio {rows['final_snr']:.2f} dB in" in said
    saved = load(out / "network.pt")
    assert saved.rate == 8000 and saved.shape == (4000,)
    assert saved.value_range == (-1.0, 1.0) and saved.window == ((-1.0, 1.0),)
    with Image.open(out / "panels.png") as panels:
        assert panels.width > 500


def test_first_layer_of_a_sound_stays(song, tmp_path):
    signal, _ = sound_signal(song)
    for kind, name in ((Quilt, "quilt"), (Siren, "siren")):
        out, network = tmp_path / name, ["--network", name, "--epochs", "1"]
        assert main(["fit", str(song), "--out", str(out), *network]) == 0
        generator = torch.Generator().manual_seed(0)
        first = kind.for_signal(signal, generator=generator).net[0].linear.weight
        learned = load(out / "network.pt").model.net
        assert learned[0].linear.weight.equal(first)


def test_sound_goes_on_where_it_was(song, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["fit", str(song), "--out", str(out), "--epochs"]
    assert main([*arguments, "2"]) == 0
    assert main([*arguments, "8", "--resume"]) == 0
    found = re.findall(r"ratio (\S+) dB", capsys.readouterr().out)
    assert float(found[1]) > float(found[0])


@pytest.mark.parametrize(
    ("samples", "options", "reason"),
    [
        (np.zeros((400, 2)), [], "has 2 channels; sirenlib fits one"),
        (np.zeros(400), [], "is silent"),
        (np.ones(9), [], "has 9 samples"),
        (np.linspace(-1, 1, 400), ["--size", "64"], "--size is for pictures"),
    ],
)
def test_bad_sound_is_one_line(tmp_path, capsys, samples, options, reason):
    wavfile.write(tmp_path / "song.wav", 8000, samples.astype(np.float32))
    line = complaint(capsys, "fit", str(tmp_path / "song.wav"), *options)
    assert reason in line and not (tmp_path / "song").exists()
