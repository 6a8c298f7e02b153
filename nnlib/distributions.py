"""Distributions whose parameters a network predicts: a loss is one line, ``-Normal(f(x), 1).log_prob(y).mean()``.

Every parameter may be a tensor with a gradient. PyTorch: ``torch.distributions``. Logs are natural: nats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import functional as F
from .core import Tensor, as_tensor
from .device import get_array_module, rng, special
from .ops import broadcast_to, sigmoid, where

__all__ = ["Bernoulli", "Categorical", "Distribution", "Laplace", "Normal", "Poisson", "kl_divergence"]


class Distribution:
    """What all distributions offer.  PyTorch: ``torch.distributions.Distribution``.

    >>> isinstance(nn.distributions.Normal(0.0, 1.0), nn.distributions.Distribution)
    True
    """

    def log_prob(self, value: Any) -> Tensor:
        """ln of the density, or of the probability, at ``value``."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob.")

    def entropy(self) -> Tensor:
        """−E ln p, in nats."""
        raise NotImplementedError(f"{type(self).__name__}: no entropy in closed form. Use −log_prob(sample()).mean().")

    stddev = property(lambda self: self.variance.sqrt(), doc="The root of the variance.")

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """Draws of shape sample_shape + batch shape, without gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no sample.")


def _parameter(value: Any, like: Any = None) -> Tensor:
    """A tensor in the float dtype of its companion."""
    t = as_tensor(value if isinstance(value, Tensor) else np.asarray(value) if np.ndim(value) else float(value))
    return t if like is None or not isinstance(like, Tensor) or isinstance(value, Tensor) else t.to(like.dtype)


def _drawn(values: Any, like: Tensor) -> Any:
    """Random numbers, which come from the host, where ``like`` lives."""
    return get_array_module(like.data).asarray(values)


def _at(value: Any, like: Tensor) -> Tensor:
    value = value if isinstance(value, Tensor) else as_tensor(np.asarray(value)).to(like.device)
    return value.to(like.dtype) if value.dtype != like.dtype else value


class _LocationScale(Distribution):
    """Noise of scale 1 around 0, stretched by ``scale`` and moved by ``loc``."""

    _noise: str  # the method of NumPy's generator that draws it

    def __init__(self, loc: Any, scale: Any) -> None:
        self.loc, self.scale = _parameter(loc, scale), _parameter(scale, loc)
        if not (self.scale._data > 0).all():
            name, least = type(self).__name__, float(self.scale._data.min())
            raise ValueError(f"{name}: scale must be > 0, got {least:.4g}. Use F.softplus or exp for a learned scale.")

    mean = property(lambda self: self.loc)

    def rsample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """loc + scale·noise: draws that pass gradients on to loc and scale."""
        shape = (*sample_shape, *np.broadcast_shapes(self.loc.shape, self.scale.shape))
        noise = _drawn(getattr(rng(), self._noise)(size=shape), self.loc)
        return (self.loc + self.scale * as_tensor(noise)).to(self.loc.dtype)

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """loc + scale·noise"""
        return self.rsample(sample_shape).detach()


class Normal(_LocationScale):
    """N(loc, scale²).  PyTorch: ``distributions.Normal``.

    >>> f"{nn.distributions.Normal(0.0, 1.0).log_prob(nn.tensor(0.0)).item():.4f}"
    '-0.9189'
    """

    _noise = "standard_normal"
    variance = property(lambda self: self.scale.square())

    def log_prob(self, value: Any) -> Tensor:
        """−½((x − loc)/scale)² − ln scale − ½ ln 2π"""
        z = (_at(value, self.loc) - self.loc) / self.scale
        return -0.5 * z.square() - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        """½ + ½ ln 2π + ln scale"""
        return self.scale.log() + 0.5 + 0.5 * math.log(2 * math.pi) + self.loc * 0


class Laplace(_LocationScale):
    """Density e^(−|x − loc|/scale)/(2·scale): a sharper peak and longer tails.  PyTorch: ``distributions.Laplace``.

    >>> f"{nn.distributions.Laplace(0.0, 1.0).log_prob(nn.tensor(2.0)).item():.4f}"
    '-2.6931'
    """

    _noise = "laplace"
    variance = property(lambda self: 2 * self.scale.square())

    def log_prob(self, value: Any) -> Tensor:
        """−|x − loc|/scale − ln(2·scale)"""
        return -(_at(value, self.loc) - self.loc).abs() / self.scale - (2 * self.scale).log()

    def entropy(self) -> Tensor:
        """1 + ln(2·scale)"""
        return 1 + (2 * self.scale).log() + self.loc * 0


class Bernoulli(Distribution):
    """1 with probability p, else 0; say ``probs`` or ``logits`` = ln p/(1 − p).  PyTorch: ``distributions.Bernoulli``.

    >>> f"{nn.distributions.Bernoulli(logits=nn.tensor(0.0)).log_prob(nn.tensor(1.0)).item():.4f}"
    '-0.6931'
    """

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Bernoulli: give probs or logits, one of them. Use Bernoulli(logits=model(x)).")
        if logits is None:
            self.probs = _parameter(probs)
            if not ((self.probs._data >= 0) & (self.probs._data <= 1)).all():
                raise ValueError("Bernoulli: probs must lie in 0…1. Use logits= for unbounded scores.")
            self.logits = self.probs.log() - (1 - self.probs).log()
        else:
            self.logits = _parameter(logits)
            self.probs = sigmoid(self.logits)

    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    def log_prob(self, value: Any) -> Tensor:
        """x ln p + (1 − x) ln(1 − p), computed from the logits"""
        value = _at(value, self.logits)
        value = broadcast_to(value, np.broadcast_shapes(value.shape, self.logits.shape))
        logits = broadcast_to(self.logits, value.shape)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """−p ln p − (1 − p) ln(1 − p)"""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """0.0 or 1.0"""
        shape = (*sample_shape, *self.probs.shape)
        return Tensor((_drawn(rng().random(shape), self.probs) < self.probs.data).astype(self.probs.dtype))


class Categorical(Distribution):
    """Class k with probability softmax(logits)_k along the last axis.  PyTorch: ``distributions.Categorical``.

    >>> d = nn.distributions.Categorical(logits=nn.tensor([1.0, 2.0, 3.0]))
    >>> f"{d.log_prob(nn.tensor(0)).item():.4f}"
    '-2.4076'
    """

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Categorical: give probs or logits, one of them. Use Categorical(logits=model(x)).")
        if logits is None:
            probs = _parameter(probs)
            if not (probs._data >= 0).all() or not (probs._data.sum(-1) > 0).all():
                raise ValueError("Categorical: probs must be >= 0 with a positive sum. Use logits= for scores.")
            self.log_probs = (probs / probs.sum(-1, keepdim=True)).log()
        else:
            self.log_probs = F.log_softmax(_parameter(logits), dim=-1)
        self.logits = self.log_probs
        self.probs = self.log_probs.exp()

    def log_prob(self, value: Any) -> Tensor:
        """ln p_value, for integers ``value`` in the batch shape (or any shape for one distribution)"""
        index = value if isinstance(value, Tensor) else as_tensor(np.asarray(value)).to(self.log_probs.device)
        F._check_classes("Categorical.log_prob", index._data, self.log_probs.shape[-1])
        if self.log_probs.ndim == 1:
            return self.log_probs[index]
        return self.log_probs.gather(-1, index.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ p ln p, with 0 ln 0 = 0"""
        return -(self.probs * self.log_probs.clamp(min=float(np.finfo(self.probs.dtype).min))).sum(-1)

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """Class numbers, by Gumbel's trick: argmax of ln p + noise"""
        shape = (*sample_shape, *self.probs.shape)
        return Tensor((self.log_probs.data + _drawn(rng().gumbel(size=shape), self.log_probs)).argmax(-1))


