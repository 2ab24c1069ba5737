"""``python -m sirenlib fit PHOTO``: what it writes, and what it says of bad input."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sirenlib import Signal, Siren, image_signal, load, psnr, render, save
from sirenlib import __main__ as command_line
from sirenlib.__main__ import main
from sirenlib.steps import Stepper


def smooth_picture(height=24, width=32):
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([8 * row, 7 * column, 255 - 8 * row], -1).astype(np.uint8)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(smooth_picture()).save(path)
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A fit of a small photo: (its folder, what it printed, the photo)."""
    folder = tmp_path_factory.mktemp("fit")
    photo, out = folder / "photo.png", folder / "new" / "out"
    Image.fromarray(smooth_picture()).save(photo)
    # 15 steps, less than a second.
    arguments = ["fit", photo, "--size", "32", "--out", out, "--epochs", "15"]
    return out, run(*arguments), photo


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sirenlib", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SIRENLIB_BOOK": "cpu"},
    )


# A photo of one's own


def test_fit_succeeds_without_a_word_on_stderr(fitted):
    assert (fitted[1].returncode, fitted[1].stderr) == (0, "")


def test_fit_writes_four_files(fitted):
    assert sorted(path.name for path in fitted[0].iterdir()) == [
        "history.json",
        "network.pt",
        "panels.png",
        "reconstruction.png",
    ]


def test_fit_prints_its_recipe(fitted):
    first, _ = fitted[1].stdout.splitlines()
    assert "32x24 pixels" in first and "init=fast" in first
    assert "omega_0=10.7 (longest side / 3), lr=0.0005, on cpu" in first


def test_large_photo_gets_a_lower_rate(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "fit", lambda *_, **recipe: print(recipe["lr"]))
    monkeypatch.setattr(command_line, "_write", lambda *_: 1 / 0)
    Image.fromarray(np.zeros((2, 300), np.uint8)).save(tmp_path / "a.png")
    arguments = ["fit", str(tmp_path / "a.png"), "--size", "300", "--out"]
    with pytest.raises(ZeroDivisionError):
        main([*arguments, str(tmp_path / "out")])
    assert "0.0003" in capsys.readouterr().out.splitlines()[1]


def test_fit_prints_quality_time_and_place(fitted):
    _, last = fitted[1].stdout.splitlines()
    assert re.fullmatch(rf"\d+\.\d\d dB in \d+\.\d s: {fitted[0]}", last)


def test_printed_quality_is_that_of_the_history(fitted):
    history = json.loads((fitted[0] / "history.json").read_text())
    assert f"{history['final_psnr']:.2f} dB" in fitted[1].stdout
    assert history["step"][-1] == 15 and not history["interrupted"]


def test_printed_quality_is_that_of_the_reconstruction(fitted):
    out, process, photo = fitted
    printed = float(re.search(r"([\d.]+) dB", process.stdout)[1])
    drawn = np.asarray(Image.open(out / "reconstruction.png"), dtype=float)
    # Rounding to 8 bits and clipping change little at such a quality.
    assert abs(psnr(drawn, np.asarray(Image.open(photo)), 255) - printed) < 0.5


def test_network_learns_the_photo(fitted):
    # The mean color alone gives 12.8 dB; seeds 0, 1 and 2 reached 23.3, 22.3, 23.2.
    history = json.loads((fitted[0] / "history.json").read_text())
    assert history["final_psnr"] > 20.8


def test_written_network_draws_the_reconstruction(fitted):
    out, _, photo = fitted
    saved = load(out / "network.pt")
    unit = (render(saved.model, *saved.shape, window=saved.window) + 1) / 2
    pixels = np.asarray(Image.open(out / "reconstruction.png"), dtype=float)
    assert saved.shape == image_signal(photo, 32).shape
    assert np.abs(unit.clip(0, 1).numpy() * 255 - pixels).max() < 0.51


