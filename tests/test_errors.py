"""Bad input: every message names the op, the argument, what came, and a fix; the fix is applied and works.

A row reads: the call that fails, the error, what the message must say, the fix it must quote, and code in
which that quoted fix stands and which runs. Messages are wrapped by nothing: what the learner sees is judged.
"""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F

SETUP = {"nn": nn, "F": F, "np": np}


@dataclass(frozen=True)
class Bad:
    op: str  # with which the message begins
    fails: str  # code: statements, the last of which raises
    error: type[Exception]
    says: tuple[str, ...]  # the offending argument and its actual value
    quotes: str  # the fix, as the message spells it …
    works: str  # … and code that applies it and runs


ROWS: list[Bad] = []


def bad(op: str, fails: str, error: type[Exception], says: str, quotes: str, works: str) -> None:
    """Add a row; ``says`` separates fragments by |."""
    ROWS.append(Bad(op, fails, error, tuple(says.split("|")), quotes, works))


# making tensors
bad("tensor", "nn.tensor([[1.0], [1.0, 2.0]])", ValueError, "rows|[1, 2]", "Pad the shorter rows",
    "nn.tensor([[1.0, 0.0], [1.0, 2.0]])  # Pad the shorter rows")  # fmt: skip
bad("tensor", "nn.tensor(['1', '2'])", TypeError, "elements|['1', '2']", "float(",
    "nn.tensor([float('1'), float('2')])")  # fmt: skip
bad("tensor", "nn.tensor(1 + 2j)", TypeError, "complex128|(1+2j)", "float(", "nn.tensor(float(1))")
bad("tensor", "nn.tensor([1, 2], requires_grad=True)", TypeError, "floating-point|int64", "nn.tensor(1.0)",
    "nn.tensor(1.0).requires_grad_()")  # fmt: skip
bad("tensor", "nn.tensor(1.0, dtype='float33')", TypeError, "dtype|'float33'", "nn.float32",
    "nn.tensor(1.0, dtype=nn.float32)")  # fmt: skip
bad("requires_grad_", "nn.arange(3).requires_grad_()", TypeError, "int64", "t.float()",
    "t = nn.arange(3); t.float().requires_grad_()")  # fmt: skip
bad("from_numpy", "nn.from_numpy([1.0, 2.0])", TypeError, "NumPy array|list", "nn.tensor", "nn.tensor([1.0, 2.0])")
bad("from_numpy", "nn.from_numpy(np.array(['1']))", TypeError, "numbers|<U1", "array.astype(float)",
    "array = np.array(['1']); nn.from_numpy(array.astype(float))")  # fmt: skip
bad("zeros", "nn.zeros(2, -3)", ValueError, "lengths|-3|(2, -3)", "zeros(2, 1)", "nn.zeros(2, 1)")
bad("ones", "nn.ones(2.5)", TypeError, "lengths|2.5", "ones(1)", "nn.ones(1)")
bad("randn", "nn.randn((2, -1))", ValueError, "lengths|-1", "randn(2, 1)", "nn.randn(2, 1)")
bad("eye", "nn.eye(-2)", ValueError, "lengths|-2", "eye(1, 1)", "nn.eye(1, 1)")
bad("arange", "nn.arange(0, 3, 0)", ValueError, "step|got 0", "step=1", "nn.arange(0, 3, step=1)")
bad("linspace", "nn.linspace(0, 1, -1)", ValueError, "steps|-1", "steps=2",
    "nn.linspace(0, 1, steps=2)")  # fmt: skip
bad("randint", "nn.randint(3, 3, (2,))", ValueError, "high|3 and 3", "randint(3, 4, size)",
    "size = (2,); nn.randint(3, 4, size)")  # fmt: skip
bad("randperm", "nn.randperm(-1)", ValueError, "-1", "randperm(1)", "nn.randperm(1)")
bad("set_default_dtype", "nn.set_default_dtype(nn.int64)", TypeError, "dtype|int64", "nn.float32",
    "nn.set_default_dtype(nn.float32)")  # fmt: skip
bad("manual_seed", "nn.manual_seed(-1)", ValueError, "seed|-1", "manual_seed(0)", "nn.manual_seed(0)")
bad("manual_seed", "nn.manual_seed(1.5)", ValueError, "seed|1.5", "manual_seed(0)", "nn.manual_seed(0)")

# settings that only Python or NumPy would complain about
bad("randint", "nn.randint(0, 5, 'a')", TypeError, "size='a'", "size", "nn.randint(0, 5, size=(2,))")
bad("full", "nn.full(None, 1)", TypeError, "size=None", "size", "nn.full(size=(2,), fill_value=1)")
bad("full_like", "nn.full_like(nn.zeros(2), 'a')", ValueError, "fill_value='a'", "fill_value",
    "nn.full_like(nn.zeros(2), fill_value=1)")  # fmt: skip
bad("roll", "nn.roll(nn.zeros(3), 'a')", TypeError, "shifts='a'", "shifts", "nn.roll(nn.zeros(3), shifts=1)")
bad("reshape", "nn.zeros(3).reshape(None)", TypeError, "shape=(None,)", "shape", "nn.zeros(3).reshape((3,))  # shape")
bad("layer_norm", "F.layer_norm(nn.zeros(3), np.ones(2))", ValueError, "normalized_shape=array([1., 1.])",
    "normalized_shape",  # fmt: skip
    "F.layer_norm(nn.zeros(3), normalized_shape=3)")  # fmt: skip

# arithmetic
bad("add", "x, y = nn.zeros(2, 3), nn.zeros(2); x + y", ValueError, "(2, 3) and (2,)|from the right", "unsqueeze",
    "x, y = nn.zeros(2, 3), nn.zeros(2); x + y.unsqueeze(1)")  # fmt: skip
bad("mul", "nn.zeros(2) * [1, 2]", TypeError, "other|list", "nn.tensor(other)",
    "other = [1, 2]; nn.zeros(2) * nn.tensor(other)")  # fmt: skip
bad("add", "nn.add(1, 2)", TypeError, "input|int", "nn.tensor(input)", "input = 1; nn.add(nn.tensor(input), 2)")
bad("exp", "nn.exp([1.0])", TypeError, "input|list", "nn.tensor(input)", "input = [1.0]; nn.exp(nn.tensor(input))")
bad("sum", "nn.zeros(2).sum(axes=0)", TypeError, "'axes'", "dim", "nn.zeros(2).sum(dim=0)")
bad("norm", "x = nn.ones(3); x.norm(1)", ValueError, "p must be 2|got 1", "x.abs().sum(dim)",
    "x, dim = nn.ones(3), 0; x.abs().sum(dim)")  # fmt: skip
bad("flip", "nn.flip(nn.ones(2, 2), 0, 1)", TypeError, "too many", "it takes input, dims",
    "nn.flip(nn.ones(2, 2), dims=(0, 1))  # it takes input, dims")  # fmt: skip
bad("topk", "nn.topk(nn.zeros(3), 4)", ValueError, "0…3 along dim -1|got 4", "k=1", "nn.topk(nn.zeros(3), k=1)")
bad("meshgrid", "nn.meshgrid(nn.zeros(2), indexing='yx')", ValueError, "indexing|'yx'", "indexing='ij'",
    "nn.meshgrid(nn.zeros(2), indexing='ij')")  # fmt: skip
