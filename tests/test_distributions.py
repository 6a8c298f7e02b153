"""Distributions against PyTorch in float64, against sums, and as losses."""

import math

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from nnlib import distributions as D
from nnlib.testing import gradcheck

RANDOM = np.random.default_rng(0)
VALUES = {
    "Normal": RANDOM.normal(size=4),
    "Laplace": RANDOM.normal(size=4),
    "Bernoulli": np.array([0.0, 1.0, 1.0, 0.0]),
    "Categorical": np.array([2, 0, 1, 2]),
    "Poisson": np.array([0.0, 1.0, 3.0, 7.0]),
}
CASES = {
    "Normal": [{"loc": RANDOM.normal(size=4), "scale": RANDOM.uniform(0.5, 2, 4)}],
    "Laplace": [{"loc": RANDOM.normal(size=4), "scale": RANDOM.uniform(0.5, 2, 4)}],
    "Bernoulli": [{"probs": RANDOM.uniform(0.1, 0.9, 4)}, {"logits": RANDOM.normal(size=4)}],
    "Categorical": [{"probs": RANDOM.uniform(0.1, 1, (4, 3))}, {"logits": RANDOM.normal(size=(4, 3))}],
    "Poisson": [{"rate": RANDOM.uniform(0.5, 4, 4)}],
}
ALL = [(name, arguments) for name, cases in CASES.items() for arguments in cases]


def build(name, arguments):
    inputs = {key: nn.tensor(value, requires_grad=True) for key, value in arguments.items()}
    return getattr(D, name)(**inputs), list(inputs.values())


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_parity_with_pytorch(name, arguments):
    torch = pytest.importorskip("torch")
    ours, inputs = build(name, arguments)
    theirs_in = {key: torch.tensor(value, requires_grad=True) for key, value in arguments.items()}
    theirs = getattr(torch.distributions, name)(**theirs_in)
    log_prob, expected = ours.log_prob(nn.tensor(VALUES[name])), theirs.log_prob(torch.tensor(VALUES[name]))
    np.testing.assert_allclose(log_prob.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    log_prob.sum().backward()
    expected.sum().backward()
    for a, b in zip(inputs, theirs_in.values()):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-9)
    if name != "Poisson":
        np.testing.assert_allclose(build(name, arguments)[0].entropy().data, theirs.entropy().detach(), rtol=1e-12)
        return
    with pytest.raises(NotImplementedError):
        ours.entropy()


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_kl_divergence(name, arguments):
    torch = pytest.importorskip("torch")
    other = {key: value[::-1].copy() for key, value in arguments.items()}
    kl = D.kl_divergence(build(name, arguments)[0], build(name, other)[0])
    to_torch = lambda values: getattr(torch.distributions, name)(**{k: torch.tensor(v) for k, v in values.items()})
    expected = torch.distributions.kl_divergence(to_torch(arguments), to_torch(other))
    np.testing.assert_allclose(kl.data, expected.numpy(), rtol=1e-9, atol=1e-12)
    assert (kl.data > -1e-12).all()
    same = D.kl_divergence(build(name, arguments)[0], build(name, arguments)[0])
    np.testing.assert_allclose(same.data, 0, atol=1e-12)


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_gradients_of_log_prob(name, arguments):
    inputs = [nn.tensor(value, requires_grad=True) for value in arguments.values()]
    value = nn.tensor(VALUES[name])
    assert gradcheck(lambda *t: getattr(D, name)(**dict(zip(arguments, t))).log_prob(value), inputs)


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_samples_have_the_mean_they_should(name, arguments):
    nn.manual_seed(0)
    distribution = build(name, arguments)[0]
    sample = distribution.sample((20_000,))
    assert not sample.requires_grad
    if name == "Categorical":
        counts = np.stack([(sample.data == k).mean(0) for k in range(3)], 1)
        np.testing.assert_allclose(counts, distribution.probs.data, atol=0.02)
    else:
        spread = np.sqrt(distribution.variance.data / 20_000)
        assert (np.abs(sample.data.mean(0) - distribution.mean.data) < 5 * spread).all()


