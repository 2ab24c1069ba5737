"""What to cite for a network. The book's tests compare it with the bibliography."""

import re

import pytest
from torch import nn

from sirenlib import SCHEMES, Quilt, Siren, citation


def keys(text: str) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE)


def test_a_network_is_cited_with_its_initialization_and_the_recipe():
    found = keys(citation(Siren(2, 8, 1, 1)))
    assert found == ["sitzmann2020", "sirencode", "kingma2015", "sinenetworks2026"]
    found = keys(citation(Siren(2, 8, 1, 1, init="dalmia")))
    assert found == ["sitzmann2020", "sirentorch", "kingma2015", "sinenetworks2026"]


def test_a_quilt_is_cited_with_what_it_is_made_of():
    found = keys(citation(Quilt((2, 2), 8, 1, 1)))
    assert {"sitzmann2020", "reiser2021", "melenk1996", "rahimi2007"} < set(found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_whole_entries(scheme):
    text = citation(Siren(1, 8, 0, 1, init=scheme))
    assert len(set(keys(text))) == len(keys(text)) == text.count("\n\n") + 1
    assert text.count("{") == text.count("}")


def test_the_start_of_the_book_adds_nothing():
    assert citation(Siren(1, 8, 0, 1, init="fast")) == citation(
        Siren(1, 8, 0, 1, init="zero-bias")
    )


def test_another_network_is_an_error():
    with pytest.raises(ValueError, match="not Linear: cite the source"):
        citation(nn.Linear(1, 1))