bad("exp", "nn.exp(nn.zeros(2), 3)", TypeError, "too many", "it takes input", "nn.exp(nn.zeros(2))  # it takes input")
bad("pow", "nn.tensor([1, 2]) ** -1", ValueError, "integers", "x.float() ** p",
    "x, p = nn.tensor([1, 2]), -1; x.float() ** p")  # fmt: skip
bad("clamp", "nn.clamp(nn.zeros(3))", ValueError, "min and max|neither", "clamp(x, min=0)",
    "x = nn.zeros(3); nn.clamp(x, min=0)")  # fmt: skip
bad("lt", "nn.zeros(2) < nn.zeros(3)", ValueError, "(2,) and (3,)", "reshape",
    "nn.zeros(2).reshape(2, 1) < nn.zeros(3)")  # fmt: skip
bad("lt", "nn.zeros(2) < 'a'", TypeError, "other|'a'", "nn.tensor(", "nn.zeros(2) < nn.tensor(1.0)")
bad("allclose", "nn.allclose(nn.zeros(2), [0, 0])", TypeError, "other|list", "nn.tensor(other)",
    "other = [0.0, 0.0]; nn.allclose(nn.zeros(2), nn.tensor(other))")  # fmt: skip

# products
bad("matmul", "nn.zeros(2, 3) @ nn.zeros(2, 3)", ValueError, "(2, 3) @ (2, 3)", ".T",
    "nn.zeros(2, 3) @ nn.zeros(2, 3).T")  # fmt: skip
bad("matmul", "nn.tensor(2.0) @ nn.zeros(2)", ValueError, "()|(2,)", "x * y",
    "x, y = nn.tensor(2.0), nn.zeros(2); x * y")  # fmt: skip
bad("matmul", "nn.ones(2, 2) @ nn.ones(2, 2, dtype=nn.float64)", TypeError, "float32 and float64", "t.double()",
    "t = nn.ones(2, 2); t.double() @ nn.ones(2, 2, dtype=nn.float64)")  # fmt: skip
bad("einsum", "nn.einsum('ij,jk->ik', nn.zeros(2, 3), nn.zeros(4, 5))", ValueError, "'j'|3 and 4", "equal lengths",
    "nn.einsum('ij,jk->ik', nn.zeros(2, 3), nn.zeros(3, 5))  # equal lengths")  # fmt: skip
bad("einsum", "nn.einsum('ij->ik', nn.zeros(2, 2))", ValueError, "'ik'", "letters of 'ij'",
    "nn.einsum('ij->ji', nn.zeros(2, 2))  # letters of 'ij'")  # fmt: skip
bad("einsum", "nn.einsum('ijk->i', nn.zeros(2, 2))", ValueError, "'ijk'|(2, 2)", "one letter per axis",
    "nn.einsum('ij->i', nn.zeros(2, 2))  # one letter per axis")  # fmt: skip
bad("einsum", "nn.einsum('ii->i', nn.zeros(2, 2))", ValueError, "'ii->i'", "diagonal()",
    "nn.zeros(2, 2).diagonal()")  # fmt: skip
bad("outer", "x = nn.zeros(2, 2); nn.outer(x, nn.zeros(3))", ValueError, "(2, 2) and (3,)", "x.flatten()",
    "x = nn.zeros(2, 2); nn.outer(x.flatten(), nn.zeros(3))")  # fmt: skip
bad("linear", "x = nn.zeros(5, 3); F.linear(x, nn.zeros(2, 4))", ValueError, "(2, 4)|(5, 3)", "in_features=3",
    "nn.Linear(in_features=3, out_features=2)(nn.zeros(5, 3))")  # fmt: skip
bad("linear", "x = nn.zeros(64, 1, 28, 28); nn.Linear(784, 10)(x)", ValueError, "(10, 784)|(64, 1, 28, 28)",
    "x.reshape(len(x), -1)", "x = nn.zeros(64, 1, 28, 28); nn.Linear(784, 10)(x.reshape(len(x), -1))")  # fmt: skip
bad("linear", "F.linear(nn.zeros(5, 3), nn.zeros(2, 3), nn.zeros(3))", ValueError, "bias|(2,)|(3,)",
    "nn.zeros(2,)",  # fmt: skip
    "F.linear(nn.zeros(5, 3), nn.zeros(2, 3), nn.zeros(2,))")  # fmt: skip
bad("linear", "nn.Linear(2, 1)(nn.zeros(4, 2, dtype=nn.float64))", TypeError, "float32 and float64", "t.float()",
    "t = nn.zeros(4, 2, dtype=nn.float64); nn.Linear(2, 1)(t.float())")  # fmt: skip

# reductions
bad("sum", "nn.zeros(2, 3).sum(dim=2)", ValueError, "dim 2|(2, 3)", "dim=-1", "nn.zeros(2, 3).sum(dim=-1)")
bad("sum", "nn.zeros(2, 3).sum(dim='rows')", TypeError, "dim|'rows'", "dim=0", "nn.zeros(2, 3).sum(dim=0)")
bad("sum", "nn.zeros(2, 3).sum(dim=(0, -2))", ValueError, "(0, -2)|twice", "each axis once",
    "nn.zeros(2, 3).sum(dim=(0, 1))  # each axis once")  # fmt: skip
bad("mean", "x = nn.tensor([1, 2]); x.mean()", TypeError, "int64", "x.float().mean()",
    "x = nn.tensor([1, 2]); x.float().mean()")  # fmt: skip
bad("amax", "nn.zeros(0, 3).amax()", ValueError, "(0, 3)|no elements", "Check the slice",
    "nn.zeros(1, 3)[:1].amax()  # Check the slice")  # fmt: skip
bad("argmax", "nn.zeros(2, 3).argmax(5)", ValueError, "dim 5|(2, 3)", "dim=-1", "nn.zeros(2, 3).argmax(dim=-1)")
bad("argmin", "nn.zeros(0).argmin()", ValueError, "(0,)", "Check the slice",
    "nn.zeros(1)[:1].argmin()  # Check the slice")  # fmt: skip
bad("argsort", "nn.zeros(3).argsort(1)", ValueError, "dim 1|(3,)", "dim=-1", "nn.zeros(3).argsort(dim=-1)")
bad("prod", "x = nn.ones(2, 3); x.prod((0, 1))", TypeError, "dim|(0, 1)", "x.prod(0)",
    "x = nn.ones(2, 3); x.prod(0).prod(0)")  # fmt: skip
bad("argmax", "nn.argmax([1, 2])", TypeError, "input|list", "nn.tensor(input)",
    "input = [1, 2]; nn.argmax(nn.tensor(input))")  # fmt: skip

# shapes
bad("reshape", "nn.zeros(2, 3).reshape(4, 2)", ValueError, "(2, 3)|6 elements|(4, 2)", "-1",
    "nn.zeros(2, 3).reshape(-1, 2)")  # fmt: skip
