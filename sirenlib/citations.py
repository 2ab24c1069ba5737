"""What to cite for a network: where it, its initialization and the recipe come from."""

import re

from .quilt import Quilt
from .siren import Siren

# As in the book's bibliography, and the book itself.
ENTRIES = r"""
@inproceedings{sitzmann2020,
  author    = {Vincent Sitzmann and Julien N. P. Martel and Alexander W. Bergman and
               David B. Lindell and Gordon Wetzstein},
  title     = {Implicit Neural Representations with Periodic Activation Functions},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020},
  eprint    = {2006.09661}
}

@inproceedings{kingma2015,
  author    = {Diederik P. Kingma and Jimmy Ba},
  title     = {Adam: A Method for Stochastic Optimization},
  booktitle = {International Conference on Learning Representations},
  year      = {2015},
  eprint    = {1412.6980}
}

@misc{sirencode,
  author = {Vincent Sitzmann and others},
  title  = {{siren}: the code of the paper, with the notebook {explore\_siren.ipynb}},
  url    = {https://github.com/vsitzmann/siren}
}

@misc{sirenpytorch,
  author = {Phil Wang},
  title  = {{siren-pytorch}},
  url    = {https://github.com/lucidrains/siren-pytorch}
}

@misc{sirentorch,
  title = {{siren-torch}, by {GitHub}'s user dalmia},
  url   = {https://github.com/dalmia/siren}
}

@misc{tinycudann,
  author = {Thomas M{\"u}ller},
  title  = {{tiny-cuda-nn}},
  url    = {https://github.com/NVlabs/tiny-cuda-nn}
}

@inproceedings{rahimi2007,
  author    = {Ali Rahimi and Benjamin Recht},
  title     = {Random Features for Large-Scale Kernel Machines},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2007},
  url       = {https://papers.nips.cc/paper/2007/hash/013a006f03dbc5392effeb8f18fda755-Abstract.html}
}

@inproceedings{reiser2021,
  author    = {Christian Reiser and Songyou Peng and Yiyi Liao and Andreas Geiger},
  title     = {{KiloNeRF}: Speeding up Neural Radiance Fields with Thousands of Tiny
               {MLP}s},
  booktitle = {IEEE/CVF International Conference on Computer Vision},
  year      = {2021},
  eprint    = {2103.13744}
}

@article{melenk1996,
  author  = {Jens M. Melenk and Ivo Babu{\v{s}}ka},
  title   = {The partition of unity finite element method: Basic theory and
             applications},
  journal = {Computer Methods in Applied Mechanics and Engineering},
  volume  = {139},
  year    = {1996},
  note    = {the address is that of the report of {ETH} {Z}{\"u}rich},
  url     = {https://doi.org/10.3929/ethz-a-004284735}
}

@book{sinenetworks2026,
  title  = {Sine Networks},
  author = {{The authors of the sine network book}},
  year   = {2026}
}
"""

NETWORKS = {
    Siren: ("sitzmann2020",),
    Quilt: ("sitzmann2020", "reiser2021", "melenk1996"),
}
# What a scheme of `SCHEMES` adds: nothing where it is the paper's or the book's own.
INITIALIZATIONS = {
    "official": ("sirencode",),
    "lucidrains": ("sirenpytorch",),
    "dalmia": ("sirentorch",),
    "tiny-cuda-nn": ("tinycudann",),
    "random-phase": ("rahimi2007",),
}
RECIPE = ("kingma2015", "sinenetworks2026")  # Adam, and the batches and rates of `fit`


def citation(model: Siren | Quilt) -> str:
    """The BibTeX of the network, of its initialization, and of the recipe of `fit`.

    The initialization is the one that the network was made with. Weights that were
    loaded into it from elsewhere may have had another.

    Raises:
        ValueError: the model is no `Siren` and no `Quilt`.

    Example:
        >>> import sirenlib
        >>> text = sirenlib.citation(sirenlib.Siren(2, 64, 1, 1, init="lucidrains"))
        >>> [line for line in text.splitlines() if line.startswith("@misc")]
        ['@misc{sirenpytorch,']
    """
    kind = next((each for each in NETWORKS if isinstance(model, each)), None)
    if kind is None:
        raise ValueError(
            f"citation() knows a Siren and a Quilt, not {type(model).__name__}: cite "
            "the source of that network"
        )
    keys = [*NETWORKS[kind], *INITIALIZATIONS.get(model.init, ()), *RECIPE]
    return "\n\n".join(_entry(key) for key in keys)


def _entry(key: str) -> str:
    return re.search(rf"^@\w+{{{key},\n.*?^}}", ENTRIES, re.DOTALL | re.MULTILINE)[0]
