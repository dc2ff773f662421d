#!/usr/bin/python3
"""Reference values for test/pgtap/churn.sql.

    /usr/bin/python3 churn.py > churn.sql

Rates: P(K <= recent) and P(K >= recent) for K binomial(recent + past,
recent_days / (recent_days + past_days)), term by term in rational arithmetic,
or in 60 digits where there are many terms.

Spend: all sums that the recent window could hold are built up exactly; given
are the chance of at most what was spent (exact), and the chance of less than
that plus 1/256 of it for each purchase that could be among them (ceiling),
between which the extension's figure must be.
"""

import random
from fractions import Fraction
from math import comb

from mpmath import mp, mpf, binomial

mp.dps = 60


def rates_exact(recent, past, recent_days, past_days):
    n = recent + past
    share = Fraction(recent_days) / (Fraction(recent_days) + Fraction(past_days))
    mass = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    return float(sum(mass[: recent + 1])), float(sum(mass[recent:]))


def rates_many(recent, past, recent_days, past_days):
    n = recent + past
    share = mpf(recent_days) / (mpf(recent_days) + mpf(past_days))
    odds = share / (1 - share)

    def tail(start, step):
        term = binomial(n, start) * share**start * (1 - share) ** (n - start)
        total, k = mpf(0), start
        while 0 <= k <= n and term > total * mpf(10) ** -50:
            total += term
            term *= k / ((n - k + 1) * odds) if step < 0 else (n - k) * odds / (k + 1)
            k += step
        return total

    # the terms must fall from the start on, so take the tail away from the mean
    at = binomial(n, recent) * share**recent * (1 - share) ** (n - recent)
    if recent <= n * share:
        fall = tail(recent, -1)
        rise = 1 - fall + at
    else:
        rise = tail(recent, 1)
        fall = 1 - rise + at
    return float(fall), float(rise)


def spend(recent, past, recent_days, past_days):
    share = Fraction(recent_days, recent_days + past_days)
    spent = sum(recent)
    sums = {0: Fraction(1)}
    for amount in recent + past:
        more = {}
        for total, mass in sums.items():
            more[total] = more.get(total, 0) + mass * (1 - share)
            more[total + amount] = more.get(total + amount, 0) + mass * share
        sums = more
    possible = sum(1 for a in recent + past if 0 < a <= spent)
    ceiling = spent + Fraction(spent * possible, 256)
    exact = sum(m for total, m in sums.items() if total <= spent)
    above = sum(m for total, m in sums.items() if total <= spent or total < ceiling)
    return float(exact), float(above)


def money(cents):
    return "{" + ",".join(f"{c // 100}.{c % 100:02d}" for c in cents) + "}"


print("-- Written by churn.py: exact values, rounded once.  Do not edit.")
print("COPY churn_rate_reference FROM STDIN (FORMAT csv, DELIMITER '|');")
rows = [(r, p, "91", "364") for r in range(0, 12) for p in (0, 1, 2, 5, 13, 40)]
rows += [(2, 5, "1", "1"), (5, 2, "1", "1"), (0, 0, "7", "30"), (3, 3, "0.5", "30.25")]
rows += [(0, 20, "1", "1000000"), (20, 0, "1", "1000000"), (7, 0, "1000000", "1"),
         (50, 400, "91", "364"), (120, 400, "91", "364"), (0, 455, "91", "364"),
         (91, 364, "91", "364"), (1, 300, "30", "30"), (300, 1, "30", "30")]
for r, p, rd, pd in rows:
    fall, rise = rates_exact(r, p, rd, pd)
    print(f"{r}|{p}|{rd}|{pd}|{fall!r}|{rise!r}")
for r, p, rd, pd in [(20000, 80000, 91, 364), (19000, 80000, 91, 364), (21000, 80000, 91, 364),
                     (500000, 500000, 1, 1), (498000, 500000, 1, 1), (502000, 500000, 1, 1),
                     (10, 1000000, 1, 1000000), (999000, 1000000000, 1, 1000)]:
    fall, rise = rates_many(r, p, rd, pd)
    print(f"{r}|{p}|{rd}|{pd}|{fall!r}|{rise!r}")
print("\\.")

generator = random.Random(20240229)
print("COPY churn_spend_reference FROM STDIN (FORMAT csv, DELIMITER '|');")
cases = [([], [2000] * 10), ([2000], [2000] * 20), ([2000] * 4, [2000] * 40),
         ([100], [10000] * 12), ([2000] * 13, [10000] * 52), ([0], [500, 0, 700]),
         ([10000] * 3, []), ([1], [1]), ([99999999], [1, 2, 3])]
for _ in range(40):
    recent = [generator.randint(1, 60) * 50 for _ in range(generator.randint(0, 5))]
    past = [generator.randint(1, 90) * 50 for _ in range(generator.randint(1, 25))]
    cases.append((recent, past))
for recent, past in cases:
    exact, above = spend(recent, past, 91, 364)
    print(f"{money(recent)}|{money(past)}|{exact!r}|{above!r}")
print("\\.")