bad("reshape", "nn.zeros(2, 3).reshape(-1, -1)", ValueError, "(-1, -1)", "-1 for one axis",
    "nn.zeros(2, 3).reshape(-1, 3)  # -1 for one axis")  # fmt: skip
bad("flatten", "nn.zeros(2, 3).flatten(1, 0)", ValueError, "start_dim 1|end_dim 0", "flatten(0, 1)",
    "nn.zeros(2, 3).flatten(0, 1)")  # fmt: skip
bad("unsqueeze", "nn.zeros(3).unsqueeze(4)", ValueError, "dim 4|(3,)", "dim=-1", "nn.zeros(3).unsqueeze(dim=-1)")
bad("permute", "nn.zeros(2, 3, 4).permute(1, 0)", ValueError, "(1, 0)|(2, 3, 4)", "transpose(0, 1)",
    "nn.zeros(2, 3, 4).transpose(0, 1)")  # fmt: skip
bad("transpose", "nn.zeros(3).transpose(0, 1)", ValueError, "dim 1|(3,)", "dim=-1",
    "nn.zeros(3).unsqueeze(dim=-1).transpose(0, 1)")  # fmt: skip
bad("expand", "nn.zeros(2, 3).expand(4, 3)", ValueError, "(2, 3)|(4, 3)", "repeat", "nn.zeros(2, 3).repeat(2, 1)")
bad("broadcast_to", "nn.broadcast_to(nn.zeros(2), (2, 3))", ValueError, "(2,)|(2, 3)", "unsqueeze",
    "nn.broadcast_to(nn.zeros(2).unsqueeze(1), (2, 3))")  # fmt: skip
bad("cat", "nn.cat([nn.zeros(2), nn.zeros(2, 2)])", ValueError, "tensor 1|(2, 2)|(2,)", "stack",
    "nn.stack([nn.zeros(2), nn.zeros(2)])")  # fmt: skip
bad("cat", "nn.cat([nn.tensor(1.0), nn.tensor(2.0)])", TypeError, "tensors|0-d", "stack([",
    "nn.stack([nn.tensor(1.0), nn.tensor(2.0)])")  # fmt: skip
bad("cat", "nn.cat([])", ValueError, "tensors|[]", "Check the list", "nn.cat([nn.zeros(1)])  # Check the list")
bad("cat", "nn.cat([nn.zeros(1), 3.0])", TypeError, "tensors|float", "nn.tensor(",
    "nn.cat([nn.zeros(1), nn.tensor([3.0])])")  # fmt: skip
bad("stack", "nn.stack([nn.zeros(2), nn.zeros(3)])", ValueError, "tensor 1|(3,)|(2,)", "cat",
    "nn.cat([nn.zeros(2), nn.zeros(3)])")  # fmt: skip
bad("split", "t = nn.zeros(5); nn.split(t, 0)", ValueError, "size|0", "split_size_or_sections=1",
    "t = nn.zeros(5); nn.split(t, split_size_or_sections=1)")  # fmt: skip
bad("split", "t = nn.zeros(5); nn.split(t, [2, 2])", ValueError, "[2, 2]|5", "split(t, size)",
    "t, size = nn.zeros(5), 2; nn.split(t, size)")  # fmt: skip
bad("chunk", "t = nn.zeros(5); nn.chunk(t, 0)", ValueError, "chunks|0", "chunks=2",
    "t = nn.zeros(5); nn.chunk(t, chunks=2)")  # fmt: skip
bad("roll", "nn.roll(nn.zeros(2, 2), (1, 2), 0)", ValueError, "(1, 2)|dims 0", "one shift per axis",
    "nn.roll(nn.zeros(2, 2), (1, 2), (0, 1))  # one shift per axis")  # fmt: skip
bad("repeat", "nn.zeros(2, 3).repeat(2)", ValueError, "(2, 3)|(2,)", "repeat(1, 2)", "nn.zeros(2, 3).repeat(1, 2)")
bad("diagonal", "x = nn.zeros(4, 3, 3); x.diagonal()", ValueError, "(4, 3, 3)", "x[0]",
    "x = nn.zeros(4, 3, 3); x[0].diagonal()")  # fmt: skip
bad("tril", "x = nn.zeros(3); x.tril()", ValueError, "(3,)", "x.reshape(1, -1)",
    "x = nn.zeros(3); x.reshape(1, -1).tril()")  # fmt: skip

# choosing
bad("getitem", "nn.zeros(3)[5]", IndexError, "index 5|(3,)", "Check the index",
    "nn.zeros(3)[2]  # Check the index")  # fmt: skip
bad("getitem", "i = nn.tensor([0.0]); nn.zeros(3)[i]", IndexError, "integer|(3,)", ".long()",
    "i = nn.tensor([0.0]); nn.zeros(3)[i.long()]")  # fmt: skip
bad("where", "x = nn.zeros(2); nn.where(x, 1.0, x)", TypeError, "condition|float32", "x > 0",
    "x = nn.zeros(2); nn.where(x > 0, 1.0, x)")  # fmt: skip
bad("masked_fill", "x = nn.zeros(2); x.masked_fill(x, 1.0)", TypeError, "mask|float32", "x > 0",
    "x = nn.zeros(2); x.masked_fill(x > 0, 1.0)")  # fmt: skip
bad("masked_select", "x = nn.zeros(2); x.masked_select([True, False])", TypeError, "mask|list", "x > 0",
    "x = nn.zeros(2); x.masked_select(x > 0)")  # fmt: skip
bad("gather", "nn.zeros(2, 3).gather(1, nn.tensor([[3]]))", IndexError, "index|0…2|3", "index.clamp(",
    "index = nn.tensor([[3]]); nn.zeros(2, 3).gather(1, index.clamp(0, 2))")  # fmt: skip
bad("gather", "nn.zeros(2, 3).gather(1, nn.tensor([[0.0]]))", ValueError, "index|float32", "index.long()",
    "index = nn.tensor([[0.0]]); nn.zeros(2, 3).gather(1, index.long())")  # fmt: skip

# leaving the tensor
bad("bool", "bool(nn.zeros(2))", ValueError, "(2,)", ".any()", "bool(nn.zeros(2).any())")
bad("len", "t = nn.tensor(1.0); len(t)", TypeError, "0-d", "t.item()", "t = nn.tensor(1.0); t.item()")
bad("item", "nn.zeros(2).item()", ValueError, "(2,)", "tolist()", "nn.zeros(2).tolist()")
bad("index", "t = nn.tensor(1.0); [1, 2][t]", TypeError, "float32", "t.long()",
    "t = nn.tensor(1.0); [1, 2][t.long()]")  # fmt: skip
bad("to", "nn.zeros(2).to('gpu')", TypeError, "'gpu'|device", "nn.float32", "nn.zeros(2).to(nn.float32)")
if not nn.cuda.is_available():
    bad("to", "nn.zeros(2).to('cuda')", RuntimeError, "'cuda'", "'cpu'", "nn.zeros(2).to('cpu')")
bad("numpy", "t = nn.zeros(2, requires_grad=True); t.numpy()", RuntimeError, "graph", "t.detach().numpy()",
    "t = nn.zeros(2, requires_grad=True); t.detach().numpy()")  # fmt: skip

