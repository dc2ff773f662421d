#!/usr/bin/python3
"""The gamma-gamma model in arbitrary precision, independently of the
extension: a fit of weighted customers, and expected spends.

    /usr/bin/python3 test/reference/spend.py

writes spend.csv beside this script.  Its first column says what a line is:

    data      x, mean_spend, weight: the customers of the fit
    fit       parameter, its value at the maximum, its standard error, and the
              log-likelihood there
    expected  p, q, gamma, x, mean_spend, expected spend

The fit is that of standard_errors.py.  The expected spend of a purchase is
the mean of p / nu over nu, which is gamma(q, gamma) before and has the
likelihood nu^(p x) exp(-nu x mean_spend) of the purchases: two integrals, not
the closed form of the paper.  Needs mpmath.  Deterministic.
"""
import os
import random

from mpmath import mp, mpf, exp, log, quad

from standard_errors import HERE, fit, gammagamma

mp.dps = 40


def customers():
    """Customers of a gamma-gamma population; who spends much weighs more"""
    draw = random.Random(4711)
    for _ in range(60):
        x = draw.randint(1, 6)
        nu = draw.gammavariate(3.5, 1 / 20)
        z = round(sum(draw.gammavariate(5, 1 / nu) for _ in range(x)) / x, 2)
        yield x, z, draw.randint(1, 6) / 4 + (3 if z > 50 else 0)


def expected_spend(p, q, gamma, x, z):
    """E[p / nu] by quadrature over y = ln(nu)"""
    shape = q + p * x
    rate = gamma + x * z
    mode = log(shape / rate)

    def weight(y):
        return exp(shape * (y - mode) - rate * (exp(y) - exp(mode)))

    cuts = [mode + d for d in (-150, -80, -40, -20, -10, -5, -2, -1, 0, 1, 2, 4, 6)]
    return quad(lambda y: p * exp(-y) * weight(y), cuts) / quad(weight, cuts)


def main():
    with open(os.path.join(HERE, "spend.csv"), "w") as out:
        rows = list(customers())
        for x, z, weight in rows:
            out.write("data,%d,%s,%s\n" % (x, z, weight))

        at, errors, value = fit(gammagamma, {(mpf(x), mpf(str(z))): mpf(w) for x, z, w in rows},
                                (2.25, 3.44, 60), 4)
        for name, v, e in zip(("p", "q", "gamma"), at, errors):
            out.write("fit,%s,%s,%s,%s\n" % (name, mp.nstr(v, 17), mp.nstr(e, 17), mp.nstr(value, 17)))

        for p, q, gamma in ((6.25, 3.75, 15.5), (0.5, 1.5, 2), (40, 30, 100), (1, 2, 8)):
            for x, z in ((0, 0), (1, 0.5), (1, 30), (2, 500), (7, 36.25), (50, 12)):
                out.write("expected,%s,%s,%s,%s,%s,%s\n" % (
                    p, q, gamma, x, z, mp.nstr(expected_spend(*map(mpf, (p, q, gamma, x, z))), 17)))


if __name__ == "__main__":
    main()