class Poisson(Distribution):
    """Counts with mean ``rate``: p(k) = rateᵏe^(−rate)/k!.  PyTorch: ``distributions.Poisson``.

    >>> f"{nn.distributions.Poisson(2.0).log_prob(nn.tensor(0.0)).item():.4f}"
    '-2.0000'
    """

    def __init__(self, rate: Any) -> None:
        self.rate = _parameter(rate)
        if not (self.rate._data >= 0).all():
            raise ValueError(f"Poisson: rate must be >= 0, got {float(self.rate._data.min()):.4g}. Use exp(model(x)).")

    mean = property(lambda self: self.rate)
    variance = property(lambda self: self.rate)

    def log_prob(self, value: Any) -> Tensor:
        """k ln rate − rate − ln k!"""
        value = _at(value, self.rate)
        log_factorial = Tensor(special("gammaln", math.lgamma, (value + 1).data.astype(float)).astype(self.rate.dtype))
        return _xlogy(value, self.rate) - self.rate - log_factorial

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """Counts, as floats"""
        shape = (*sample_shape, *self.rate.shape)
        counts = rng().poisson(np.broadcast_to(self.rate.detach().cpu().data, shape))
        return Tensor(_drawn(counts, self.rate).astype(self.rate.dtype))


def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    """x ln y with 0 ln 0 = 0."""
    zero = x.eq(0)
    return where(zero, 0.0 * y, x * where(zero & y.eq(0), y + 1, y).log())


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p‖q) = E_p[ln p − ln q] in closed form, for two of a kind.  PyTorch: ``distributions.kl_divergence``.

    >>> a = nn.distributions.Categorical(nn.tensor([0.7, 0.2, 0.1]))
    >>> b = nn.distributions.Categorical(nn.tensor([1.0, 1.0, 1.0]))
    >>> f"{nn.distributions.kl_divergence(a, b).item():.6f}"
    '0.296794'
    """
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale).square()
        return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log())
    if isinstance(p, Laplace) and isinstance(q, Laplace):
        ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
        return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        cross = F.binary_cross_entropy_with_logits(q.logits + 0 * p.logits, p.probs + 0 * q.probs, reduction="none")
        return cross - p.entropy()
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        gap = p.log_probs - q.log_probs  # nan where both are impossible, and there the term is 0
        return (p.probs * where(p.probs.eq(0), 0.0 * p.probs, gap)).sum(-1)
    if isinstance(p, Poisson) and isinstance(q, Poisson):
        return _xlogy(p.rate, p.rate / q.rate) - p.rate + q.rate
    kinds = f"{type(p).__name__} and {type(q).__name__}"
    fix = "Estimate (p.log_prob(x) − q.log_prob(x)).mean() with x = p.sample((10000,))."
    raise NotImplementedError(f"kl_divergence: no closed form here for {kinds}. {fix}")