# gradients and changes in place
bad("backward", "(nn.ones(2, requires_grad=True) * 2).backward()", RuntimeError, "one number|(2,)", ".sum()",
    "(nn.ones(2, requires_grad=True) * 2).sum().backward()")  # fmt: skip
bad("backward", "nn.zeros(1).backward()", RuntimeError, "requires_grad", "requires_grad=True",
    "nn.zeros(1, requires_grad=True).backward()")  # fmt: skip
bad("backward", "(nn.ones(2, requires_grad=True) * 2).backward(np.ones(3))", ValueError, "gradient|(2,)|(3,)",
    "(2,)",  # fmt: skip
    "(nn.ones(2, requires_grad=True) * 2).backward(np.ones((2,)))")  # fmt: skip
bad("backward", "y = nn.ones(1, requires_grad=True) * 2; y.backward(); y.backward()", RuntimeError, "freed|mul",
    "backward(retain_graph=True)",
    "y = nn.ones(1, requires_grad=True) * 2; y.backward(retain_graph=True); y.backward()")  # fmt: skip
bad("backward", "w = nn.Parameter(nn.ones(1)); y = w * w; w.data = w.data + 1; y.backward()", RuntimeError,
    "mul|changed in place", "call backward() before",
    "w = nn.Parameter(nn.ones(1)); y = w * w; y.backward(); w.data = w.data + 1  # call backward() before")  # fmt: skip
bad("x += y", "x = nn.zeros(2, requires_grad=True); x += 1", RuntimeError, "in place|graph", "x = x + y",
    "y = 1; x = nn.zeros(2, requires_grad=True); x = x + y")  # fmt: skip
bad("x += y", "x = nn.zeros(2); x += nn.zeros(3)", ValueError, "(3,)|(2,)", "broadcasts",
    "x = nn.zeros(2); x += nn.zeros(1)  # broadcasts")  # fmt: skip
bad("x += y", "x = nn.arange(2); x += 0.5", TypeError, "0.5|int64", "x = x + y",
    "x, y = nn.arange(2), 0.5; x = x + y")  # fmt: skip
bad("t[i] = v", "x = nn.zeros(2); x[5] = 1.0", IndexError, "index 5|(2,)", "shape (2,)",
    "x = nn.zeros(2); x[1] = 1.0  # shape (2,)")  # fmt: skip
bad("t[i] = v", "x = nn.zeros(2, requires_grad=True); x[0] = 1.0", RuntimeError, "in place", "nn.no_grad()",
    "x = nn.zeros(2, requires_grad=True)\nwith nn.no_grad():\n    x[0] = 1.0")  # fmt: skip

# functions of networks
bad("softmax", "F.softmax(nn.zeros(2, 3))", TypeError, "dim|None", "dim=-1", "F.softmax(nn.zeros(2, 3), dim=-1)")
bad("log_softmax", "F.log_softmax(nn.zeros(2, 3), 2)", ValueError, "dim 2|(2, 3)", "dim=-1",
    "F.log_softmax(nn.zeros(2, 3), dim=-1)")  # fmt: skip
bad("softplus", "x = nn.zeros(2); F.softplus(x, beta=0)", ValueError, "beta|0", "softplus(-x)",
    "x = nn.zeros(2); F.softplus(-x)")  # fmt: skip
bad("gelu", "F.gelu(nn.zeros(2), 'exact')", ValueError, "approximate|'exact'", "approximate='tanh'",
    "F.gelu(nn.zeros(2), approximate='tanh')")  # fmt: skip
bad("maxout", "F.maxout(nn.zeros(2, 5), 2)", ValueError, "(2, 5)|pieces=2", "Linear(in, out * 2)",
    "F.maxout(nn.Linear(5, 3 * 2)(nn.zeros(2, 5)), 2)  # Linear(in, out * 2)")  # fmt: skip
bad("dropout", "F.dropout(nn.zeros(2), 1.5)", ValueError, "p |1.5", "p=0.5", "F.dropout(nn.zeros(2), p=0.5)")
bad("dropout", "F.dropout(nn.zeros(2), 'half')", ValueError, "p |'half'", "p=0.5", "F.dropout(nn.zeros(2), p=0.5)")
bad("one_hot", "F.one_hot(nn.tensor([0, 3]), 3)", ValueError, "0…2|got 3|position 1", "start at 0",
    "F.one_hot(nn.tensor([0, 3]) - 1 + 1, 4)  # Labels start at 0")  # fmt: skip
bad("one_hot", "target = nn.tensor([0.0]); F.one_hot(target)", TypeError, "integers|float32", "target.long()",
    "target = nn.tensor([0.0]); F.one_hot(target.long())")  # fmt: skip

# losses
_8 = "input, target = nn.zeros(8, 1), nn.ones(8); "
bad("mse_loss", _8 + "F.mse_loss(input, target)", ValueError, "(8, 1)|(8,)", "target.reshape(8, 1)",
    _8 + "F.mse_loss(input, target.reshape(8, 1))")  # fmt: skip
bad("l1_loss", _8 + "F.l1_loss(input, target)", ValueError, "(8, 1)|(8,)", "input.squeeze()",
    _8 + "F.l1_loss(input.squeeze(), target)")  # fmt: skip
bad("mse_loss", "target = [0.0]; F.mse_loss(nn.zeros(1), target)", TypeError, "target|list", "nn.tensor(target)",
    "target = [0.0]; F.mse_loss(nn.zeros(1), nn.tensor(target))")  # fmt: skip
bad("mse_loss", "F.mse_loss(nn.zeros(1), nn.zeros(1), 'avg')", ValueError, "reduction|'avg'", "reduction='mean'",
    "F.mse_loss(nn.zeros(1), nn.zeros(1), reduction='mean')")  # fmt: skip
_ce = "input, target = nn.zeros(2, 3), nn.tensor([1, 3]); "
bad("cross_entropy", _ce + "F.cross_entropy(input, target)", ValueError, "target|0…2|got 3|position 1",
    "start at 0",  # fmt: skip
    _ce + "F.cross_entropy(input, target - 1)  # Labels start at 0")  # fmt: skip
bad("cross_entropy", "F.cross_entropy(nn.zeros(2, 3), nn.tensor([[0], [1]]))", ValueError, "(2, 3)|(2,)|(2, 1)",
    "target.reshape(-1)",
    "target = nn.tensor([[0], [1]]); F.cross_entropy(nn.zeros(2, 3), target.reshape(-1))")  # fmt: skip
bad("cross_entropy",
    "target = F.one_hot(nn.tensor([0, 1]), 3); F.cross_entropy(nn.zeros(2, 3), target)", ValueError,  # fmt: skip
    "(2, 3)|(2,)", "target.argmax(1)",
    "target = F.one_hot(nn.tensor([0, 1]), 3); F.cross_entropy(nn.zeros(2, 3), target.argmax(1))")  # fmt: skip
bad("cross_entropy", "F.cross_entropy(nn.zeros(2, 3), nn.tensor([0.0, 1.0]))", ValueError, "target|(2, 3)|(2,)",
    "target.long()", "target = nn.tensor([0.0, 1.0]); F.cross_entropy(nn.zeros(2, 3), target.long())")  # fmt: skip
