"""WAV files: read, written, and refused with the reason."""

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from sirenlib.sounds import sound_signal, wav_bytes, write_sound

RATE = 8000


def tone(samples=400, loudness=0.7):
    return loudness * np.sin(2 * np.pi * 440 * np.arange(samples) / RATE)


def written(tmp_path, samples, rate=RATE):
    path = tmp_path / "sound.wav"
    wavfile.write(path, rate, samples)
    return path


@pytest.mark.parametrize(
    ("convert", "step"),
    [
        (lambda x: (128 + 128 * x).round().astype(np.uint8), 1 / 128),
        (lambda x: (2**15 * x).round().astype(np.int16), 2.0**-15),
        (lambda x: (2**31 * x).round().astype(np.int32), 2.0**-23),
        (np.float32, 2.0**-23),
        (np.float64, 2.0**-23),
    ],
)
def test_every_kind_of_sample_is_read_alike(tmp_path, convert, step):
    signal, rate = sound_signal(written(tmp_path, convert(tone())))
    assert rate == RATE and signal.shape == (400,) and signal.is_grid
    assert signal.corners() == ((-1.0, 1.0),) and signal.value_range == (-1.0, 1.0)
    assert np.abs(signal.array() - tone()).max() <= step


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "sound.wav"
    write_sound(torch.tensor(tone())[:, None], RATE, path)
    signal, rate = sound_signal(path)
    assert rate == RATE and np.abs(signal.array() - tone()).max() < 2.0**-14
    write_sound(3 * tone(), RATE, path)  # too loud: clipped, and not wrapped around
    clipped = sound_signal(path)[0].array()
    assert np.abs(clipped - np.clip(3 * tone(), -1, 1)).max() < 2.0**-14


def test_a_file_in_floating_point_may_be_louder(tmp_path):
    signal, _ = sound_signal(written(tmp_path, np.float32(tone(loudness=1.5))))
    assert signal.value_range[1] == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((400, 2), np.int16), "has 2 channels; sirenlib fits one. Mix"),
        (np.zeros(400, np.int16), "is silent"),
        (np.full(400, 128, np.uint8), "is silent"),
        (np.full(400, 77, np.int16), "is silent"),
        (np.int16(2**14 * tone(63)), "has 63 samples: a sound needs 64"),
        (np.float32([*tone(), np.nan]), "NaN or infinite"),
        (np.float32([*tone(), np.inf]), "NaN or infinite"),
    ],
)
def test_sound_that_is_refused(tmp_path, samples, message):
    with pytest.raises(ValueError, match=r"^sound\.wav .*" + message):
        sound_signal(written(tmp_path, samples))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3\x03 an MP3 file", bytes(99)])
def test_file_that_is_no_sound(tmp_path, content):
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"song\.wav is no WAV file.*16-bit PCM"):
        sound_signal(path)


def test_file_that_is_cut_off_is_no_sound_or_a_shorter_one(tmp_path):
    path = written(tmp_path, np.int16(2**14 * tone()))
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match="sound"):
        sound_signal(path)


def test_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        sound_signal(tmp_path / "nothing.wav")


@pytest.mark.parametrize("samples", [np.zeros((9, 2)), [[[1.0]]], [0.0, np.nan]])
def test_samples_that_are_no_sound(samples):
    with pytest.raises(ValueError, match="must be one channel without NaN"):
        wav_bytes(np.asarray(samples), RATE)


@pytest.mark.parametrize("rate", [0, -1, 44100.0])
def test_rate_that_is_none(rate):
    with pytest.raises(ValueError, match="rate must be a whole number from 1"):
        wav_bytes(tone(), rate)
