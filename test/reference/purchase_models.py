#!/usr/bin/python3
"""Reference values of the purchase models, in arbitrary precision.

    /usr/bin/python3 purchase_models.py KIND > KIND.csv

KIND is bgnbd, mbgnbd, pnbd or bgbb.  Needs mpmath.  Deterministic: the inputs
come from a seeded generator, the results are rounded to 17 digits.

The methods are those of the papers, in enough digits to survive their
cancellation, and share nothing with the C code: Gauss hypergeometric
functions for the closed forms, quadrature of the textbook integral where there
is none, term-by-term sums for BG/BB.  On every CROSS_CHECK-th row (for the
expectations of bgnbd and mbgnbd on every row) a second method, direct
integration over the heterogeneity or another special function, must agree to
1e-15, else the script stops.  That is not idle: the hypergeometric function of
mpmath 1.2.1 is wrong here and there when its parameters are above 100.

Columns: region, the model's four parameters, x, t_x, t (bgbb: n
opportunities), horizon, rate (continuous, per time unit), n (purchases asked of
the probability mass), then the expected outputs.  loglik is that of one such
customer.  discounted and dert of bgnbd and mbgnbd, slow in many digits, are
given in every ninth row only.  Values below 1e-300 are given as 0.
"""
import csv
import math
import random
import sys

import mpmath as mp
from mpmath import mpf
from mpmath.libmp import NoConvergence

ROWS = {'bgnbd': 500, 'mbgnbd': 500, 'pnbd': 1000, 'bgbb': 1000}
CROSS_CHECK = 40
mp.mp.dps = 50


# ---------------------------------------------------------------- inputs

class Inputs:
    """Draws of parameters and customers, by region."""

    REGIONS = ['typical'] * 4 + ['wide'] * 4 + ['near_one'] * 2 + \
        ['one_time'] * 2 + ['large_count'] * 2 + ['edge', 'long_gap']

    def __init__(self, seed, kind):
        self.random = random.Random(seed)
        self.kind = kind

    def log_uniform(self, low, high):
        return float('%.6g' % math.exp(self.random.uniform(math.log(low), math.log(high))))

    def parameters(self, region):
        if region in ('wide', 'long_gap'):
            p = [self.log_uniform(1e-4, 1e4) for _ in range(4)]
        elif region == 'edge':
            p = [self.random.choice([1e-4, 1e-4, 1.0, 1e4]) for _ in range(4)]
        else:
            p = [self.log_uniform(0.05, 20) for _ in range(4)]
        if region == 'one_time':
            p[2] = self.log_uniform(1e-3, 0.5)
            if self.kind in ('bgnbd', 'mbgnbd'):
                p[3] = self.log_uniform(1e-3, 0.5)
        if region == 'near_one':
            p[2] = self.random.choice([1.0, 1.0, 1 + 1e-12, 1 - 1e-12, 1 + 1e-9, 1 - 1e-6,
                                       1.0001, 0.999, 0.995, 1.005])
            if self.kind == 'pnbd' and self.random.random() < 0.5:
                p[3] = p[1] * self.random.choice([1.0, 1.0, 1 + 1e-10, 1 - 1e-5, 1.01])
        return p

    def customer(self, region):
        draw = self.random
        if region == 'typical':
            t = float('%.6g' % draw.uniform(0.1, 200))
            x = draw.choice([0, 0, 1, 1, 2, 3, 5, draw.randint(0, 50)])
        else:
            t = self.log_uniform(1e-2, 1e5)
            x = draw.choice([0, 1, 2, draw.randint(0, 50), draw.randint(0, 400)])
        if region == 'wide':
            x = draw.choice([x, int(self.log_uniform(1, 1e5))])
        if region == 'one_time':
            x = draw.choice([0, 0, 0, 1])
        if region == 'large_count':
            x = draw.choice([301, 350, 1000, 5000, 10001, 30000, 100000])
        if region == 'edge':
            t = draw.choice([0.0, 1.0, t, 1e5])
            x = draw.choice([0, 1, 300, 100000])
        if region == 'long_gap':
            x = draw.choice([1, 5, 20, 100, 500])
        if t == 0:
            x = 0
        t_x = 0.0
        if x > 0:
            share = draw.choice([1, draw.random(), draw.random(), 1 - 1e-3 * draw.random()])
            if region == 'long_gap':
                share = draw.random() ** 4
            t_x = float('%.6g' % (t * share))
            t_x = min(t_x, t)
        return float(x), t_x, t

    def horizon(self, region):
        if region == 'typical':
            return self.random.choice([1.0, 13.0, 26.0, 52.0, 104.0, 520.0])
        if region == 'edge':
            return self.random.choice([1e-6, 1.0, 1e6])
        return self.log_uniform(1e-3, 1e6)

    def rate(self, region):
        if region == 'typical':
            return self.random.choice([0.001, 0.0018, 0.004, 0.01])
        return self.log_uniform(1e-6, 1)

    def count(self, region):
        return float(self.random.choice([0, 1, 1, 2, 3, 5, 10, self.random.randint(0, 40),
                                         self.random.randint(0, 300)]))