bad("cross_entropy", "F.cross_entropy(nn.arange(3).reshape(1, 3), nn.tensor([0]))", TypeError, "input|int64",
    "input.float()", "input = nn.arange(3).reshape(1, 3); F.cross_entropy(input.float(), nn.tensor([0]))")  # fmt: skip
bad("cross_entropy", "F.cross_entropy(nn.zeros(2, 3), nn.tensor([0, 1]), weight=nn.ones(2))", ValueError,
    "weight|(3,)|(2,)", "nn.ones(3,)",
    "F.cross_entropy(nn.zeros(2, 3), nn.tensor([0, 1]), weight=nn.ones(3,))")  # fmt: skip
bad("cross_entropy", "F.cross_entropy(nn.zeros(1, 3), nn.tensor([0]), label_smoothing=2)", ValueError,
    "label_smoothing|2", "0.1", "F.cross_entropy(nn.zeros(1, 3), nn.tensor([0]), label_smoothing=0.1)")  # fmt: skip
bad("nll_loss", "F.nll_loss(nn.zeros(1, 3), nn.tensor([-1]))", ValueError, "target|0…2|got -1", "start at 0",
    "F.nll_loss(nn.zeros(1, 3), nn.tensor([0]))  # Labels start at 0")  # fmt: skip
bad("binary_cross_entropy", "F.binary_cross_entropy(nn.tensor([1.5]), nn.ones(1))", ValueError, "input|1.5",
    "binary_cross_entropy_with_logits", "F.binary_cross_entropy_with_logits(nn.tensor([1.5]), nn.ones(1))")  # fmt: skip
bad("binary_cross_entropy_with_logits",
    "F.binary_cross_entropy_with_logits(nn.zeros(1), nn.tensor([-1.0]))", ValueError,  # fmt: skip
    "target|-1", "(target > 0).float()",
    "target = nn.tensor([-1.0]); F.binary_cross_entropy_with_logits(nn.zeros(1), (target > 0).float())")  # fmt: skip
bad("hinge_loss", "F.hinge_loss(nn.zeros(2), nn.tensor([0.0, 1.0]))", ValueError, "target|0…1", "2 * target - 1",
    "target = nn.tensor([0.0, 1.0]); F.hinge_loss(nn.zeros(2), 2 * target - 1)")  # fmt: skip
bad("multi_margin_loss", "F.multi_margin_loss(nn.zeros(1, 3), nn.tensor([3]))", ValueError, "target|0…2|got 3",
    "start at 0",  # fmt: skip
    "F.multi_margin_loss(nn.zeros(1, 3), nn.tensor([2]))  # Labels start at 0")  # fmt: skip
bad("kl_div", "F.kl_div(nn.zeros(2), nn.ones(2, 1))", ValueError, "(2,)|(2, 1)", "target.reshape(2)",
    "target = nn.ones(2, 1); F.kl_div(nn.zeros(2), target.reshape(2))")  # fmt: skip
bad("MSELoss", "nn.MSELoss(reduction='avg')", ValueError, "reduction|'avg'", "reduction='mean'",
    "nn.MSELoss(reduction='mean')")  # fmt: skip
bad("MSELoss", "nn.MSELoss(size_average=True)", TypeError, "'size_average'", "reduction=",
    "nn.MSELoss(reduction='mean')")  # fmt: skip

# convolution, pooling, normalisation
_x = "x = nn.zeros(64, 28, 28); "
bad("conv2d", _x + "F.conv2d(x, nn.zeros(8, 1, 5, 5))", ValueError, "(8, 1, 5, 5)|(64, 28, 28)",
    "x.reshape(64, 1, 28, 28)", _x + "F.conv2d(x.reshape(64, 1, 28, 28), nn.zeros(8, 1, 5, 5))")  # fmt: skip
bad("conv2d", "F.conv2d(nn.zeros(1, 1, 3, 3), nn.zeros(8, 1, 5, 5))", ValueError, "kernel (5, 5)|(3, 3)",
    "padding=2",  # fmt: skip
    "F.conv2d(nn.zeros(1, 1, 3, 3), nn.zeros(8, 1, 5, 5), padding=2)")  # fmt: skip
bad("conv2d", "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), stride=0)", ValueError, "stride|0", "stride=1",
    "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), stride=1)")  # fmt: skip
bad("conv2d", "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), padding=-1)", ValueError, "padding|-1",
    "padding=1",  # fmt: skip
    "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), padding=1)")  # fmt: skip
bad("conv2d", "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), stride=2, padding='same')", ValueError,
    "'same'|2", "padding=2", "F.conv2d(nn.zeros(1, 1, 8, 8), nn.zeros(8, 1, 5, 5), stride=2, padding=2)")  # fmt: skip
bad("max_pool2d", "F.max_pool2d(nn.zeros(1, 1, 4, 4), 5)", ValueError, "kernel_size=5|(1, 1, 4, 4)",
    "kernel_size=4",  # fmt: skip
    "F.max_pool2d(nn.zeros(1, 1, 4, 4), kernel_size=4)")  # fmt: skip
bad("max_pool2d", "F.max_pool2d(nn.zeros(1, 1, 4, 4), 2, padding=2)", ValueError, "padding=2|kernel_size=2",
    "padding=1",  # fmt: skip
    "F.max_pool2d(nn.zeros(1, 1, 4, 4), 2, padding=1)")  # fmt: skip
bad("batch_norm", "F.batch_norm(nn.zeros(1, 3), nn.zeros(3), nn.ones(3), training=True)", ValueError,
    "(1, 3)|variance",  # fmt: skip
    "model.eval()", "model = nn.BatchNorm1d(3); model.eval()(nn.zeros(1, 3))")  # fmt: skip
bad("layer_norm", "F.layer_norm(nn.zeros(2, 3), (4,))", ValueError, "normalized_shape|(4,)|(2, 3)",
    "normalized_shape=(3,)",  # fmt: skip
    "F.layer_norm(nn.zeros(2, 3), normalized_shape=(3,))")  # fmt: skip

# modules and layers
bad("Linear", "nn.Linear(0, 3)", ValueError, "in_features|0", "in_features=1",
    "nn.Linear(in_features=1, out_features=3)")  # fmt: skip
bad("Linear", "nn.Linear(3, 2.5)", ValueError, "out_features|2.5", "out_features=2",
    "nn.Linear(3, out_features=2)")  # fmt: skip
bad("Dropout", "nn.Dropout(-0.1)", ValueError, "p |-0.1", "p=0.5", "nn.Dropout(p=0.5)")
bad("ReLU", "nn.ReLU(3)", TypeError, "settings|3", "nn.ReLU()", "nn.ReLU()")
bad("LeakyReLU", "nn.LeakyReLU(slope=0.1)", TypeError, "slope", "negative_slope=",
    "nn.LeakyReLU(negative_slope=0.1)")  # fmt: skip
bad("softmax", "nn.Softmax()(nn.zeros(2, 3))", TypeError, "dim|None", "dim=-1",
    "nn.Softmax(dim=-1)(nn.zeros(2, 3))")  # fmt: skip
