r"""The letters of the lessons, and how each of the five sources writes them.

One row per symbol and meaning. `cell` is the cell of the lesson that introduces it; in it the
symbol stands between dollar signs (tests/test_symbols.py). The names are LaTeX, as the source
prints them up to its bold type and with its own index: in the rows of a layer, all names of one
source belong to its layer k (Trieste counts weights from 0). An empty name means that the source
has no letter for the thing.
`nnlib.course.index` makes the table of notebooks/index.ipynb from these rows.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SOURCES", "SYMBOLS", "Symbol"]

SOURCES = {
    "ai335": "AI335 lecture 2",
    "week4": "Deep Learning week 4",
    "trieste": "Trieste",
    "c182": "Data C182 lecture 4",
    "cs229": "CS229 chapter 7",
}


class Symbol(NamedTuple):
    """One row: our LaTeX, what it is and its shape (markdown), where it is introduced, the sources' names.

    >>> SYMBOLS[0].latex, SYMBOLS[0].names["cs229"]
    ('x', 'x')
    """

    latex: str
    what: str
    shape: str
    lesson: str
    cell: str
    ai335: str = ""
    week4: str = ""
    trieste: str = ""
    c182: str = ""
    cs229: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The source's name for it by the source's key in SOURCES; '' where it has none."""
        return {key: getattr(self, key) for key in SOURCES}


S = Symbol

