"""The statistics of a study's plan, Study.md, from its definitions alone: bootstrap, tests, correction."""

import math
import statistics

import numpy as np

from report_logs import interval, mean, student, within

REPLICATES = 10_000
FEWEST_PAIRS = 3
FEWEST_UNITS = 8
RATIO_MARGIN = 1.1
ACCURACY_MARGIN = 0.001
LEVEL = 0.05


def philox(replicates, count):
    """The first `count` 32-bit numbers of each replicate's stream: [replicates, count]."""
    blocks = -(-count // 4)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    x = np.broadcast_to(np.arange(blocks, dtype=np.uint64), (len(replicates), blocks)).copy()
    y = np.broadcast_to(np.asarray(replicates, np.uint64)[:, None] & mask, x.shape).copy()
    z = np.broadcast_to(np.asarray(replicates, np.uint64)[:, None] >> shift, x.shape).copy()
    w = np.full(x.shape, 5 << 16, np.uint64)
    a, b = 1, 0
    for _ in range(10):
        p, q = x * np.uint64(0xD2511F53), z * np.uint64(0xCD9E8D57)
        x, y, z, w = (
            (q >> shift) ^ y ^ np.uint64(a), q & mask, (p >> shift) ^ w ^ np.uint64(b), p & mask
        )  # fmt: skip
        a, b = (a + 0x9E3779B9) & 0xFFFFFFFF, (b + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([x, y, z, w], axis=2).reshape(len(replicates), -1)[:, :count]


def places(draws, count):
    return ((draws * np.uint64(count)) >> np.uint64(32)).astype(int)


def normal_quantile(p):
    return statistics.NormalDist().inv_cdf(p)


class Bootstrap:
    def __init__(self, estimate, replicates, units, degrees=None, inflation=None):
        self.estimate, self.units = estimate, units
        self.replicates = np.sort(replicates)
        self.degrees = degrees or max(units - 1, 1)
        self.inflation = inflation or units / max(units - 1, 1)

    @property
    def interval(self):
        low, high = self.replicates[[0, -1]]
        if low == high or self.units < FEWEST_UNITS:
            return None
        tail = statistics.NormalDist().cdf(-student(self.degrees) * math.sqrt(self.inflation))
        return tuple(float(np.quantile(self.replicates, q)) for q in (tail, 1 - tail))

    def p(self, value):
        below, equal = (self.replicates < value).sum(), (self.replicates == value).sum()
        share = (below + equal / 2 + 0.5) / (len(self.replicates) + 1)
        t = -normal_quantile(min(share, 1 - share)) / math.sqrt(self.inflation)
        return 1.0 if t <= 0 else 1 - within(t, self.degrees)

    def effect(self, margin):
        """(estimate, p, margin), or None where there is nothing to test."""
        if self.units < FEWEST_UNITS:
            return None
        constant = self.replicates[0] == self.replicates[-1]
        p = sides(self.estimate, margin, self.units) if constant else self.p(margin)
        return self.estimate, p, margin


def of_ratios(slow, fast):
    """Of restricted means, the geometric mean over batches: two [batches, seeds] of restricted times."""
    slow, fast = np.asarray(slow, float), np.asarray(fast, float)
    seeds = slow.shape[1]
    drawn = places(philox(range(REPLICATES), seeds), seeds)

    def figure(at):
        ratios = slow[:, at].mean(axis=-1) / fast[:, at].mean(axis=-1)
        return np.exp(np.log(ratios).mean(axis=0)) if len(slow) > 1 else ratios[0]

    return Bootstrap(float(figure(np.arange(seeds))), figure(drawn), seeds)


def of_mean(times):
    times = np.asarray(times, float)
    drawn = places(philox(range(REPLICATES), len(times)), len(times))
    return Bootstrap(float(times.mean()), times[drawn].mean(axis=1), len(times))


def of_table(table):
    """Over the rows (seeds) and the columns (digits)."""
    table = np.asarray(table, float)
    n, m = table.shape
    replicates = np.empty(REPLICATES)
    for start in range(0, REPLICATES, 100):
        drawn = philox(range(start, start + 100), n + m)
        for i, (rows, columns) in enumerate(zip(places(drawn[:, :n], n), places(drawn[:, n:], m))):
            counts = np.bincount(rows, minlength=n) @ table
            replicates[start + i] = counts @ np.bincount(columns, minlength=m) / (n * m)
    whole = table.mean()
    if n < 2 or m < 2 or replicates.std() == 0:
        return Bootstrap(float(whole), replicates, n)
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    a = m * ((rows - whole) ** 2).sum() / (n - 1)
    b = n * ((columns - whole) ** 2).sum() / (m - 1)
    e = ((table - rows[:, None] - columns + whole) ** 2).sum() / ((n - 1) * (m - 1))
    total = max(a + b - e, e)
    degrees = total**2 / (a**2 / (n - 1) + b**2 / (m - 1) + e**2 / ((n - 1) * (m - 1)))
    inflation = total / (n * m) / replicates.var(ddof=1)
    return Bootstrap(float(whole), replicates, n, max(1, int(min(degrees, 1000))), float(inflation))


def sides(value, margin, count):
    """The sign test, all pairs being on one side."""
    return 1.0 if value == margin else min(1.0, 2 * 0.5**count)


def student_effect(values, margin):
    if len(values) < FEWEST_PAIRS:
        return None
    deviation = statistics.stdev(values)
    if deviation == 0:
        return mean(values), sides(mean(values), margin, len(values)), margin
    t = (mean(values) - margin) / (deviation / math.sqrt(len(values)))
    return mean(values), 1 - within(abs(t), len(values) - 1), margin


def student_interval(values):
    """None around a constant."""
    return interval(values) if len(values) >= FEWEST_PAIRS and statistics.stdev(values) > 0 else None


def log_rank(first, second):
    """(chi square, p) of pairs of (time, reached): only who is first in a pair tells; None if none is."""
    wins = [0, 0]
    for (a, a_reached), (b, b_reached) in zip(first, second):
        if a_reached and (a < b or (a == b and not b_reached)):
            wins[0] += 1
        elif b_reached and (b < a or (a == b and not a_reached)):
            wins[1] += 1
    if sum(wins) == 0:
        return None, None
    square = (wins[0] - wins[1]) ** 2 / sum(wins)
    return square, math.erfc(math.sqrt(square / 2))


def mcnemar(first, second):
    count = first + second
    if first == second:
        return 1.0
    return min(1.0, 2 * sum(math.comb(count, k) for k in range(min(first, second) + 1)) / 2**count)


def verdicts(effects):
    """Holm's correction over the effects that are there: (verdict, adjusted p), and None where there is none."""
    order = sorted((e[1], i) for i, e in enumerate(effects) if e)
    found, largest = [None] * len(effects), 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        estimate, _, margin, *bound = effects[i]
        word = "inconclusive" if largest > LEVEL else "supported" if estimate > margin else "refuted"
        # A bound decides on its own side alone.
        if bound and (word, bound[0]) in (("supported", "at most"), ("refuted", "at least")):
            word = "inconclusive"
        found[i] = word, largest
    return found