bad("Sequential", "nn.Sequential(nn.ReLU)", TypeError, "entry 0|type", "nn.ReLU()", "nn.Sequential(nn.ReLU())")
bad("Sequential[1] linear", "nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3))(nn.zeros(1, 2))", ValueError,
    "(3, 2)|(1, 3)", "in_features=3",
    "nn.Sequential(nn.Linear(2, 3), nn.Linear(in_features=3, out_features=3))(nn.zeros(1, 2))")  # fmt: skip
bad("ModuleList", "nn.ModuleList([F.relu])", TypeError, "entry 0|function", "nn.ReLU()",
    "nn.ModuleList([nn.ReLU()])")  # fmt: skip
bad("Module.layers", "m = nn.Module(); m.layers = [nn.ReLU()]", TypeError, "plain list|1 Modules",
    "nn.ModuleList([",  # fmt: skip
    "m = nn.Module(); m.layers = nn.ModuleList([nn.ReLU()])")  # fmt: skip
bad("Linear.weight", "m = nn.Linear(2, 2); m.weight = nn.zeros(2, 2)", TypeError, "Parameter|Tensor",
    "nn.Parameter(",  # fmt: skip
    "m = nn.Linear(2, 2); m.weight = nn.Parameter(nn.zeros(2, 2))")  # fmt: skip
bad("Parameter", "nn.Parameter(nn.arange(3))", TypeError, "int64", "t.float()",
    "t = nn.arange(3); nn.Parameter(t.float())")  # fmt: skip
bad("register_parameter", "nn.Module().register_parameter('w', 3)", TypeError, "w |int", "nn.Parameter(",
    "nn.Module().register_parameter('w', nn.Parameter(nn.zeros(1)))")  # fmt: skip
bad("load_state_dict", "nn.Linear(2, 2).load_state_dict({'weight': np.zeros((3, 2))})", ValueError,
    "weight: expected shape (2, 2), got (3, 2)|bias: missing", "strict=False",
    "nn.Linear(2, 2).load_state_dict({'weight': np.zeros((2, 2))}, strict=False)")  # fmt: skip
bad("load_state_dict", "nn.Linear(2, 2).load_state_dict([1])", TypeError, "dict|list", "model.state_dict()",
    "model = nn.Linear(2, 2); model.load_state_dict(model.state_dict())")  # fmt: skip
bad("to", "nn.Linear(2, 2).to(nn.int64)", TypeError, "int64", "nn.float32", "nn.Linear(2, 2).to(nn.float32)")
bad("uniform_", "tensor = nn.zeros(2); nn.init.uniform_(tensor, 1, 0)", ValueError, "a=1|b=0",
    "uniform_(tensor, 0, 1)",  # fmt: skip
    "tensor = nn.zeros(2); nn.init.uniform_(tensor, 0, 1)")  # fmt: skip
bad("normal_", "nn.init.normal_(nn.zeros(2), std=-1)", ValueError, "std|-1", "std=1.0",
    "nn.init.normal_(nn.zeros(2), std=1.0)")  # fmt: skip
bad("xavier_uniform_", "nn.init.xavier_uniform_(nn.zeros(3))", ValueError, "(out, in, …)|(3,)", "uniform_",
    "nn.init.uniform_(nn.zeros(3))")  # fmt: skip
bad("kaiming_normal_", "nn.init.kaiming_normal_(nn.zeros(3, 3), mode='fan')", ValueError, "mode|'fan'",
    "mode='fan_in'",  # fmt: skip
    "nn.init.kaiming_normal_(nn.zeros(3, 3), mode='fan_in')")  # fmt: skip
_IDENTITY = "nn.Identity(), (nn.zeros(2, 1), nn.zeros(2, 1))"
bad("accuracy", "nn.accuracy(nn.zeros(2, 3), [0, 1])", TypeError, "target|list", "nn.tensor(",
    "nn.accuracy(nn.zeros(2, 3), nn.tensor([0, 1]))")  # fmt: skip
bad("accuracy", "nn.accuracy(nn.zeros(4, 3), nn.tensor([0, 1]))", ValueError, "(4, 3)|(4,)|(2,)", "the same rows",
    "nn.accuracy(nn.zeros(2, 3), nn.tensor([0, 1]))  # the same rows")  # fmt: skip
bad("evaluate", "nn.evaluate(nn.Identity(), nn.zeros(2, 1), nn.MSELoss())", ValueError, "pairs|Tensor", "(X, y)",
    "X = y = nn.zeros(2, 1); nn.evaluate(nn.Identity(), (X, y), nn.MSELoss())")  # fmt: skip
bad("evaluate", "nn.evaluate(nn.Identity(), (nn.zeros(2), nn.zeros(2), nn.zeros(2)), nn.MSELoss())", ValueError,
    "pairs|3 parts", "(X, y)",  # fmt: skip
    "X = y = nn.zeros(2, 1); nn.evaluate(nn.Identity(), (X, y), nn.MSELoss())")  # fmt: skip
bad("evaluate", f"nn.evaluate({_IDENTITY}, nn.MSELoss)", TypeError, "loss|the class MSELoss", "nn.MSELoss()",
    f"nn.evaluate({_IDENTITY}, nn.MSELoss())")  # fmt: skip
bad("evaluate", "nn.evaluate(3, (nn.zeros(2), nn.zeros(2)), nn.MSELoss())", TypeError, "model|int", "nn.Sequential(",
    "nn.evaluate(nn.Sequential(nn.Identity()), (nn.zeros(2), nn.zeros(2)), nn.MSELoss())")  # fmt: skip
bad("StepLR", "nn.optim.lr_scheduler.StepLR(nn.optim.SGD([nn.Parameter(nn.zeros(1))]), 2.5)", ValueError,
    "step_size|2.5", "step_size=2",  # fmt: skip
    "nn.optim.lr_scheduler.StepLR(nn.optim.SGD([nn.Parameter(nn.zeros(1))]), step_size=2)")  # fmt: skip
bad("clip_grad_norm_", "nn.utils.clip_grad_norm_([nn.zeros(1)], 'inf')", ValueError, "max_norm|'inf'", "max_norm=1.0",
    "nn.utils.clip_grad_norm_([nn.zeros(1)], max_norm=1.0)")  # fmt: skip
bad("calculate_gain", "nn.init.calculate_gain('swish')", ValueError, "nonlinearity|'swish'", "'relu'",
    "nn.init.calculate_gain('relu')")  # fmt: skip

# optimisers
_sgd = "model = nn.Linear(2, 2); nn.optim.SGD(model.parameters(), "
bad("SGD", "nn.optim.SGD([], lr=0.1)", ValueError, "no parameters", "model.parameters()", _sgd + "lr=0.1)")
bad("SGD", "model = nn.Linear(2, 2); nn.optim.SGD(model, lr=0.1)", TypeError, "params|Linear", "model.parameters()",
    _sgd + "lr=0.1)")  # fmt: skip
bad("SGD", "nn.optim.SGD([np.zeros(2)], lr=0.1)", TypeError, "params|ndarray", "model.parameters()",
    _sgd + "lr=0.1)")  # fmt: skip