def agree(name, a, b, row):
    if abs(a) < mpf(10) ** -300 and abs(b) < mpf(10) ** -300:
        return
    if abs(a - b) > mpf(10) ** -15 * max(abs(a), abs(b)):
        raise SystemExit('%s: two methods differ: %s %s at %s' % (name, a, b, row))


def legendre_nodes(count):
    """Nodes and weights of the Gauss-Legendre rule on 0..1, by Newton's method."""
    result = []
    with mp.workdps(45):
        for i in range(count):
            z = mp.cos(mp.pi * (i + mpf(3) / 4) / (count + mpf(1) / 2))
            for _ in range(100):
                p0, p1 = mpf(1), z
                for k in range(2, count + 1):
                    p0, p1 = p1, ((2 * k - 1) * z * p1 - (k - 1) * p0) / k
                slope = count * (z * p1 - p0) / (z * z - 1)
                z -= p1 / slope
                if abs(p1 / slope) < mpf(10) ** -42:
                    break
            result.append(((1 - z) / 2, 1 / ((1 - z * z) * slope * slope)))
    return result


NODES = legendre_nodes(22)


def gauss(f, points):
    """Composite Gauss-Legendre quadrature, 22 nodes on each panel."""
    total = mpf(0)
    for low, high in zip(points, points[1:]):
        total += (high - low) * sum(weight * f(low + (high - low) * node) for node, weight in NODES)
    return total


# ---------------------------------------------------------------- (M)BG/NBD