def test_gray_photo_gives_a_gray_reconstruction(tmp_path, capsys):
    Image.fromarray(smooth_picture()[..., 0]).save(tmp_path / "gray.png")
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
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--help"])
    assert stop.value.code == 0 and "--size" in capsys.readouterr().out


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
        ("video", b"\0\0\0\x20ftypisom" + bytes(999)),
        ("truncated", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ],
)
def test_file_that_is_no_picture(tmp_path, untrained, capsys, name, content):
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(content)
    line = complaint(capsys, "fit", path, "--out", tmp_path / "out")
    assert f"{name}.jpg cannot be read" in line and "save it as PNG" in line


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
        ("--lr", "0"),
        ("--lr", "-1"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--lr", "fast"),
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


def test_learning_rate_that_diverges(photo, tmp_path, capsys):
    options = ["--lr", "1e25", "--size", "16", "--out", tmp_path / "out"]
    assert "lr=1e+25 is too large" in complaint(capsys, "fit", photo, *options)


def test_interrupt_before_the_fit_is_not_an_error(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "fit_photo", stop)
    assert main(["fit", "photo.jpg"]) == 130
    assert capsys.readouterr().err == "sirenlib: stopped\n"


def truncated_tiff(folder):
    path = folder / "cut.tif"
    Image.fromarray(smooth_picture()).save(path)
    path.write_bytes(path.read_bytes()[:60])
    return path


@pytest.mark.parametrize(
    "make", [lambda folder: folder / "gone.jpg", truncated_tiff], ids=["gone", "cut"]
)
def test_process_ends_with_one_line_and_code_2(tmp_path, make):
    process = run("fit", make(tmp_path), "--out", tmp_path / "out")
    assert (process.returncode, process.stdout) == (2, "")
    assert re.fullmatch(r"sirenlib: .+\n", process.stderr)


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
    return ["fit", str(photo), "--size", "32", "--epochs", "15", "--out", str(out)]


def test_stopped_fit_goes_on_with_resume(photo, tmp_path, stop, capsys, fitted):
    arguments = arguments_for(photo, tmp_path / "out")
    assert main(arguments) == 0
    assert "(stopped early: --resume goes on)" in capsys.readouterr().out
    assert (tmp_path / "out" / "checkpoint.pt").exists()
    assert main([*arguments, "--resume"]) == 0
    assert "early" not in capsys.readouterr().out
    assert not (tmp_path / "out" / "checkpoint.pt").exists()
    mine, whole = (
        load(folder / "network.pt").model.state_dict()
        for folder in (tmp_path / "out", fitted[0])
    )
    assert all(torch.equal(mine[name], whole[name]) for name in whole)


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
    assert "another lr" in complaint(capsys, *arguments, "--resume", "--lr", "0.001")


def test_resume_without_a_stop_is_a_plain_fit(photo, tmp_path, capsys):
    arguments = arguments_for(photo, tmp_path / "out")
    assert main([*arguments, "--resume"]) == 0


def test_precision_reaches_the_fit(photo, tmp_path, capsys):
    finals = []
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        assert main([*arguments_for(photo, out), "--precision", precision]) == 0
        finals.append(json.loads((out / "history.json").read_text())["final_psnr"])
    assert finals[0] != finals[1] and abs(finals[0] - finals[1]) < 1


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
    # 3/8 of 24 rows and half of 32 columns are 9 : 16.
    assert picture.shape == (22, 40, 3)
    saved = load(network)
    unit = (render(saved.model, 22, 40, ((-0.5, 0.25), (0.0, 1.0))) + 1) / 2
    assert np.abs(unit.clip(0, 1).numpy() * 255 - picture).max() < 0.51


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
        (["n.pt", "--window", "1", "-1", "-1", "1"], "TOP < BOTTOM"),
        (["n.pt", "--window", "-1", "nan", "-1", "1"], "TOP < BOTTOM"),
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


def test_view_writes_one_page_with_everything_in_it(fitted, tmp_path, capsys):
    path = tmp_path / "garden.html"
    assert main(["view", str(fitted[0] / "network.pt"), "--out", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    assert "<title>garden</title>" in page and "<h1>garden</h1>" in page
    assert 'alt="garden, learned from 24 by 32 pixels' in page
    assert capsys.readouterr().out == f"{len(page) / 1e6:.1f} MB: {path}\n"


def test_view_of_a_hostile_name_is_text(fitted, tmp_path, capsys):
    path = tmp_path / "<img onerror=alert(1)>.html"
    network = str(fitted[0] / "network.pt")
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
        (["sound.pt"], "the network maps 1 coordinates to 1 outputs"),
    ],
)
def test_bad_view_says_why(networks, tmp_path, capsys, arguments, reason):
    assert reason in complaint(capsys, "view", *arguments)
    assert list(tmp_path.glob("*.html")) == []