bad("SGD", "nn.optim.SGD([nn.zeros(2, requires_grad=True) * 2])", ValueError, "leaves|mul", "nn.Parameter",
    "nn.optim.SGD([nn.Parameter(nn.zeros(2) * 2)])")  # fmt: skip
bad("SGD", _sgd + "lr=-0.1)", ValueError, "lr|-0.1", "lr=0.01", _sgd + "lr=0.01)")
bad("SGD", _sgd + "lr='big')", ValueError, "lr|'big'", "lr=0.01", _sgd + "lr=0.01)")
bad("SGD", _sgd + "momentum=-1)", ValueError, "momentum|-1", "momentum=0.0", _sgd + "momentum=0.0)")
bad("SGD", _sgd + "weight_decay=float('nan'))", ValueError, "weight_decay|nan", "weight_decay=0.0",
    _sgd + "weight_decay=0.0)")  # fmt: skip
bad("SGD", _sgd + "nesterov=True)", ValueError, "nesterov|momentum", "momentum=0.9",
    _sgd + "nesterov=True, momentum=0.9)")  # fmt: skip
bad("SGD", "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'params': [w], 'rate': 1}])", TypeError, "'rate'", "lr=",
    "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'params': [w]}], lr=1)")  # fmt: skip
bad("SGD", "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'weights': [w]}])", ValueError, "'params'|weights",
    "{'params': [",  # fmt: skip
    "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'params': [w]}])")  # fmt: skip
bad("SGD", "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'params': [w]}, {'params': [w]}])", ValueError,
    "two groups|(1,)",  # fmt: skip
    "Put it into one", "w = nn.Parameter(nn.zeros(1)); nn.optim.SGD([{'params': [w]}])  # Put it into one")  # fmt: skip
bad("to", "nn.ones(2).to(None)", TypeError, "dtype|None", "nn.float32", "nn.ones(2).to(nn.float32)")
bad("Adam", "w = nn.Parameter(nn.zeros(1)); nn.optim.Adam([w], betas=(0.9,))", ValueError, "betas|(0.9,)",
    "(0.9, 0.999)", "w = nn.Parameter(nn.zeros(1)); nn.optim.Adam([w], betas=(0.9, 0.999))")  # fmt: skip
bad("ExponentialLR", "o = nn.optim.SGD([nn.Parameter(nn.zeros(1))]); nn.optim.lr_scheduler.ExponentialLR(o, '0.9')",
    ValueError, "gamma|'0.9'", "gamma=0.9",
    "o = nn.optim.SGD([nn.Parameter(nn.zeros(1))]); nn.optim.lr_scheduler.ExponentialLR(o, gamma=0.9)")  # fmt: skip
bad("Adam", "w = nn.Parameter(nn.zeros(1)); nn.optim.Adam([w], betas=(0.9, 1.0))", ValueError, "betas|(0.9, 1.0)",
    "(0.9, 0.999)", "w = nn.Parameter(nn.zeros(1)); nn.optim.Adam([w], betas=(0.9, 0.999))")  # fmt: skip
bad("step", "w = nn.Parameter(nn.zeros(2)); w.grad = np.zeros(3); nn.optim.SGD([w]).step()", ValueError,
    "(3,)|(2,)",  # fmt: skip
    "backward()", "w = nn.Parameter(nn.zeros(2)); w.sum().backward(); nn.optim.SGD([w]).step()")  # fmt: skip

# data, distributions, models, checks
bad("TensorDataset", "nn.data.TensorDataset(nn.zeros(3), nn.zeros(4))", ValueError, "[3, 4]",
    "One row is one example",  # fmt: skip
    "nn.data.TensorDataset(nn.zeros(3), nn.zeros(3))  # One row is one example")  # fmt: skip
bad("DataLoader", "nn.data.DataLoader(nn.data.TensorDataset(nn.zeros(3)), batch_size=0)", ValueError,
    "batch_size|0",  # fmt: skip
    "batch_size=32", "nn.data.DataLoader(nn.data.TensorDataset(nn.zeros(3)), batch_size=32)")  # fmt: skip
bad("random_split", "nn.data.random_split(nn.data.TensorDataset(nn.zeros(5)), [2, 2])", ValueError, "[2, 2]|5",
    "[0.8, 0.2]",  # fmt: skip
    "nn.data.random_split(nn.data.TensorDataset(nn.zeros(5)), [0.8, 0.2])")  # fmt: skip
bad("Normal", "nn.distributions.Normal(0.0, -1.0)", ValueError, "scale|-1", "F.softplus",
    "nn.distributions.Normal(0.0, F.softplus(nn.tensor(-1.0)))")  # fmt: skip
bad("Bernoulli", "nn.distributions.Bernoulli()", ValueError, "probs or logits", "Bernoulli(logits=",
    "nn.distributions.Bernoulli(logits=nn.tensor(0.0))")  # fmt: skip
bad("MLP", "nn.models.MLP([3])", ValueError, "sizes|[3]", "MLP([784, 10])", "nn.models.MLP([784, 10])")
bad("gradcheck", "nn.testing.gradcheck(lambda x: x, [nn.zeros(2, requires_grad=True)])", TypeError,
    "inputs[0]|float32",  # fmt: skip
    ".double()", "nn.testing.gradcheck(lambda x: x, [nn.zeros(2).double().requires_grad_()])")  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.op}-{i}" for i, row in enumerate(ROWS)])
def test_the_message_says_what_came_and_the_fix_works(row: Bad) -> None:
    with pytest.raises(row.error) as caught:
        exec(row.fails, dict(SETUP))
    assert type(caught.value) in (ValueError, TypeError, RuntimeError, IndexError), "built-in types only"
    message = str(caught.value)
    assert message.startswith((f"{row.op}: ", f"{row.op} is "))
    for fragment in row.says:
        assert fragment in message
    assert row.quotes in message, f"the fix {row.quotes!r} is not in: {message}"
    assert row.quotes in row.works, "the row applies another fix than the message gives"
    exec(row.works, dict(SETUP))


def test_there_are_enough_cases() -> None:
    assert len(ROWS) >= 80
    assert len({row.op for row in ROWS}) >= 60


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.op}-{i}" for i, row in enumerate(ROWS)])
def test_the_message_reads_well(row: Bad) -> None:
    with pytest.raises(row.error) as caught:
        exec(row.fails, dict(SETUP))
    message = str(caught.value)
    assert len(message) < 330
    assert "\n" not in message
    assert message.endswith((".", "]"))
    assert not re.search(r"<(function|class|built-in|nnlib)|0x[0-9a-f]{6}", message), "an address or a repr leaks"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None or row.op.startswith("Sequential")


# ------------------------------------------------------------------------------------- where PyTorch refuses, we refuse