# fmt: off
SYMBOLS: tuple[Symbol, ...] = (
    # data and model
    S("x", "input, one example per row", "(N, in)", "00", "layouts",
      r"x", r"x,\ X", r"x", r"x", r"x"),
    S("y", "the true answer", "(N,) or (N, out)", "00", "model-parts",
      r"y", r"y,\ y^*,\ t", r"y", r"y", r"y"),
    S("(x_i, y_i)", "sample number i", "", "00", "data",
      r"(x_i, y_i)", r"(x^i, y^i),\ (x^{(t)}, y^{(t)}),\ x_i, y_i", r"x_i, y_i,\ x^{(i)}, y^{(i)}",
      r"x_i, y_i", r"(x^{(i)}, y^{(i)})"),
    S(r"\hat y", "the model's answer", "as y", "00", "model-parts",
      r"\hat y", r"\hat y,\ f(x),\ y", r"P_i,\ f[x, \phi],\ y", r"f_\theta(x)", r"h_\theta(x)"),
    S("f", "the model", "", "00", "model-parts",
      r"f", r"f,\ f_\theta", r"f[x, \phi]", r"f_\theta", r"h_\theta,\ \bar h_\theta"),
    S(r"\theta", "all parameters together", "", "00", "model-parts",
      r"\theta", r"\theta,\ w,\ \{w_i, b_i\}", r"\Phi,\ \phi", r"\theta", r"\theta"),
    S("N", "number of samples", "", "00", "data",
      r"N", r"N,\ P,\ T,\ n,\ m", r"N", r"N", r"n"),
    S("d", "number of features, also $D$", "", "01", "neuron",
      r"d", r"n_x", r"D,\ D_i,\ d", r"d", r"d"),
    S("K", "number of classes, counted from 0", "", "00", "task",
      "", r"K", r"k", r"K", r"k"),
    # a network
    S("L", "number of weight layers; + 1 where the source counts hidden ones", "", "04", "recursion-text",
      r"L", r"L + 1", r"K + 1", r"L + 1", r"r"),
    S("n_l", "units in layer l", "", "04", "recursion-text",
      r"n^{(l)}", "", r"D,\ D_3", r"d^{(2)}", r"m,\ m_k"),
    S("W^l", "weights of layer l, one unit per row", "$(n_l, n_{l-1})$", "04", "recursion-text",
      r"W^{(l)}", r"W^{(k)},\ w_{11}^{l0}", r"\Omega_{k-1},\ W^{(1)},\ \theta_{11},\ \phi_1",
      r"W^{(l)},\ W^{final}", r"W^{[k]}"),
    S("b^l", "biases of layer l", "$(n_l,)$", "04", "recursion-text",
      r"b^{(l)}", r"b^{(k)},\ b_{11}", r"\beta_{k-1},\ b^{(1)},\ \theta_{10},\ \phi_0",
      r"b^{(l)},\ b^{final}", r"b^{[k]}"),
    S("z^l", "pre-activation of layer l", "$(N, n_l)$", "04", "recursion-text",
      r"s^{(l)}", r"a^{(k)},\ a_1^{l1}", r"f_{k-1}", r"z^{(l)}", r"z,\ z^{[1]}"),
    S("h^l", "activation of layer l; $h^0 = x$", "$(N, n_l)$", "04", "recursion-text",
      r"h^{(l)}", r"h^{(k)},\ o_1^{l1}", r"h_k", r"a^{(l)}", r"a^{[k]}"),
    S(r"\varphi", "activation function, any", "", "03", "why-text",
      r"\phi", r"g,\ o,\ \sigma", r"a[\cdot],\ \phi,\ \sigma", r"\sigma", r"\sigma"),
    S(r"\sigma", "the sigmoid, nothing else", "", "03", "sigmoid-text",
      "", r"\sigma,\ g,\ \mathrm{sigm}", "", r"\mathrm{sigmoid}", r"g,\ \sigma"),
    # loss
    S(r"\ell", "loss of one sample", "one number", "00", "loss",
      "", r"l,\ \ell,\ J", r"\ell_i", r"\ell,\ \mathcal L", r"J^{(i)},\ \ell_{ce}"),
    S(r"L(\theta)", "loss of a data set: the mean, in some sources the sum; `loss` in code",
      "one number", "12", "six-text",
      r"L(\theta)", r"L(w)", r"L,\ L[\phi]", "", r"J(\theta)"),
    S(r"\Pr(y \mid x; \theta)", "the model's probability of y", "", "07", "dist-text",
      r"\Pr(y \mid x; \theta)", r"p(y = c \mid x)", r"\Pr(y \mid \theta)", r"p_\theta(y \mid x)",
      r"p(y \mid x; \theta)"),
    S("p", "probability of class 1 (Bernoulli)", "(N,)", "07", "nll-text",
      "", r"y,\ \sigma(f(x))", r"\lambda", "", r"h_\theta(x)"),
    S("z_k", "logits, what softmax takes", "(N, K)", "07", "softmax-text",
      "", r"z_i,\ b_k", r"z_k", r"z,\ f_\theta(x)_c", r"\bar h_\theta(x)_s"),
    S("p_k", "probability of class k", "(N, K)", "07", "softmax-text",
      "", r"\sigma(z)_i,\ f(x)_c,\ y_k", "", r"p_\theta(y = c \mid x)", r"P(y = j \mid x; \theta)"),
    S("e_y", "one-hot: 1 at class y, else 0", "(K,)", "07", "gradient-text",
      "", r"1_{(y=c)}", "", r"e_{y_i}", ""),
    S(r"\mathrm{KL}", r"divergence $\mathrm{KL}(q \Vert p)$: q the data, p the model", "one number",
      "08", "kl-text",
      "", "", r"KL[q][p],\ KL(q \mid p)", "", ""),
    S(r"\Omega", "regulariser, a price for parameters", "one number", "08", "risk-text",
      "", r"\Omega(\theta)", "", "", ""),
    S(r"\lambda", "strength of the regulariser", "", "08", "risk-text",
      "", r"\lambda", "", "", ""),
    # gradients and training
    S(r"\eta", "learning rate, `lr`", "", "00", "optimiser",
      r"\eta", r"\eta,\ \eta_t,\ \gamma,\ \alpha", r"\lambda,\ a", r"\alpha", r"\alpha"),
    S(r"\nabla_\theta", "gradient by the parameters", "as the parameter", "00", "optimiser",
      r"\nabla_\theta", r"\nabla_\theta,\ \nabla_w", r"\nabla_{\{\Phi\}}", r"\nabla_\theta",
      r"\nabla_\theta"),
    S(r"\Delta", "small step of a difference quotient", "", "09", "partial-text",
      r"\Delta x_i", r"h,\ \varepsilon", "", r"\epsilon", ""),
    S("J", "Jacobian, outputs as rows; Trieste and C182 write its transpose", "(m, n)", "09", "jacobian-text",
      r"J_f", "", r"\partial h_3 / \partial f_2", r"dy/dx", ""),
    S("dz", r"gradient of the loss by z; $\delta$ in columns", "as z", "10", "start-text",
      r"\delta^{(l)}", "", r"\partial\ell_i / \partial f_{k-1}",
      r"\nabla_{z^{(2)}}\ell,\ \gamma,\ \delta", ""),
    S("dW", "gradient of the loss by W", "as W", "10", "last-text",
      r"\partial L / \partial W^{(l)}", "", r"\partial\ell_i / \partial\Omega_{k-1}",
      r"\nabla_{W^{(l)}}\ell", ""),
    S(r"\odot", "element-wise product", "", "10", "hidden-text",
      r"\odot", "", r"\odot", "", ""),
    S("B", "number of samples in a batch", "", "12", "noise-text",
      "", "", "", "", r"B"),
    S(r"\mathcal B", "the batch, a set of indices", "", "12", "noise-text",
      "", "", r"B_t", "", r"j_1, \dots, j_B"),
    S(r"\mu", "momentum; its velocity is v", "", "12", "momentum-text"),
    # normalisation, convolution, residual blocks
    S(r"\hat\mu", "mean of one example's activations", "(N, 1)", "13", "lns-text",
      cs229=r"\hat\mu"),
    S(r"\hat\sigma", "their standard deviation", "(N, 1)", "13", "lns-text",
      cs229=r"\hat\sigma"),
    S(r"\gamma", "scale of layer norm, `weight`", "(m,)", "13", "parameters-text",
      cs229=r"\gamma"),
    S(r"\beta", "shift of layer norm, `bias`", "(m,)", "13", "parameters-text",
      cs229=r"\beta"),
    S("w", "kernel of a convolution", "(k,)", "14", "formula-text",
      trieste=r"w_j", cs229=r"w"),
    S("k", "kernel size", "", "14", "formula-text",
      trieste=r"k,\ K", cs229=r"k = 2\ell + 1"),
    S("p", "zeros added on each side, `padding`", "", "14", "padding-text",
      cs229=r"\ell"),
    S("s", "`stride`", "", "14", "stride-text"),
    S("d", "`dilation`, 1 = no gaps", "", "14", "stride-text"),
    S("C", "input channels; output channels are C′", "", "14", "tensor-text",
      trieste=r"C_i,\ C_o", cs229=r"C,\ C'"),
    S("Q", "a convolution as a matrix", "(m, n)", "14", "tensor-text",
      cs229=r"Q"),
    S("R_l", "receptive field after layer l", "", "14", "field-text"),
    S(r"\mathcal F", "what a residual block adds to its input", "as x", "16", "block-text",
      ai335=r"\mathcal F", cs229=r"\sigma(\mathrm{MM}(\sigma(\mathrm{MM}(z))))"),
)
# fmt: on
