#!/usr/bin/python3
"""Exact reference values for test/pgtap/concentration.sql.

    /usr/bin/python3 concentration.py > concentration.sql

Every measure is computed from its definition in rational arithmetic, and not
by the formula that the extension uses where there is another one: the Gini
coefficient from all pairs of values, the top share and the Lorenz curve as
integrals of the sorted values over the heads.  Only the last step rounds to a
float8 (correctly: Python's conversion of a Fraction does).
"""

import csv
import io
import random
from fractions import Fraction

FRACTIONS = ["0.01", "0.1", "0.2", "0.29", "0.5", "0.75", "1"]
POINTS = [1, 2, 3, 7, 10]


def gini(values):
    n = len(values)
    differences = sum(abs(a - b) for a in values for b in values)
    return differences / (2 * n * sum(values))


def hhi(values):
    return sum((v / sum(values)) ** 2 for v in values)


def first(values, heads):
    """The sum of the first so many values, the last of them in part."""
    return sum(v * max(min(heads - i, 1), 0) for i, v in enumerate(values))


def top_share(values, p):
    return first(sorted(values, reverse=True), p * len(values)) / sum(values)


def lorenz(values, n):
    ascending = sorted(values)
    return [first(ascending, Fraction(i * len(values), n)) / sum(values)
            for i in range(1, n + 1)]


def datasets():
    rng = random.Random(20240601)

    def money(low, high):
        return Fraction(rng.randint(low, high), 100)

    yield "1 to 10", [Fraction(i) for i in range(1, 11)]
    yield "1 to 100", [Fraction(i) for i in range(1, 101)]
    yield "half have three quarters", [Fraction(1)] * 5 + [Fraction(3)] * 5
    yield "nearly equal", [Fraction(10**18 + i, 10**9) for i in range(20)]
    yield "ties and zeros", [Fraction(v) for v in [0, 0, 0, 1, 1, 2, 2, 2, 5, 30, 30]]
    yield "smallest unit", [Fraction(i, 10**9) for i in (1, 2, 4, 8)]
    yield "largest", [Fraction(10**27 - 1 - i) for i in range(7)] + [Fraction(1, 10**9)]
    yield "tiny positive total", [Fraction(10**26), Fraction(-10**26), Fraction(1, 10**9)]
    yield "some losses", [money(-5000, 20000) for _ in range(60)]
    for n in (1, 2, 3, 7, 50, 99):
        yield f"uniform {n}", [money(1, 10**6) for _ in range(n)]
        yield f"heavy tail {n}", [Fraction(int(100 * rng.paretovariate(1.1)), 100)
                                  for _ in range(n)]
        yield f"mixed widths {n}", [Fraction(rng.randint(1, 10 ** rng.randint(1, 36)), 10**9)
                                    for _ in range(n)]


def text(value):
    """The exact decimal of a Fraction with at most nine decimals."""
    units = value * 10**9
    assert units.denominator == 1
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units.numerator), 10**9)
    return f"{sign}{whole}.{part:09d}"


def main():
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for name, values in datasets():
        array = "{" + ",".join(text(v) for v in values) + "}"

        def row(measure, parameter, expected):
            writer.writerow([name, measure, parameter, array,
                             "{" + ",".join(repr(float(e)) for e in expected) + "}"])

        assert sum(values) > 0
        row("gini", "", [gini(values)])
        row("hhi", "", [hhi(values)])
        for p in FRACTIONS:
            row("top_share", p, [top_share(values, Fraction(p))])
        for n in POINTS:
            row("lorenz", n, lorenz(values, n))
    print("-- Written by concentration.py: exact values, rounded once.  Do not edit.")
    print("COPY concentration_reference FROM STDIN (FORMAT csv);")
    print(out.getvalue(), end="")
    print("\\.")


main()