def beta_geometric(first_coin, inputs, region, index):
    p = inputs.parameters(region)
    x, t_x, t = inputs.customer(region)
    h, rate, n = inputs.horizon(region), inputs.rate(region), inputs.count(region)
    row = p + [x, t_x, t, h, rate, n]
    r, alpha, a, b = map(mpf, p)
    mx, mt_x, mt, mh, delta, mn = map(mpf, (x, t_x, t, h, rate, n))
    coins = mx + first_coin

    # likelihood, equation 6 of Fader, Hardie, Lee 2005 and its MBG counterpart
    size = r + mx
    clock = alpha + mt
    alive = mp.exp(mp.loggamma(size) - mp.loggamma(r) + r * mp.log(alpha) - size * mp.log(clock) +
                   log_beta(a, b + coins) - log_beta(a, b))
    dead = mpf(0)
    if coins > 0:
        dead = mp.exp(mp.loggamma(size) - mp.loggamma(r) + r * mp.log(alpha) -
                      size * mp.log(alpha + mt_x) + log_beta(a + 1, b + coins - 1) - log_beta(a, b))
    loglik = mp.log(alive + dead)
    p_alive = alive / (alive + dead)
    live = (size, clock, a, b + coins)

    expected = p_alive * bg_expected(live, mh)
    new = (r, alpha, a, b + first_coin)
    expected_new = (b / (a + b) if first_coin else 1) * bg_expected(new, mh)
    probability = p_alive * -mp.expm1(-size * mp.log1p(mh / clock))
    pmf = p_alive * bg_pmf(live, mh, mn) + ((1 - p_alive) if n == 0 else 0)
    discounted = dert = None
    if index % 9 == 0:
        try:
            discounted = p_alive * bg_discounted(live, mh, delta)
            dert = p_alive * bg_discounted(live, mp.inf, delta)
        except NoConvergence:
            pass

    if index % CROSS_CHECK == 0:
        if n > 0 and region == 'typical' and h > 0:
            agree('pmf', bg_pmf(live, mh, mn), bg_pmf_by_dropout(live, mh, mn), row)
        if size < 30 and index % 360 == 0 and h > 0:
            agree('discounted', bg_discounted_by_time(live, mh, delta),
                  bg_discounted_by_dropout(live, mh, delta), row)
    return row, [loglik, p_alive, expected, expected_new, pmf, probability, discounted, dert]


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def bg_expected(live, h):
    """The papers' closed form, after Pfaff's transformation, in many digits.

    mpmath's hypergeometric function is sometimes wrong altogether, so every
    value must agree with the integral over p; if not, with more digits.
    """
    size, clock, a, b = live
    if h == 0:
        return mpf(0)
    check = bg_expected_by_dropout(live, h)
    for digits in (110, 330, 1000):
        try:
            with mp.workdps(digits):
                # removable singularity
                c = a + mpf(10) ** -40 if abs(a - 1) < mpf(10) ** -30 else a
                value = (c + b - 1) / (c - 1) * (1 - mp.hyp2f1(size, c - 1, c + b - 1, -h / clock))
        except NoConvergence:
            return check
        if abs(value - check) < mpf(10) ** -15 * check:
            return value
    raise SystemExit('expected: two methods differ: %s %s' % (value, check))


def dropout_points(a, b, scale):
    """Panels in y = logit(p) for p ~ beta(a, b) and a function of p * scale
    that is constant for p * scale -> 0.  Returns also the weight of what lies
    left of the panels."""
    spread = mp.sqrt(mp.psi(1, a) + mp.psi(1, b))
    center = mp.log(a / b)
    tiny = mp.log(mpf(10) ** -24 / (scale + a + b + 1))
    full = -mp.log(mpf(10) ** -24 / (scale + a + b + 1))
    low = max(tiny, center - 14 * spread - 60 / a)
    high = min(full, center + 14 * spread + 60 / b)
    width = min(spread * 2, mpf(2))
    count = int((high - low) / width) + 1
    return [low + (high - low) * i / count for i in range(count)] + [high], tiny, full


def dropout_mean(a, b, f, scale):
    """E[f(p)], p ~ beta(a, b), in logit(p); outside the panels f is constant."""
    with mp.workdps(25):
        points, tiny, full = dropout_points(a, b, scale)
        constant = log_beta(a, b)

        def g(y):
            return mp.exp(-a * mp.log1p(mp.exp(-y)) - b * mp.log1p(mp.exp(y)) - constant) * \
                f(1 / (1 + mp.exp(-y)))
        value = gauss(g, points)
        if points[0] == tiny:
            value += f(1 / (1 + mp.exp(-tiny))) * mp.exp(a * tiny - constant) / a
        if points[-1] == full:
            value += f(1 / (1 + mp.exp(-full))) * mp.exp(-b * full - constant) / b
        return value


def bg_expected_by_dropout(live, h):
    """The mean over p of (1 - (1 + p h / clock)^-size) / p."""
    size, clock, a, b = live
    return dropout_mean(a, b, lambda p: -mp.expm1(-size * mp.log1p(p * h / clock)) / p,
                        (1 + size) * (1 + h / clock))


