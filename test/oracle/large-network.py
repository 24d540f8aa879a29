"""Spectra at a point of a tanh network with 10,490 weights, by ARPACK.

    OPENBLAS_NUM_THREADS=1 python test/oracle/large-network.py > test/oracle/large-network.json

Needs NumPy and SciPy. The network, its samples and the point are given by formulas, so that the
test can build the same ones; gradients and Hessian products are derived by hand, and the products
are checked against differences of the gradient.
"""

import json

import numpy as np
import scipy
from scipy.sparse.linalg import LinearOperator, eigs, eigsh

SAMPLES, FEATURES, HIDDEN, CLASSES, RHO = 60, 120, 80, 10, 1.5

k = np.arange(SAMPLES * FEATURES, dtype=np.float64)
X = (1.2 * np.sin(1.7 * k + 0.001 * k * k + 0.3)).reshape(SAMPLES, FEATURES)
Y = (np.arange(SAMPLES) * 7 + 3) % CLASSES
SIZE = HIDDEN + HIDDEN * FEATURES + CLASSES + CLASSES * HIDDEN
i = np.arange(SIZE, dtype=np.float64)
POINT = 0.15 * np.sin(2.3 * i + 0.0007 * i * i)


def unpack(p):
    """layers/0/bias, layers/0/weight, layers/1/bias, layers/1/weight."""
    a = HIDDEN
    b = a + HIDDEN * FEATURES
    c = b + CLASSES
    return p[:a], p[a:b].reshape(HIDDEN, FEATURES), p[b:c], p[c:].reshape(CLASSES, HIDDEN)


def pack(*parts):
    return np.concatenate([part.ravel() for part in parts])


def forward(p):
    b0, W0, b1, W1 = unpack(p)
    h = np.tanh(X @ W0.T + b0)
    z = h @ W1.T + b1
    z = z - z.max(1, keepdims=True)
    total = np.exp(z).sum(1, keepdims=True)
    prob = np.exp(z) / total
    loss = (np.log(total[:, 0]) - z[np.arange(SAMPLES), Y]).mean()
    return h, prob, loss


def errors(prob):
    """The gradient of the loss in the logits."""
    e = prob.copy()
    e[np.arange(SAMPLES), Y] -= 1
    return e / SAMPLES


def gradient(p):
    _, _, _, W1 = unpack(p)
    h, prob, loss = forward(p)
    e = errors(prob)
    d = (e @ W1) * (1 - h * h)
    return loss, pack(d.sum(0), d.T @ X, e.sum(0), e.T @ h)


def hessian_times(p, v, cache):
    """Pearlmutter's R-operator."""
    _, _, _, W1 = unpack(p)
    rb0, rW0, rb1, rW1 = unpack(v)
    h, prob, e, back = cache
    s = 1 - h * h
    rh = s * (X @ rW0.T + rb0)
    rz = rh @ W1.T + h @ rW1.T + rb1
    re = prob * (rz - (prob * rz).sum(1, keepdims=True)) / SAMPLES
    rd = (re @ W1 + e @ rW1) * s + back * (-2 * h * rh)
    return pack(rd.sum(0), rd.T @ X, re.sum(0), re.T @ h + e.T @ rh)


def hessian(p):
    _, _, _, W1 = unpack(p)
    h, prob, _ = forward(p)
    e = errors(prob)
    cache = (h, prob, e, e @ W1)
    v = np.cos(3.1 * i)
    v /= np.linalg.norm(v)
    difference = (gradient(p + 1e-4 * v)[1] - gradient(p - 1e-4 * v)[1]) / 2e-4
    assert np.abs(hessian_times(p, v, cache) - difference).max() < 1e-7
    return LinearOperator(
        (SIZE, SIZE), matvec=lambda v: hessian_times(p, v, cache), dtype=np.float64
    )


def ends(operator):
    def one(which):
        return eigsh(operator, k=1, which=which, ncv=60, tol=1e-11, return_eigenvectors=False)[0]

    return {"min": float(one("SA")), "max": float(one("LA"))}


loss, g = gradient(POINT)
size = np.linalg.norm(g)
u = g / size
shifted = POINT + RHO * u
shifted_loss, shifted_g = gradient(shifted)
H, H_plus = hessian(POINT), hessian(shifted)


def perturb(v):
    w = H @ v
    return v + RHO / size * (w - u * (u @ w))


def perturb_transposed(v):
    return v + RHO / size * (H @ (v - u * (u @ v)))


J = LinearOperator((SIZE, SIZE), matvec=lambda v: H_plus @ perturb(v), dtype=np.float64)
symmetric = LinearOperator(
    (SIZE, SIZE), matvec=lambda v: (perturb(v) + perturb_transposed(v)) / 2, dtype=np.float64
)
right = eigs(J, k=1, which="LR", ncv=60, tol=1e-10, return_eigenvectors=False)
left = eigs(J, k=1, which="SR", ncv=60, tol=1e-9, maxiter=10000, return_eigenvectors=False)
print(
    json.dumps(
        {
            "made_by": f"NumPy {np.__version__}, SciPy {scipy.__version__}",
            "weights": SIZE,
            "rho": RHO,
            "loss": float(loss),
            "shiftedLoss": float(shifted_loss),
            "gradNorm": float(size),
            "shiftedGradNorm": float(np.linalg.norm(shifted_g)),
            "hessian": ends(H),
            "shiftedHessian": ends(H_plus),
            "samJacobian": {"minReal": float(left.real.min()), "maxReal": float(right.real.max())},
            "minSymmetric": ends(symmetric)["min"],
        },
        indent=2,
    )
)
