"""The sine layer and the network that is made of it."""

import inspect
import itertools
from collections import OrderedDict

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from .arguments import positive_number, whole_number
from .initialization import initialize_


class SineLayer(nn.Module):
    r"""A linear map followed by a sine: ``sin(omega_0 * (W x + b))``.

    In the first layer ``omega_0`` sets the band of frequencies that the network
    starts from. In later layers the official weights are divided by it, so that there
    it mostly acts as a factor of the learning rate; PyTorch's default bias is not
    divided and so widens the pre-activations.

    Args:
        in_features, out_features, bias: as in ``torch.nn.Linear``.
        is_first: whether the layer reads coordinates; only its start depends on it.
        omega_0: the frequency factor, positive.
        generator: source of the first weights; None is PyTorch's global one.

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``, values in ``[-1, 1]``

    Under ``torch.autocast`` the linear map of a hidden layer is computed in the lower
    precision; the first layer and every sine keep the precision of the weights, since
    a rounded phase is a shifted wave.

    Source: Sitzmann et al. 2020, section 3.2 and supplement 1.5.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        is_first: bool = False,
        omega_0: float = 30.0,
        *,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.in_features = whole_number("in_features", in_features, 1)
        self.out_features = whole_number("out_features", out_features, 1)
        self.is_first = is_first
        self.omega_0 = positive_number("omega_0", omega_0)
        # skip_init draws nothing: all randomness comes from the generator.
        self.linear = nn.utils.skip_init(
            nn.Linear, in_features, out_features, bias=bias
        )
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the weights and the bias anew, by the official scheme."""
        initialize_(self, "official", generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self._phase(x))

    def forward_with_intermediate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output and the phase inside the sine (the pre-activation)."""
        phase = self._phase(x)
        return torch.sin(phase), phase

    def _phase(self, x: Tensor) -> Tensor:
        if self.is_first:
            return self.omega_0 * _in_full_precision(self.linear, x)
        # Outside of autocast .to() changes nothing.
        return self.omega_0 * self.linear(x).to(self.linear.weight.dtype)

    def extra_repr(self) -> str:
        return f"is_first={self.is_first}, omega_0={self.omega_0:g}"


class Siren(nn.Module):
    r"""A sine network: coordinates in, values of the signal out.

    ``hidden_layers`` counts the sine layers from hidden to hidden, as in the authors'
    code. ``Siren(2, 256, 3, 1)`` is 2 → 256 → 256 → 256 → 256 → 1: a first sine layer,
    three hidden ones, and a linear layer, 198,401 parameters in all. With
    ``hidden_layers=0`` it is 2 → 256 → 1.

    Args:
        in_features: dimension of the coordinates: 1 for sound, 2 for pictures.
        hidden_features: width of the sine layers.
        hidden_layers: see above.
        out_features: channels of the signal.
        outermost_linear: whether the last layer is linear, or one more sine.
        first_omega_0, hidden_omega_0: frequency factors of the first sine layer and of
            the others.
        init: a name from `sirenlib.initialization.SCHEMES`.
        generator: source of all first weights and biases; None is PyTorch's global one.

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``

    Parameters have the names of the authors' class (``net.0.linear.weight``, …), so a
    state dict saved from it loads unchanged. Two things differ from it: ``forward``
    returns one tensor, where theirs returns the pair (output, a detached copy of the
    coordinates that asks for gradients), and ``outermost_linear`` is True here by
    default. For derivatives call ``coords.requires_grad_()`` before the network.

    Source: Sitzmann et al. 2020; vsitzmann/siren, ``explore_siren.ipynb``.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        hidden_layers: int,
        out_features: int,
        outermost_linear: bool = True,
        first_omega_0: float = 30.0,
        hidden_omega_0: float = 30.0,
        init: str = "official",
        generator: Generator | None = None,
    ):
        super().__init__()
        self.in_features = whole_number("in_features", in_features, 1)
        self.hidden_features = whole_number("hidden_features", hidden_features, 1)
        self.hidden_layers = whole_number("hidden_layers", hidden_layers, 0)
        self.out_features = whole_number("out_features", out_features, 1)
        self.outermost_linear = bool(outermost_linear)
        self.first_omega_0 = positive_number("first_omega_0", first_omega_0)
        self.hidden_omega_0 = positive_number("hidden_omega_0", hidden_omega_0)
        self.init = init
        widths = [in_features, *[hidden_features] * (hidden_layers + 1), out_features]
        self.net = nn.Sequential()
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            if outermost_linear and i == hidden_layers + 1:
                layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
            else:
                omega_0 = self.hidden_omega_0 if i else self.first_omega_0
                layer = SineLayer(
                    fan_in, fan_out, True, i == 0, omega_0, generator=generator
                )
            self.net.append(layer)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all weights and biases anew, by the scheme ``init``."""
        initialize_(self, self.init, generator=generator)

    def forward(self, coords: Tensor) -> Tensor:
        for layer in self.net:
            sine = isinstance(layer, SineLayer)
            coords = layer(coords) if sine else _in_full_precision(layer, coords)
        return coords

    def forward_with_activations(
        self, coords: Tensor, retain_grad: bool = False
    ) -> "OrderedDict[str, Tensor]":
        """Everything that the network computes on the way, by name and in order.

        The keys are ``"input"``, then ``"0.phase"`` and ``"0.sine"`` for the first
        sine layer and so on, and ``"output"`` for a last linear layer.

        Args:
            retain_grad: keep the gradient of each of them in ``.grad`` after a
                backward pass.
        """
        activations = OrderedDict(input=coords)
        for i, layer in enumerate(self.net):
            if isinstance(layer, SineLayer):
                coords, phase = layer.forward_with_intermediate(coords)
                activations[f"{i}.phase"], activations[f"{i}.sine"] = phase, coords
            else:
                activations["output"] = _in_full_precision(layer, coords)
        if retain_grad:
            for tensor in list(activations.values())[1:]:
                tensor.retain_grad()
        return activations

    def architecture(self) -> dict:
        """The arguments that make a network of this form."""
        names = list(inspect.signature(Siren).parameters)
        return {name: getattr(self, name) for name in names if name != "generator"}

    def extra_repr(self) -> str:
        return f"init={self.init!r}"


def _in_full_precision(linear: nn.Linear, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        if not (x.is_cuda and _rounds_factors()):
            return linear(x)
        wide = [t if t is None else t.double() for t in (linear.weight, linear.bias)]
        return F.linear(x.double(), *wide).to(x.dtype)


@torch.compiler.assume_constant_result
def _rounds_factors() -> bool:
    """Whether CUDA may round the factors of float32 products to TF32."""
    return torch.get_float32_matmul_precision() != "highest"