def bg_pmf(live, h, n):
    """n arrivals and as many coins survived, or at least n and the n-th fatal."""
    size, clock, a, b = live
    if h == 0:
        return mpf(1 if n == 0 else 0)
    hit = h / (clock + h)
    arrivals = mp.exp(mp.loggamma(size + n) - mp.loggamma(size) - mp.loggamma(n + 1) -
                      size * mp.log1p(h / clock) + n * mp.log(hit))
    if n == 0:
        return arrivals
    # incomplete beta function: I_hit(n, size), Pfaff form
    try:
        tail = mp.exp(n * mp.log(h / clock) - log_beta(n, size)) / n * \
            mp.hyp2f1(n + size, n, n + 1, -h / clock)
        # P(N >= n) lies between the first term of its sum and 1
        if not arrivals <= tail <= 1:
            return bg_pmf_by_dropout(live, h, n)
    except NoConvergence:
        return bg_pmf_by_dropout(live, h, n)
    survive = mp.exp(log_beta(a, b + n) - log_beta(a, b))
    fatal = mp.exp(log_beta(a + 1, b + n - 1) - log_beta(a, b))
    return survive * arrivals + fatal * tail


def bg_pmf_by_dropout(live, h, n):
    """The tail as one minus the sum of the arrivals below n."""
    size, clock, a, b = live
    hit = h / (clock + h)
    digits = 60 + int(max(0, -(mp.loggamma(size + n) - mp.loggamma(size) - mp.loggamma(n + 1) -
                               size * mp.log1p(h / clock) + n * mp.log(hit)) / mp.log(10)))
    with mp.workdps(min(digits, 5000)):
        hit = h / (clock + h)
        arrivals = (1 - hit) ** size
        tail = mpf(1)
        for m in range(int(n)):
            tail -= arrivals
            arrivals *= (size + m) / (m + 1) * hit
        survive = mp.exp(log_beta(a, b + n) - log_beta(a, b))
        return survive * arrivals + a / (b + n - 1) * survive * tail


def bg_discounted(live, h, delta):
    if h == 0:
        return mpf(0)
    if live[0] < 200:
        return bg_discounted_by_time(live, h, delta)
    return bg_discounted_by_dropout(live, h, delta)


def gauss_function(a, b, c, z):
    """2F1 of positive arguments, 0 <= z < 1.  mpmath's own is wrong for some
    z between 0.8 and 0.9 when b is above 100 or so: there the series."""
    if z > mpf('0.97'):
        return mp.hyp2f1(a, b, c, z)
    total = term = mpf(1)
    k = 0
    while True:
        ratio = (a + k) / (k + 1) * z
        term *= ratio * (b + k) / (c + k)
        total += term
        k += 1
        if ratio < 1 and term * ratio < total * (1 - ratio) * mp.eps:
            return total


def bg_discounted_by_time(live, h, delta):
    """int exp(-delta u) (size / clock) 2F1(size + 1, a; a + b; -u / clock) du."""
    size, clock, a, b = live
    with mp.workdps(22):
        end = mp.log1p(min(h, 60 / delta) / clock)

        def f(w):
            u = mp.expm1(w)
            return mp.exp(-delta * clock * u - size * w) * size * \
                gauss_function(size + 1, b, a + b, u / (1 + u))
        points = [mpf(0)]
        while points[-1] < end:
            w = points[-1]
            steep = size * min(1, (a + 15) / (a + b + 15)) + delta * clock * mp.exp(w + 1)
            points.append(min(end, w + min(mpf(1.5), 12 / steep)))
        return gauss(f, points)


def scaled_expint(order, x):
    """exp(x) E_order(x) by its continued fraction (DLMF 8.19.17, even part)."""
    tiny = mpf(10) ** -200
    b = x + order
    c = 1 / tiny
    d = 1 / b
    h = d
    for i in range(1, 300):
        an = -i * (order - 1 + i)
        b += 2
        d = 1 / (an * d + b)
        c = b + an / c
        step = c * d
        h *= step
        if abs(step - 1) < mpf(10) ** -(mp.mp.dps - 2):
            return h
    raise NoConvergence('continued fraction')