def test_the_known_losses_are_negative_log_likelihoods():
    z, t = nn.randn(6, dtype=nn.float64), nn.tensor([0.0, 1, 1, 0, 1, 0], dtype=nn.float64)
    bernoulli = -D.Bernoulli(logits=z).log_prob(t).mean()
    assert bernoulli.item() == pytest.approx(F.binary_cross_entropy_with_logits(z, t).item())
    logits, classes = nn.randn(5, 3, dtype=nn.float64), nn.tensor([0, 1, 2, 1, 0])
    categorical = -D.Categorical(logits=logits).log_prob(classes).mean()
    assert categorical.item() == pytest.approx(F.cross_entropy(logits, classes).item())
    gauss = -D.Normal(z, 1.0).log_prob(t).mean() - 0.5 * math.log(2 * math.pi)
    assert 2 * gauss.item() == pytest.approx(F.mse_loss(z, t).item())
    laplace = -D.Laplace(z, 1.0).log_prob(t).mean() - math.log(2)
    assert laplace.item() == pytest.approx(F.l1_loss(z, t).item())


def test_extremes_stay_finite_where_they_should():
    certain = D.Categorical(probs=nn.tensor([1.0, 0.0]))
    assert certain.entropy().item() == 0.0
    assert certain.log_prob(nn.tensor(1)).item() == -math.inf
    assert D.Bernoulli(logits=nn.tensor(-1000.0)).log_prob(nn.tensor(1.0)).item() == -1000.0
    assert D.Poisson(nn.tensor(0.0)).log_prob(nn.tensor(0.0)).item() == 0.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: D.Normal(0.0, 0.0), "scale must be > 0"),
        (lambda: D.Laplace(0.0, -1.0), "scale must be > 0"),
        (lambda: D.Bernoulli(probs=nn.tensor(1.5)), "probs must lie in"),
        (lambda: D.Bernoulli(), "give probs or logits"),
        (lambda: D.Categorical(probs=nn.tensor([-1.0, 2.0])), "probs must be >= 0"),
        (lambda: D.Poisson(-1.0), "rate must be >= 0"),
        (lambda: D.Categorical(logits=nn.zeros(3)).log_prob(nn.tensor(3)), "class indices 0…2, got 3"),
    ],
)
def test_bad_parameters_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_kl_with_impossible_classes():
    """A class that neither can have adds 0; one that only the second cannot have makes it infinite."""
    torch = pytest.importorskip("torch")
    rows = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    for a in rows:
        for b in rows:
            kl = D.kl_divergence(*(D.Categorical(probs=nn.tensor(v, dtype=nn.float64)) for v in (a, b)))
            p, q = (torch.distributions.Categorical(probs=torch.tensor(v, dtype=torch.float64)) for v in (a, b))
            assert kl.item() == pytest.approx(torch.distributions.kl_divergence(p, q).item(), abs=1e-12)


@pytest.mark.parametrize("name", ["Normal", "Laplace"])
def test_rsample_passes_gradients_on_and_sample_does_not(name):
    loc, scale = nn.tensor([1.0, -2.0], requires_grad=True), nn.tensor([0.5, 2.0], requires_grad=True)
    distribution = getattr(nn.distributions, name)(loc, scale)
    nn.manual_seed(0)
    draws = distribution.rsample((3,))
    draws.sum().backward()
    noise = (draws.detach().data - loc.data) / scale.data
    np.testing.assert_array_equal(loc.grad, [3, 3])
    np.testing.assert_allclose(scale.grad, noise.sum(0), rtol=1e-5)
    nn.manual_seed(0)
    same = distribution.sample((3,))
    assert not same.requires_grad
    np.testing.assert_array_equal(same.data, draws.data)
    np.testing.assert_allclose(distribution.stddev.data, distribution.variance.data**0.5)
