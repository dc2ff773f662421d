#!/usr/bin/python3
"""Reference values for test/pgtap/churn.sql.

    /usr/bin/python3 churn.py > churn.sql

Rates: P(K <= recent) and P(K >= recent) for K binomial(recent + past,
recent_days / (recent_days + past_days)), term by term in rational arithmetic,
or in 60 digits where there are many terms.

With a prior: P(K <= recent) for K negative binomial, as a regularized incomplete
beta function in 60 digits.

Ranks: of all choices of as many values as the lower sample has, the share whose
sum of ranks is at most that of the lower sample, equal values with the mean of
their ranks; all choices are counted, for large samples by their sums.
"""

import random
from fractions import Fraction
from math import comb

from mpmath import betainc, mp, mpf, binomial

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


def with_prior(recent, past, recent_days, past_days, events, days):
    known = mpf(past_days) + mpf(days)
    return float(betainc(mpf(past) + mpf(events), recent + 1, 0, known / (known + mpf(recent_days)), regularized=True))


def rank_sum(lower, higher):
    values = sorted(lower + higher)
    # doubled, so that means of ranks are whole
    doubled = {v: 2 * values.index(v) + values.count(v) + 1 for v in set(values)}
    most = sum(doubled[v] for v in lower)
    sums = [{0: 1}] + [{} for _ in lower]  # by number of values: sum of ranks -> choices
    for v in values:
        for n in range(len(lower), 0, -1):
            for total, choices in sums[n - 1].items():
                sums[n][total + doubled[v]] = sums[n].get(total + doubled[v], 0) + choices
    return float(Fraction(sum(c for total, c in sums[-1].items() if total <= most), comb(len(values), len(lower))))


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

print("COPY churn_prior_reference FROM STDIN (FORMAT csv, DELIMITER '|');")
for r, p, rd, pd, e, d in [(r, p, "91", "364", e, d) for r in (0, 1, 5) for p in (0, 6, 24) for e, d in (("0.5", "20"), ("2", "61.5"), ("7", "400"))] + [
        (0, 24, "364", "1456", "2", "120"), (1, 24, "364", "1456", "2", "120"), (0, 12, "364", "728", "0", "0"),
        (300, 1200, "364", "1456", "2", "3"), (30, 0, "91", "0.25", "2", "60")]:
    print(f"{r}|{p}|{rd}|{pd}|{e}|{d}|{with_prior(r, p, rd, pd, e, d)!r}")
print("\\.")

generator = random.Random(20240229)
print("COPY churn_rank_reference FROM STDIN (FORMAT csv, DELIMITER '|');")
cases = [([100], [200]), ([200], [100]), ([100], [100]), ([5], list(range(1, 20))), ([0, 0], [0, 1, 2]),
         ([100, 200, 300], [400] * 5), ([2000] * 4, [2000] * 20), ([1, 2], [10000000] * 40)]
for _ in range(60):
    spread = generator.choice((3, 12, 5000))
    cases.append(([generator.randint(1, spread) for _ in range(generator.randint(1, 9))],
                  [generator.randint(1, spread) + generator.choice((0, spread // 3)) for _ in range(generator.randint(1, 11))]))
for size, others in ((3, 120), (2, 200), (150, 2), (12, 24), (20, 40), (13, 52), (9, 60), (60, 9), (30, 120)):
    for spread in (6, 5000):
        cases.append(([generator.randint(1, spread) for _ in range(size)], [generator.randint(1, spread) + spread // 5 for _ in range(others)]))
for lower, higher in cases:
    print(f"{money(lower)}|{money(higher)}|{rank_sum(lower, higher)!r}")
print("\\.")