def bg_discounted_by_dropout(live, h, delta):
    """Given p, a difference of exponential integrals; the mean over p of that."""
    size, clock, a, b = live
    k = delta * clock

    def f(p):
        with mp.workdps(36):
            x = k / p
            value = scaled_expint(size + 1, x)
            if h != mp.inf:
                value -= mp.exp(-delta * h - size * mp.log1p(p * h / clock)) * \
                    scaled_expint(size + 1, x * (1 + p * h / clock))
            return size * value / p
    return dropout_mean(a, b, f, (1 + size) * (1 + min(h, 1 / delta) / clock))


# ---------------------------------------------------------------- Pareto/NBD

def pareto(inputs, region, index):
    p = inputs.parameters(region)
    x, t_x, t = inputs.customer(region)
    h, rate, n = inputs.horizon(region), inputs.rate(region), inputs.count(region)
    row = p + [x, t_x, t, h, rate, n]
    r, alpha, s, beta = map(mpf, p)
    mx, mt_x, mt, mh, delta, mn = map(mpf, (x, t_x, t, h, rate, n))

    size = r + mx
    # P(alive) and likelihood: int_{t_x}^{t} (alpha + y)^-(r+x) (beta + y)^-(s+1) dy
    death = race(s, beta + mt_x, size, alpha + mt_x, mt - mt_x)
    silent = mp.exp(-size * mp.log1p((mt - mt_x) / (alpha + mt_x)) -
                    s * mp.log1p((mt - mt_x) / (beta + mt_x)))
    loglik = mp.loggamma(size) - mp.loggamma(r) + r * mp.log(alpha) + s * mp.log(beta) - \
        size * mp.log(alpha + mt_x) - s * mp.log(beta + mt_x) + mp.log(silent + death)
    p_alive = silent / (silent + death)
    live = (size, alpha + mt, s, beta + mt)

    expected = p_alive * pareto_expected(live, mh)
    expected_new = pareto_expected((r, alpha, s, beta), mh)
    probability = p_alive * race(live[0], live[1], live[2], live[3], mh)
    pmf = p_alive * pareto_pmf(live, mh, mn) + ((1 - p_alive) if n == 0 else 0)
    discounted = p_alive * (pareto_dert(live, delta) -
                            mp.exp(-delta * mh) * (live[3] / (live[3] + mh)) ** s *
                            pareto_dert((live[0], live[1], s, live[3] + mh), delta))
    dert = p_alive * pareto_dert(live, delta)

    if index % CROSS_CHECK == 0:
        if mt > mt_x:
            agree('race', death, race_textbook(s, beta + mt_x, size, alpha + mt_x, mt - mt_x), row)
        if region == 'typical' and n > 0:
            agree('pmf', pareto_pmf(live, mh, mn), pareto_pmf_appell(live, mh, mn), row)
        with mp.workdps(25):
            v = mp.log1p(mh / live[3])
            agree('discounted', discounted, p_alive * live[0] / live[1] * live[3] *
                  discounted_panels(s, delta * live[3], v), row)
    return row, [loglik, p_alive, expected, expected_new, pmf, probability, discounted, dert]


def discounted_panels(s, k, end):
    points = [mpf(0)]
    end = min(end, mp.log1p(80 / k))
    while points[-1] < end:
        w = points[-1]
        points.append(min(end, w + min(mpf(1), 8 / (1 + s + k * mp.exp(w + 1)))))
    return gauss(lambda w: mp.exp((1 - s) * w - k * mp.expm1(w)), points)


