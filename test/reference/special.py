#!/usr/bin/python3
"""Reference values of the functions in src/base/special.c, in arbitrary precision.

    /usr/bin/python3 special.py > special.csv

Columns: function, its arguments a, b, c, d (empty where it takes fewer), value,
scale.  An error is judged against scale: the value itself, or, for logarithms
of ratios, the larger of the value and 1 (what counts is the absolute error,
since the exponential of it is used), but for tiny increments the value.
"""
import csv
import math
import random
import sys

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 60
ROWS = 400
draw = random.Random(7)


def log_uniform(low, high):
    return float('%.6g' % math.exp(draw.uniform(math.log(low), math.log(high))))


def parameter():
    return draw.choice([log_uniform(1e-4, 1e4), log_uniform(0.05, 20), log_uniform(1e-4, 1e5),
                        1.0, 2.0, 0.5, 1 + 1e-9, 11.999, 12.0, 12.5])


def count(high):
    return float(draw.choice([0, 1, 2, 16, 17, 32, 33, draw.randint(0, 50),
                              int(log_uniform(1, high))]))


def increment():
    return draw.choice([count(1e5), log_uniform(1e-12, 1e-3), log_uniform(1e-3, 1e5)])


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def main():
    out = csv.writer(sys.stdout, lineterminator='\n')
    out.writerow(['function', 'a', 'b', 'c', 'd', 'value', 'scale'])

    def row(name, arguments, value, scale):
        out.writerow([name] + [repr(v) for v in arguments] + [''] * (4 - len(arguments)) +
                     [mp.nstr(value, 17), mp.nstr(scale, 5)])

    for _ in range(ROWS):
        z, n = parameter(), increment()
        mz, mn = mpf(z), mpf(n)
        value = mp.loggamma(mz + mn) - mp.loggamma(mz)
        row('log_gamma_ratio', [z, n], value,
            max(abs(value), min(mpf(1), mn), mn * abs(mp.log(mz + mn)), mpf(10) ** -300))
        value = mp.psi(0, mz + mn) - mp.psi(0, mz)
        row('digamma_difference', [z, n], value, max(value, mpf(10) ** -300))

        value = mp.psi(1, mz)
        row('trigamma', [z], value, value)
        value = mp.psi(1, mz + mn) - mp.psi(1, mz)
        row('trigamma_difference', [z, n], value, max(-value, mpf(10) ** -300))

        a, b, n = parameter(), parameter(), increment()
        ma, mb, mn = mpf(a), mpf(b), mpf(n)
        value = log_beta(ma, mb + mn) - log_beta(ma, mb)
        # whole counts up to 32 keep their relative accuracy
        small = n <= 32 and n == math.floor(n)
        row('log_beta_ratio', [a, b, n], value,
            max(abs(value), mpf(10) ** -300 if small else min(ma, mn) * (1 + mp.log(mb + mn + ma))))

        n, size, odds = count(1e5), parameter(), log_uniform(1e-8, 1e8)
        if draw.random() < 0.5:
            odds = float('%.6g' % (max(n, 1) / size * math.exp(draw.gauss(0, 1.0 / math.sqrt(min(n, size) + 1)))))
        mn, ms, mo = map(mpf, (n, size, odds))
        value = mp.loggamma(mn + ms) - mp.loggamma(ms) - mp.loggamma(mn + 1) - \
            ms * mp.log1p(mo) - (mn * mp.log1p(1 / mo) if n else 0)
        row('negative_binomial_log_pmf', [n, size, odds], value, max(abs(value), mpf(1)))

        n, a, b = count(1e6), parameter(), parameter()
        k = float(draw.choice([0, n, draw.randint(0, int(n)), int(n * a / (a + b))]))
        mk, mn, ma, mb = map(mpf, (k, n, a, b))
        value = mp.loggamma(mn + 1) - mp.loggamma(mk + 1) - mp.loggamma(mn - mk + 1) + \
            log_beta(ma + mk, mb + mn - mk) - log_beta(ma, mb)
        row('beta_binomial_log_pmf', [k, n, a, b], value, max(abs(value), mpf(1)))

        x = draw.choice([0.0, 1.0, -1.0]) or draw.choice([-1, 1]) * log_uniform(1e-15, 600)
        row('expm1_ratio', [x], mp.expm1(mpf(x)) / mpf(x), mp.expm1(mpf(x)) / mpf(x))
        x = draw.choice([-1, 1]) * log_uniform(1e-10, 700)
        value = mp.log1p(mp.exp(mpf(x)))
        row('log1p_exp', [x], value, value)
        z = parameter()
        value = mp.loggamma(mpf(z)) - (mpf(z) - mpf(1) / 2) * mp.log(mpf(z)) + mpf(z) - mp.log(2 * mp.pi) / 2
        row('stirling_error', [z], value, max(abs(value), mpf(1)))


if __name__ == '__main__':
    main()
