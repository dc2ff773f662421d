#!/usr/bin/python3
"""Cases for test/pgtap/clusters.sql: rows of features, and the least sum of
squares that any division of them into k clusters has, found by trying all.

    /usr/bin/python3 kmeans.py | Rscript kmeans.R > kmeans.csv

The best division into k is the best cluster with the first of the rows left in it,
and the best division of the others into k - 1: over all subsets.  Features are
divided by their standard deviation (of all rows); one that does not vary counts
nothing.  Of larger cases all divisions cannot be tried; R has these alone.
"""

import random


def standardize(rows):
    columns = []
    for column in zip(*rows):
        mean = sum(column) / len(column)
        deviation = (sum((x - mean) ** 2 for x in column) / len(column)) ** 0.5
        columns.append([(x - mean) / deviation if deviation > 0 else 0.0 for x in column])
    return list(zip(*columns))


def squares_of(points):
    return sum(sum(x * x for x in column) - sum(column) ** 2 / len(column) for column in zip(*points))


def best_division(rows, k):
    points = standardize(rows)
    n = len(points)
    squares = [0.0] * (1 << n)
    for subset in range(1, 1 << n):
        squares[subset] = max(0.0, squares_of([points[i] for i in range(n) if subset >> i & 1]))
    best = squares[:]
    for _ in range(k - 1):
        better = best[:]
        for subset in range(1, 1 << n):
            first = subset & -subset
            rest = subset ^ first
            part = rest
            while True:
                value = squares[first | (rest ^ part)] + best[part]
                if value < better[subset]:
                    better[subset] = value
                if part == 0:
                    break
                part = (part - 1) & rest
        best = better
    return best[(1 << n) - 1]


def text_of(rows):
    return " ".join(",".join(str(x) for x in row) for row in rows)


random.seed(7)
print("case;k;rows;best")
for case in range(1, 501):
    k = 1 + case % 4
    n = random.randint(max(2, k), 12)
    d = 1 + case % 3
    kind = case % 5
    if kind < 2:  # heaps
        heaps = [[random.randint(0, 60) for _ in range(d)] for _ in range(k)]
        rows = [[x + random.randint(0, 12) for x in random.choice(heaps)] for _ in range(n)]
    elif kind == 2:  # ties
        rows = [[random.randint(0, 3) for _ in range(d)] for _ in range(n)]
    else:
        rows = [[round(random.expovariate(0.05), 1) for _ in range(d)] for _ in range(n)]
    if case % 7 == 0:  # one that does not vary
        for row in rows:
            row[-1] = 5
    print(case, k, text_of(rows), best_division(rows, k), sep=";")
for case in range(501, 521):
    k = 2 + case % 5
    d = 2 + case % 2
    heaps = [[random.uniform(0, 100) for _ in range(d)] for _ in range(k)]
    rows = [[round(random.gauss(x, 4 + case % 9), 1) for x in random.choice(heaps)] for _ in range(80)]
    print(case, k, text_of(rows), "", sep=";")