def race(s, b, r, a, h):
    """s int_0^h (b/(b+u))^s (a/(a+u))^r du/(b+u), quadrature."""
    if h == 0:
        return mpf(0)
    with mp.workdps(25):
        near = min(a, b)

        def f(w):
            u = near * mp.expm1(w)
            return s * mp.exp(-s * mp.log1p(u / b) - r * mp.log1p(u / a)) / (b + u) * (near + u)
        end = mp.log1p(h / near)
        slope = (r / a + (s + 1) / b) * near    # at 0, per unit of w
        full = r + s + 1                        # at most
        points = [mpf(0)]
        step = 4 / full if 4 / full < 1 else mpf(1)
        while points[-1] < end and len(points) < 3000:
            w = points[-1]
            u = near * mp.expm1(w)
            local = (r / (a + u) + (s + 1) / (b + u)) * (near + u)
            if w > 0 and f(w) < mpf(10) ** -30 * f(points[1]) and f(w) < mpf(10) ** -30 * f(mpf(0)):
                break
            points.append(min(end, w + min(mpf(1), 6 / local)))
        return gauss(f, points)


def race_textbook(s, b, r, a, h):
    """The difference of two Gauss functions, Fader and Hardie's A_0."""
    def antiderivative(a, b):
        # int_0^inf (a+u)^-r (b+u)^-(s+1) du
        if a >= b:
            return a ** -(r + s) / (r + s) * gauss_function(r + s, s + 1, r + s + 1, (a - b) / a)
        return b ** -(r + s) / (r + s) * gauss_function(r + s, r, r + s + 1, (b - a) / b)
    digits = 60
    fall = r * mp.log1p(h / a) + s * mp.log1p(h / b)
    digits += int(max(0, -mp.log10(min(h / a + h / b, mpf(1)))))
    with mp.workdps(digits + 20):
        value = s * b ** s * a ** r * (antiderivative(a, b) - antiderivative(a + h, b + h))
    return value


def pareto_expected(live, h):
    size, clock, s, b = live
    with mp.workdps(90):
        if s == 1:
            return size / clock * b * mp.log1p(h / b)
        return size * b / (clock * (s - 1)) * -mp.expm1(-(s - 1) * mp.log1p(h / b))


def pareto_dert(live, delta):
    """Fader, Hardie, Lee 2005: the confluent hypergeometric function U(s, s, .)."""
    size, clock, s, b = live
    with mp.workdps(70):
        z = delta * b
        # U(s, s, z) = exp(z) z^(1-s)/... = exp(z) Gamma(1 - s, z)
        return size / clock * b ** s * delta ** (s - 1) * mp.exp(z) * mp.gammainc(1 - s, z)


def negative_binomial(size, clock, n, tau):
    return mp.exp(mp.loggamma(size + n) - mp.loggamma(size) - mp.loggamma(n + 1) -
                  size * mp.log1p(tau / clock) - n * mp.log1p(clock / tau))


def pareto_pmf(live, h, n):
    size, clock, s, b = live
    if h == 0:
        return mpf(1 if n == 0 else 0)
    if n == 0:
        return mp.exp(-size * mp.log1p(h / clock) - s * mp.log1p(h / b)) + race(s, b, size, clock, h)
    with mp.workdps(25):
        constant = mp.loggamma(size + n) - mp.loggamma(size) - mp.loggamma(n + 1)

        def log_f(y):
            tau = mp.exp(y)
            return constant - size * mp.log1p(tau / clock) - n * mp.log1p(clock / tau) + \
                mp.log(s) + y - mp.log(b + tau) - s * mp.log1p(tau / b)
        end = mp.log(h)
        # walk to the mode, then outwards
        low, high = end - 200, end
        for _ in range(40):
            m1, m2 = low + (high - low) / 3, high - (high - low) / 3
            if log_f(m1) < log_f(m2):
                low = m1
            else:
                high = m2
        mode = high
        peak = log_f(mode)
        step = min(mpf(1), 2 / mp.sqrt(n + size + s))

        def outwards(direction):
            points = [mode]
            width = step
            while len(points) < 600:
                point = points[-1] + direction * width
                if point > end:
                    point = end
                if point == points[-1]:
                    break
                points.append(point)
                if log_f(point) < peak - 60:
                    break
                width = min(width * 1.3, mpf(1))
            return points
        value = mpf(0)
        for direction in (1, -1):
            points = outwards(direction)
            for i in range(len(points) - 1):
                value += abs(gauss(lambda y: mp.exp(log_f(y) - peak), points[i:i + 2]))
        return negative_binomial(size, clock, n, h) * (b / (b + h)) ** s + value * mp.exp(peak)


