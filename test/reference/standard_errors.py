#!/usr/bin/python3
"""Maxima and standard errors of the models on the published data, in
arbitrary precision, independently of the extension.

    /usr/bin/python3 test/reference/standard_errors.py DATA_DIRECTORY

writes standard_errors.csv beside this script: kind, parameter, its value at
the maximum, its standard error, and the log-likelihood there.  The
log-likelihoods are those of the papers, written down plainly; the gradient
and the Hessian are finite differences with 40 digits.  Takes some minutes,
nearly all of it for the Pareto/NBD.
"""
import csv
import os
import sys
from collections import Counter

from mpmath import mp, mpf, log, exp, loggamma, hyp2f1, matrix, binomial, beta as Beta

mp.dps = 40
HERE = os.path.dirname(os.path.abspath(__file__))


def lbeta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def bgnbd(params, row):
    """Fader, Hardie, Lee 2005, equation (6)"""
    r, alpha, a, b = params
    x, t_x, t = row
    common = loggamma(r + x) - loggamma(r) + r * log(alpha)
    alive = exp(lbeta(a, b + x) - lbeta(a, b) - (r + x) * log(alpha + t))
    left = mpf(0)
    if x > 0:
        left = exp(lbeta(a + 1, b + x - 1) - lbeta(a, b) - (r + x) * log(alpha + t_x))
    return common + log(alive + left)


def mbgnbd(params, row):
    """Batislam, Denizel, Filiztekin 2007: a coin after the first purchase too"""
    r, alpha, a, b = params
    x, t_x, t = row
    common = loggamma(r + x) - loggamma(r) + r * log(alpha)
    alive = exp(lbeta(a, b + x + 1) - lbeta(a, b) - (r + x) * log(alpha + t))
    left = exp(lbeta(a + 1, b + x) - lbeta(a, b) - (r + x) * log(alpha + t_x))
    return common + log(alive + left)


def pnbd(params, row):
    """Fader, Hardie 2005, "A note on deriving the Pareto/NBD model", (A0)"""
    r, alpha, s, beta = params
    x, t_x, t = row
    n = r + s + x
    if alpha >= beta:
        f = lambda y: hyp2f1(n, s + 1, n + 1, (alpha - beta) / (alpha + y)) / (alpha + y) ** n
    else:
        f = lambda y: hyp2f1(n, r + x, n + 1, (beta - alpha) / (beta + y)) / (beta + y) ** n
    alive = 1 / ((alpha + t) ** (r + x) * (beta + t) ** s)
    left = s / n * (f(t_x) - f(t))
    return loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta) + log(alive + left)


def bgbb(params, row):
    """Fader, Hardie, Shang 2010, equation (5)"""
    alpha, beta, gamma, delta = params
    x, t_x, n = (int(v) for v in row)
    total = Beta(alpha + x, beta + n - x) / Beta(alpha, beta) \
        * Beta(gamma, delta + n) / Beta(gamma, delta)
    for i in range(n - t_x):
        total += Beta(alpha + x, beta + t_x - x + i) / Beta(alpha, beta) \
            * Beta(gamma + 1, delta + t_x + i) / Beta(gamma, delta)
    return log(total)


def gammagamma(params, row):
    """Fader, Hardie 2013, equation (1a)"""
    p, q, gamma = params
    x, z = row
    return loggamma(p * x + q) - loggamma(p * x) - loggamma(q) + q * log(gamma) \
        + (p * x - 1) * log(z) + p * x * log(x) - (p * x + q) * log(gamma + x * z)


def differences(f, at):
    """Gradient and Hessian of f by central differences"""
    n = len(at)
    h = [v * mpf(10) ** -10 for v in at]
    centre = f(at)

    def moved(*steps):
        point = list(at)
        for i, sign in steps:
            point[i] += sign * h[i]
        return f(point)

    up = [moved((i, 1)) for i in range(n)]
    down = [moved((i, -1)) for i in range(n)]
    gradient = matrix([(up[i] - down[i]) / (2 * h[i]) for i in range(n)])
    hessian = matrix(n, n)
    for i in range(n):
        hessian[i, i] = (up[i] - 2 * centre + down[i]) / h[i] ** 2
        for j in range(i):
            hessian[i, j] = hessian[j, i] = \
                (moved((i, 1), (j, 1)) - moved((i, 1), (j, -1))
                 - moved((i, -1), (j, 1)) + moved((i, -1), (j, -1))) / (4 * h[i] * h[j])
    return gradient, hessian, centre


def fit(loglik, rows, start, rounds):
    """Newton's method from the published parameters"""
    at = [mpf(v) for v in start]
    f = lambda p: mp.fsum(w * loglik(p, row) for row, w in rows.items())
    for _ in range(rounds):
        gradient, hessian, _ = differences(f, at)
        step = mp.lu_solve(-hessian, gradient)
        at = [at[i] + step[i] for i in range(len(at))]
    gradient, hessian, value = differences(f, at)
    decrement = (gradient.T * mp.lu_solve(-hessian, gradient))[0]
    print("  log-likelihood", mp.nstr(value, 12), "decrement", mp.nstr(decrement, 3), flush=True)
    covariance = (-hessian) ** -1
    return at, [mp.sqrt(covariance[i, i]) for i in range(len(at))], value


def main():
    data = sys.argv[1]
    with open(os.path.join(data, "cdnow_summary.csv")) as f:
        cdnow = list(csv.DictReader(f))
    with open(os.path.join(data, "donations_bgbb.csv")) as f:
        donations = list(csv.DictReader(f))
    customers = Counter((mpf(c["x"]), mpf(c["t_x"]), mpf(c["t"])) for c in cdnow)
    spend = Counter((mpf(c["x"]), mpf(c["mean_repeat_spend"])) for c in cdnow if int(c["x"]) > 0)
    donors = Counter()
    for d in donations:
        donors[(mpf(d["x"]), mpf(d["t_x"]), mpf(d["n"]))] += int(d["customers"])

    with open(os.path.join(HERE, "standard_errors.csv"), "w") as out:
        out.write("kind,param,value,stderr,loglik\n")
        for kind, names, loglik, rows, start, rounds in (
                ("bgnbd", "r alpha a b", bgnbd, customers, (0.243, 4.414, 0.793, 2.426), 2),
                ("mbgnbd", "r alpha a b", mbgnbd, customers, (0.525, 6.183, 0.891, 1.614), 2),
                ("bgbb", "alpha beta gamma delta", bgbb, donors, (1.204, 0.750, 0.657, 2.783), 2),
                ("gammagamma", "p q gamma", gammagamma, spend, (6.25, 3.74, 15.44), 2),
                ("pnbd", "r alpha s beta", pnbd, customers, (0.553, 10.578, 0.606, 11.669), 2)):
            print(kind, flush=True)
            at, errors, value = fit(loglik, rows, start, rounds)
            for name, v, e in zip(names.split(), at, errors):
                out.write("%s,%s,%s,%s,%s\n" % (kind, name, mp.nstr(v, 15), mp.nstr(e, 15),
                                               mp.nstr(value, 15)))
            out.flush()


if __name__ == "__main__":
    main()