REFUSED = [
    "lib.zeros(2, 3) + lib.zeros(4)", "lib.zeros(2, 3) @ lib.zeros(2, 3)", "lib.zeros(2) @ lib.zeros(3)",
    "lib.tensor(1.0) @ lib.zeros(2)", "lib.zeros(2, 2) @ lib.zeros(2, 2, dtype=lib.float64)",
    "lib.zeros(2, 3).sum(dim=2)", "lib.zeros(2, 3).sum(dim=(0, 0))", "lib.tensor([1, 2]).mean()",
    "lib.zeros(0, 3).amax()", "lib.zeros(0, 3).max(dim=0)", "lib.zeros(0).max()", "lib.zeros(0).argmax()",
    "lib.zeros(2).argmax(dim=1)", "lib.ones(2, 3).prod((0, 1))", "lib.zeros(2, 3).reshape(4, 2)",
    "lib.zeros(2, 3).reshape(-1, -1)", "lib.zeros(2, 3).reshape(4, -1)", "lib.zeros(2, 3).flatten(1, 0)",
    "lib.zeros(2, 3).unsqueeze(4)", "lib.zeros(2, 3).permute(0)", "lib.zeros(2, 3).permute(0, 0)",
    "lib.zeros(2, 3).transpose(0, 2)", "lib.zeros(2, 3).expand(4, 3)", "lib.zeros(2, 3).expand(3)",
    "lib.broadcast_to(lib.zeros(2), (2, 3))", "lib.cat([])", "lib.cat([lib.tensor(1.0), lib.tensor(2.0)])",
    "lib.cat([lib.zeros(2, 3), lib.zeros(2, 4)])", "lib.stack([])", "lib.stack([lib.zeros(2), lib.zeros(3)])",
    "lib.split(lib.zeros(5), [2, 2])", "lib.chunk(lib.zeros(5), 0)", "lib.zeros(5).unbind(1)",
    "lib.flip(lib.zeros(5), (1,))",
    "lib.roll(lib.zeros(2, 2), (1, 2), 0)", "lib.zeros(2, 3).repeat(2)", "lib.tril(lib.zeros(3))", "lib.zeros(3)[5]",
    "lib.zeros(3)[0, 0]", "lib.zeros(3)[lib.tensor([0.5])]", "lib.zeros(3)[lib.tensor([True, False])]",
    "lib.where(lib.zeros(2), lib.zeros(2), lib.zeros(2))", "lib.zeros(3).masked_fill(lib.zeros(3), 1.0)",
    "lib.zeros(2, 3).gather(1, lib.tensor([0]))", "lib.zeros(2, 3).gather(1, lib.tensor([[3]]))",
    "lib.zeros(2, 3).gather(1, lib.tensor([[-1]]))", "lib.clamp(lib.zeros(3))", "lib.tensor([1, 2]) ** -1",
    "lib.einsum('ij,jk->ik', lib.zeros(2, 3), lib.zeros(4, 5))", "lib.einsum('ij->ik', lib.zeros(2, 2))",
    "lib.outer(lib.zeros(2, 2), lib.zeros(3))", "bool(lib.zeros(2))", "len(lib.tensor(1.0))", "lib.zeros(2).item()",
    "lib.zeros(2, requires_grad=True).numpy()", "lib.zeros(2, requires_grad=True).backward()",
    "lib.zeros(1).backward()",
    "lib.arange(3).requires_grad_()", "lib.zeros(2, -1)", "lib.randint(3, 3, (2,))", "lib.arange(0, 3, 0)",
    "lib.eye(-1)",
    "x = lib.zeros(2); x += lib.zeros(3)", "x = lib.arange(2); x += 0.5", "x = lib.zeros(2); x[5] = 1.0",
    "x = lib.zeros(2, requires_grad=True); x += 1",
    "y = lib.ones(1, requires_grad=True) ** 2; y.backward(); y.backward()",
    "F.softmax(lib.zeros(2, 3), dim=2)", "F.linear(lib.zeros(5, 3), lib.zeros(2, 4))",
    "F.one_hot(lib.tensor([0, 3]), 3)",
    "F.one_hot(lib.tensor([-1]))", "F.one_hot(lib.tensor([0.0]))", "F.dropout(lib.zeros(2), p=1.5)",
    "F.mse_loss(lib.zeros(2), lib.zeros(3))", "F.mse_loss(lib.zeros(2), lib.zeros(2), reduction='avg')",
    "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0, 3]))", "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0, -1]))",
    "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0]))", "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0.0, 1.0]))",
    "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0, 1]), weight=lib.ones(2))",
    "F.cross_entropy(lib.zeros(2, 3), lib.tensor([0, 1]), label_smoothing=2)",
    "F.nll_loss(lib.zeros(2, 3), lib.tensor([0, 3]))", "F.binary_cross_entropy(lib.tensor([1.5]), lib.tensor([1.0]))",
    "F.binary_cross_entropy_with_logits(lib.zeros(2), lib.zeros(2, 1))",
    "F.multi_margin_loss(lib.zeros(2, 3), lib.tensor([0, 3]))",
    "F.conv2d(lib.zeros(64, 28, 28), lib.zeros(8, 1, 5, 5))",
    "F.conv2d(lib.zeros(1, 1, 3, 3), lib.zeros(8, 1, 5, 5))",
    "F.conv2d(lib.zeros(1, 1, 8, 8), lib.zeros(8, 1, 5, 5), stride=0)",
    "F.max_pool2d(lib.zeros(1, 1, 4, 4), 2, padding=2)", "F.max_pool2d(lib.zeros(1, 1, 4, 4), 5)",
    "F.batch_norm(lib.zeros(1, 3), lib.zeros(3), lib.ones(3), training=True)", "F.layer_norm(lib.zeros(2, 3), (4,))",
    "F.group_norm(lib.zeros(2, 6), 4)",
]  # fmt: skip


@pytest.mark.parametrize("code", REFUSED)
def test_where_pytorch_refuses_we_refuse(code: str) -> None:
    torch = pytest.importorskip("torch")

    def refuses(lib: Any, functional: Any) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch warns before it refuses
                exec(code, {"lib": lib, "F": functional})
        except (ValueError, TypeError, RuntimeError, IndexError):
            return True
        return False

    assert refuses(torch, torch.nn.functional), "PyTorch takes this: the row proves nothing"
    assert refuses(nn, F)


def first_arguments() -> list[tuple[str, Any, int]]:
    """(name, function, how many arguments it needs) for every public function of a tensor, or of a list of them."""
    found = {}
    for module in (nn, nn.functional):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__.startswith("nnlib.") and name[0] != "_":
                parameters = list(inspect.signature(function).parameters.values())
                if parameters and parameters[0].name in ("input", "tensors") and "quietly" not in name:
                    needed = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
                    found[name] = name, function, needed
    return sorted(found.values(), key=lambda row: row[0])


@pytest.mark.parametrize(("name", "function", "needed"), first_arguments(), ids=lambda value: str(value)[:20])
def test_what_is_no_tensor_is_refused_by_name(name: str, function: Any, needed: int) -> None:
    for wrong in (None, "a", {"a": 1}):
        with pytest.raises((TypeError, ValueError)) as caught:
            function(wrong, *[1 if name == "roll" else nn.ones(2, 2)] * (needed - 1))
        assert str(caught.value).startswith(f"{name}: ")


def test_every_function_of_a_tensor_is_asked() -> None:
    assert len(first_arguments()) >= 100