def pareto_pmf_appell(live, h, n):
    """The integral over the time of death as Appell's F1."""
    size, clock, s, b = live
    constant = mp.exp(mp.loggamma(size + n) - mp.loggamma(size) - mp.loggamma(n + 1))
    with mp.workdps(30):
        f1 = mp.quad(lambda u: u ** n * (1 + h * u / clock) ** -(size + n) * (1 + h * u / b) ** -(s + 1),
                     mp.linspace(0, 1, 33))
    return negative_binomial(size, clock, n, h) * (b / (b + h)) ** s + \
        constant * s / b * h * (h / clock) ** n * f1


# ---------------------------------------------------------------- BG/BB

def bgbb(inputs, region, index):
    p = inputs.parameters(region)
    draw = inputs.random
    n = {'typical': draw.randint(1, 30), 'edge': draw.choice([0, 1, 300])}.get(region)
    if n is None:
        n = int(inputs.log_uniform(1, 400))
        if region == 'large_count':
            n = draw.randint(301, 3000)
        if index % 200 == 7:
            n = draw.choice([9000, 30000, 100000])
    t_x = draw.choice([0, n, draw.randint(0, n), draw.randint(0, n)])
    if region == 'long_gap':
        t_x = min(n, draw.randint(1, 5))
    if region == 'one_time':
        t_x = 0
    x = 0 if t_x == 0 else draw.choice([1, t_x, draw.randint(1, t_x)])
    h = draw.choice([1, 2, 5, 12, 52]) if region == 'typical' else int(inputs.log_uniform(1, 500))
    if index % 200 == 11:
        h = draw.choice([9000, 30000, 60000])
    k = min(h, int(inputs.count(region))) if index % 2 else draw.randint(0, h)
    rate = inputs.rate(region)
    row = p + [float(v) for v in (x, t_x, n, h)] + [rate, float(k)]
    alpha, beta, gamma, delta = map(mpf, p)
    rate = mpf(rate)

    with mp.workdps(40):
        # equation 5
        silent = mp.exp(log_beta(alpha + x, beta + n - x) - log_beta(alpha, beta) +
                        log_beta(gamma, delta + n) - log_beta(gamma, delta))
        term = mp.exp(log_beta(alpha + x, beta + t_x - x) - log_beta(alpha, beta) +
                      log_beta(gamma + 1, delta + t_x) - log_beta(gamma, delta))
        death = mpf(0)
        for i in range(n - t_x):
            death += term
            term *= (beta + t_x - x + i) / (alpha + beta + t_x + i) * \
                (delta + t_x + i) / (gamma + delta + 1 + t_x + i)
        loglik = mp.log(silent + death)
        at_n = silent / (silent + death)
        p_alive = at_n * (delta + n) / (gamma + delta + n)      # equation 11

        live = (alpha + x, beta + n - x, gamma, delta + n)
        expected = at_n * live[0] / (live[0] + live[1]) * opportunities(live, h, mpf(0))
        expected_new = alpha / (alpha + beta) * opportunities((alpha, beta, gamma, delta), h, mpf(0))
        discounted = at_n * live[0] / (live[0] + live[1]) * opportunities(live, h, rate)
        zero = bgbb_pmf(live, h, 0)
        pmf = at_n * (zero if k == 0 else bgbb_pmf(live, h, k)) + (1 - at_n if k == 0 else 0)
        probability = at_n * bgbb_probability(live, h)
        z = mp.exp(-rate)
        a, b, g, d = live
        dert = at_n * a / (a + b) * d / (g + d) * z * mp.hyp2f1(1, d + 1, g + d + 1, z)

        if index % CROSS_CHECK == 0:
            agree('probability', bgbb_probability(live, h), 1 - zero, row) \
                if bgbb_probability(live, h) > mpf(10) ** -20 else None
            if h < 100:
                mean = sum(i * bgbb_pmf(live, h, i) for i in range(1, h + 1))
                agree('mean', mean, live[0] / (live[0] + live[1]) * opportunities(live, h, mpf(0)), row)
            if gamma != 1 and abs(gamma - 1) > 1e-3:
                # equation 13's closed form
                closed = d / (g - 1) * (1 - mp.exp(mp.loggamma(d + 1 + h) - mp.loggamma(d + 1) +
                                                   mp.loggamma(g + d) - mp.loggamma(g + d + h)))
                agree('opportunities', closed, opportunities(live, h, mpf(0)), row)
    return row, [loglik, p_alive, expected, expected_new, pmf, probability, discounted, dert]


