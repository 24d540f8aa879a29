"""The hallucinated minimizer of docs/hallucinated-minimizer.md in 50 digits.

    python test/oracle/hallucinated-minimizer.py > test/oracle/hallucinated-minimizer.json

Needs NumPy and mpmath. It shares no code with the project: the gradient is written out, Hessians are differences of it.
"""

import json

import mpmath as mp
import numpy as np

mp.mp.dps = 50
RHO, PENALTY = mp.mpf(2), mp.mpf("0.003")
XS = [mp.mpf(float(v)) for v in np.random.default_rng(1).uniform(-1, 1, 16)]
YS = [mp.sin(3 * v) + v / 2 for v in XS]
# w1 w2 b1 b2 a1 a2 c
START = ["-0.48704912104", "-0.29334313386", "0.78952024637", "0.02492411786",
         "0.38809939645", "-0.29577026322", "-0.37770061104"]


def loss_and_gradient(p):
    w, b, a, c = p[0:2], p[2:4], p[4:6], p[6]
    loss, gradient = mp.mpf(0), [mp.mpf(0)] * 7
    for x, y in zip(XS, YS):
        t = [mp.tanh(4 * (w[j] * x + b[j])) for j in range(2)]
        error = a[0] * t[0] + a[1] * t[1] + c - y
        loss += error**2 / 16
        for j in range(2):
            inner = 2 * error * a[j] * 4 * (1 - t[j] ** 2) / 16
            gradient[j] += inner * x
            gradient[2 + j] += inner
            gradient[4 + j] += 2 * error * t[j] / 16
        gradient[6] += 2 * error / 16
    loss += PENALTY / 2 * mp.fsum(v**2 for v in p)
    return loss, [g + PENALTY * v for g, v in zip(gradient, p)]


def norm(v):
    return mp.sqrt(mp.fsum(x**2 for x in v))


def ascent_point(p):
    _, g = loss_and_gradient(p)
    size = norm(g)
    return [x + RHO * v / size for x, v in zip(p, g)]


def shifted(p):
    return loss_and_gradient(ascent_point(p))[1]


def jacobian(field, p, h=mp.mpf("1e-12")):
    """Fourth-order differences: off by h^4."""
    columns = []
    for i in range(7):
        def at(k, i=i):
            q = list(p)
            q[i] += k * h
            return field(q)
        f1, f2, b1, b2 = at(1), at(2), at(-1), at(-2)
        columns.append([(8 * (u - v) - (s - t)) / (12 * h) for u, v, s, t in zip(f1, b1, f2, b2)])
    return mp.matrix(7, 7) + mp.matrix(columns).T


p = [mp.mpf(v) for v in START]
for _ in range(6):
    step = mp.lu_solve(jacobian(shifted, p), mp.matrix(shifted(p)))
    p = [v - s for v, s in zip(p, step)]

f, g = loss_and_gradient(p)
f_plus, g_plus = loss_and_gradient(ascent_point(p))
h_plus = jacobian(lambda q: loss_and_gradient(q)[1], ascent_point(p))
m = jacobian(ascent_point, p)
spectrum = mp.eig(h_plus * m, left=False, right=False)


def digits(values):
    return [mp.nstr(v, 20) for v in sorted(values)]


print(json.dumps({
    "point": [mp.nstr(v, 20) for v in p],
    "loss": mp.nstr(f, 20),
    "shiftedLoss": mp.nstr(f_plus, 20),
    "gradNorm": mp.nstr(norm(g), 20),
    "shiftedGradNorm": mp.nstr(norm(g_plus), 3),
    "shiftedHessian": digits(mp.eigsy((h_plus + h_plus.T) / 2, eigvals_only=True)),
    "samJacobian": digits(mp.re(v) for v in spectrum),
    "largestImaginaryPart": mp.nstr(max(abs(mp.im(v)) for v in spectrum), 3),
    "minSymmetric": mp.nstr(min(mp.eigsy((m + m.T) / 2, eigvals_only=True)), 20),
    "maxStableLearningRate": mp.nstr(min(2 * mp.re(v) / abs(v) ** 2 for v in spectrum), 20),
}, indent=2))
