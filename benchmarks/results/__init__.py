"""Recorded runs and pictures; `sirenlib.recorded` reads them."""