def opportunities(live, h, rate):
    """Sum of exp(-rate k) P(alive at the k-th opportunity from now)."""
    a, b, g, d = live
    total, alive, z = mpf(0), mpf(1), mp.exp(-rate)
    for k in range(1, h + 1):
        alive *= (d + k - 1) / (g + d + k - 1) * z
        total += alive
    return total


def bgbb_pmf(live, h, k):
    """Equation 8 for a live customer."""
    a, b, g, d = live
    count = mp.exp(log_beta(a + k, b) - log_beta(a, b))             # i = k
    death = mp.exp(log_beta(g + 1, d + k) - log_beta(g, d))
    total = mpf(0)
    for i in range(k, h):
        total += count * death
        count *= mpf(i + 1) / (i + 1 - k) * (b + i - k) / (a + b + i)
        death *= (d + i) / (g + d + 1 + i)
    return total + count * mp.exp(log_beta(g, d + h) - log_beta(g, d))


def bgbb_probability(live, h):
    """The first purchase is at the k-th opportunity from now."""
    a, b, g, d = live
    total, silent, alive = mpf(0), mpf(1), mpf(1)
    for k in range(1, h + 1):
        alive *= (d + k - 1) / (g + d + k - 1)
        total += silent * a / (a + b + k - 1) * alive
        silent *= (b + k - 1) / (a + b + k - 1)
    return total


# ---------------------------------------------------------------- output

def text(value):
    if value is None:
        return ''
    if abs(value) < mpf(10) ** -300:
        return '0'
    return mp.nstr(mpf(value), 17, min_fixed=-4, max_fixed=6)


def main():
    kind = sys.argv[1]
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS[kind]
    inputs = Inputs({'bgnbd': 101, 'mbgnbd': 102, 'pnbd': 103, 'bgbb': 104}[kind], kind)
    names = {'pnbd': ['r', 'alpha', 's', 'beta'],
             'bgbb': ['alpha', 'beta', 'gamma', 'delta']}.get(kind, ['r', 'alpha', 'a', 'b'])
    out = csv.writer(sys.stdout, lineterminator='\n')
    out.writerow(['region'] + names + ['x', 't_x', 't', 'horizon', 'rate', 'n', 'loglik', 'p_alive',
                                       'expected', 'expected_new', 'pmf', 'probability',
                                       'discounted', 'dert'])
    compute = {'bgnbd': lambda *a: beta_geometric(0, *a), 'mbgnbd': lambda *a: beta_geometric(1, *a),
               'pnbd': pareto, 'bgbb': bgbb}[kind]
    written = index = 0
    while written < rows:
        region = Inputs.REGIONS[index % len(Inputs.REGIONS)]
        index += 1
        try:
            row, values = compute(inputs, region, index)
        except (NoConvergence, ValueError, ZeroDivisionError) as problem:
            print('row %d (%s) skipped: %s' % (index, region, str(problem)[:60]), file=sys.stderr)
            continue
        if any(v is not None and (mp.isnan(v) or mp.isinf(v) or abs(v) > mpf(10) ** 300)
               for v in values):
            print('row %d (%s) skipped: not finite' % (index, region), file=sys.stderr)
            continue
        out.writerow([region] + [repr(v) for v in row] + [text(v) for v in values])
        written += 1
        sys.stdout.flush()


if __name__ == '__main__':
    main()
