"""The sine layer and the network that is made of it."""

import contextlib
import inspect
import itertools
from collections import OrderedDict

import torch
from torch import Generator, Tensor, nn

from .arguments import positive_number, whole_number
from .initialization import initialize_
from .signals import Signal, suggest_omega_0

FEW = 4  # inputs, for which a sum of terms is as fast as a matrix product


class PreciseLinear(nn.Linear):
    """A linear map whose result no setting rounds: a rounded phase is a shifted wave.

    From up to four inputs, such as coordinates, it is summed up term by term, in the
    precision of the weights. From more it is a product outside of autocast, whose
    factors CUDA rounds only where TF32 is switched on.

    Shape:
        - Input: ``(*, in_features)``, of any floating type
        - Output: ``(*, out_features)``, of the weights' type
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.in_features:
            raise ValueError(
                f"the input has shape {tuple(x.shape)}: its last axis must have "
                f"{self.in_features} components, one for each input of this layer"
            )
        x = x.to(self.weight.dtype)
        if self.in_features > FEW:
            with full_precision(x.device):
                return super().forward(x)
        z = self.weight.new_zeros(()) if self.bias is None else self.bias
        for i in range(self.in_features):  # (*, 1), (out,) -> (*, out)
            z = torch.addcmul(z, x[..., i : i + 1], self.weight[:, i])
        return z


def full_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """A context without autocast, on the devices that have it."""
    if device.type not in ("cpu", "cuda"):
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


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
        device, dtype: as in ``torch.nn.Linear``.

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``, values in ``[-1, 1]``

    Raises:
        ValueError: a number of features is no whole number from 1, or omega_0 is not
            positive.

    Under ``torch.autocast`` the linear map of a hidden layer is computed in the lower
    precision; the first layer (a `PreciseLinear`) and every sine keep the precision of
    the weights.

    Source: Sitzmann et al. 2020, section 3.2 and supplement 1.5.

    Example:
        >>> import sirenlib
        >>> sirenlib.SineLayer(2, 256, is_first=True)
        SineLayer(
          is_first=True, omega_0=30
          (linear): PreciseLinear(in_features=2, out_features=256, bias=True)
        )
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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.in_features = whole_number("in_features", in_features, 1)
        self.out_features = whole_number("out_features", out_features, 1)
        self.is_first = is_first
        self.omega_0 = positive_number("omega_0", omega_0)
        kind = PreciseLinear if is_first else nn.Linear
        self.linear = _undrawn(kind, in_features, out_features, bias, device, dtype)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the weights and the bias anew, by the official scheme."""
        initialize_(self, "official", generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.phase(x))

    def phase(self, x: Tensor) -> Tensor:
        """What stands inside the sine (the pre-activation): ``omega_0 * (W x + b)``."""
        # Outside of autocast .to() changes nothing.
        return self.omega_0 * self.linear(x).to(self.linear.weight.dtype)

    def extra_repr(self) -> str:
        return f"is_first={self.is_first}, omega_0={self.omega_0:.12g}"


def _undrawn(
    kind: type[nn.Linear], fan_in: int, fan_out: int, bias: bool, device, dtype
) -> nn.Linear:
    """A linear map without first weights: all randomness comes from the generator."""
    device = torch.empty(0).device if device is None else device  # the default one
    return nn.utils.skip_init(
        kind, fan_in, fan_out, bias=bias, device=device, dtype=dtype
    )


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
        device, dtype: as in ``torch.nn.Linear``. The numbers are drawn on the device
            of the generator, so that they are the same on every device.

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``

    Raises:
        ValueError: an argument is out of its range, or init is no known name.

    Parameters have the names of the authors' class (``net.0.linear.weight``, …), so a
    state dict saved from it loads unchanged. Two things differ from it: ``forward``
    returns one tensor, where theirs returns the pair (output, a detached copy of the
    coordinates that asks for gradients), and ``outermost_linear`` is True here by
    default. For derivatives call ``coords.requires_grad_()`` before the network.

    Source: Sitzmann et al. 2020; vsitzmann/siren, ``explore_siren.ipynb``.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> model = sirenlib.Siren(2, 256, 3, 1)
        >>> sum(weights.numel() for weights in model.parameters())
        198401
        >>> tuple(model(torch.zeros(5, 2)).shape)
        (5, 1)
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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
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
                layer = _undrawn(PreciseLinear, fan_in, fan_out, True, device, dtype)
            else:
                omega_0 = self.hidden_omega_0 if i else self.first_omega_0
                layer = SineLayer(
                    fan_in,
                    fan_out,
                    is_first=i == 0,
                    omega_0=omega_0,
                    generator=generator,
                    device=device,
                    dtype=dtype,
                )
            self.net.append(layer)
        self.reset_parameters(generator)

    @classmethod
    def for_signal(
        cls,
        signal: Signal,
        hidden_features: int = 256,
        hidden_layers: int = 3,
        *,
        init: str = "fast",
        generator: Generator | None = None,
    ) -> "Siren":
        """A network for a signal: its dimensions, and a first omega_0 by the rule of
        `suggest_omega_0`. On a CPU; ``.to(device)`` moves it.

        Source: chapters 9 and 11.
        """
        return cls(
            signal.coords.shape[1],
            hidden_features,
            hidden_layers,
            signal.values.shape[1],
            first_omega_0=suggest_omega_0(signal, hidden_layers),
            init=init,
            generator=generator,
        )

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all weights and biases anew, by the scheme ``init``."""
        initialize_(self, self.init, generator=generator)

    def forward(self, coords: Tensor) -> Tensor:
        return self.net(coords)

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
                phase = activations[f"{i}.phase"] = layer.phase(coords)
                coords = activations[f"{i}.sine"] = torch.sin(phase)
            else:
                activations["output"] = layer(coords)
        if retain_grad:
            for tensor in list(activations.values())[1:]:
                tensor.retain_grad()
        return activations

    def architecture(self) -> dict:
        """The arguments that make a network of this form."""
        names = set(inspect.signature(Siren).parameters)
        names -= {"generator", "device", "dtype"}
        return {name: getattr(self, name) for name in sorted(names)}

    def extra_repr(self) -> str:
        return f"init={self.init!r}"
