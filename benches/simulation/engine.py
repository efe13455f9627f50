"""Simulated time, the table, and requests with their retries."""

import heapq
import itertools
import math
from collections import deque
from random import Random

from . import constants as rust

# One partition: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
READ_UNITS, WRITE_UNITS = 3_000, 1_000  # a second
LATENCY = 0.005
OK, THROTTLED, FAILED, SILENT, SLOW = "ok", "throttled", "failed", "silent", "slow"
# How long an answer takes where DynamoDB is slow.
SLOW_LATENCY = 0.6


class Simulation:
    """Runs generators: each yields for how many seconds it sleeps, or None to sleep until somebody wakes it."""

    def __init__(self, seed, rules):
        self.random, self.rules, self.now = Random(seed), rules, 0.0
        self._queue, self._order = [], itertools.count()
        self.current = None

    def wake(self, task):
        heapq.heappush(self._queue, (self.now, next(self._order), task))

    def run(self, until):
        queue = self._queue
        while queue and queue[0][0] < until:
            self.now, _, self.current = heapq.heappop(queue)
            sleeps = next(self.current, None)
            if sleeps is not None:
                heapq.heappush(queue, (self.now + sleeps, next(self._order), self.current))
        self.now = until

    def exponential(self, rate):
        return -math.log(1.0 - self.random.random()) / rate


class Table:
    """One partition. What was not used in a second is lost: bursts of five minutes' leftovers are not counted on."""

    def __init__(self, simulation, outage=None):
        """`outage` is when it begins and ends, what becomes of requests meanwhile, and of which share of them."""
        self._simulation, self._outage = simulation, outage
        self._units = {"read": READ_UNITS, "write": WRITE_UNITS}
        self._rates = dict(self._units)
        self._filled = {"read": 0.0, "write": 0.0}
        self.seconds = {}  # requests, throttled and failed by second
        self.used = {"read": 0, "write": 0}

    def request(self, kind, units):
        now = self._simulation.now
        counts = self.seconds.setdefault(int(now), [0, 0, 0])
        counts[0] += 1
        if self._outage and self._outage[0] <= now < self._outage[1] and self._is_hit():
            counts[2] += 1
            return self._outage[2]
        rate = self._rates[kind]
        left = min(rate, self._units[kind] + (now - self._filled[kind]) * rate)
        self._filled[kind] = now
        if left < units:
            self._units[kind] = left
            counts[1] += 1
            return THROTTLED
        self._units[kind] = left - units
        self.used[kind] += units
        return OK

    def _is_hit(self):
        share = self._outage[3]
        return share == 1 or self._simulation.random.random() < share


def attempts(simulation, table, kind, units, deadline, pace=None, budget=None):
    """src/dynamo/retry.rs: a request until it succeeds, fails for good, or the deadline comes."""
    paid = 0
    for number in itertools.count(1):
        if pace:
            yield from pace.turn()
        if simulation.now >= deadline:
            return FAILED
        outcome = table.request(kind, units)
        # Silence is a connection on which no answer comes.
        if outcome == SILENT:
            yield min(rust.ATTEMPT_TIMEOUT, deadline - simulation.now)
        else:
            yield SLOW_LATENCY if outcome == SLOW else LATENCY
        outcome = OK if outcome == SLOW else outcome
        if pace:
            pace.answered(outcome)
        if outcome == OK:
            if pace:
                pace.back()
            if budget:
                budget.succeeded(paid)
            return OK
        patient = pace and not pace.outage()
        most = math.inf if patient else rust.THROTTLED_ATTEMPTS if outcome == THROTTLED else rust.ATTEMPTS
        left = deadline - simulation.now
        paid = rust.RETRY_AFTER_TIMEOUT if outcome == SILENT else rust.RETRY
        if number >= most or (budget and not budget.pay(paid)) or left < rust.FIRST_PAUSE:
            if pace:
                pace.back()
            return outcome
        yield min(pause(simulation, number), left / 2)
        if pace:
            pace.back()


class Budget:
    """src/dynamo/budget.rs: what one store may spend on trying again."""

    def __init__(self, simulation):
        self._bounded, self._tokens = simulation.rules.tokens, rust.TOKENS

    def pay(self, cost):
        if self._bounded and self._tokens < cost:
            return False
        self._tokens -= cost
        return True

    def succeeded(self, paid):
        self._tokens = min(self._tokens + max(paid, rust.SUCCESS), rust.TOKENS)


def pause(simulation, number):
    """Full jitter: anything up to the doubled pause."""
    longest = min(rust.FIRST_PAUSE * 2 ** min(number, rust.MOST_DOUBLINGS), rust.LONGEST_PAUSE)
    return longest * (simulation.random.random() if simulation.rules.retry_jitter else 1)


class Pace:
    """src/dynamo/pace.rs: how many writes of one init are in flight."""

    def __init__(self, simulation):
        self._simulation, self._paced = simulation, simulation.rules.pacing
        self._size = min(rust.FIRST_WINDOW, rust.WRITE_CONCURRENCY) if self._paced else rust.WRITE_CONCURRENCY
        self._in_flight, self._waiting = 0, deque()
        self._decreased = self._heard = -math.inf

    def turn(self):
        """Waits for it; `back` gives it back."""
        while self._in_flight >= max(1, int(self._size)):
            self._waiting.append(self._simulation.current)
            yield None
        self._in_flight += 1

    def answered(self, outcome):
        now = self._simulation.now
        if outcome in (OK, THROTTLED):
            self._heard = now
        if not self._paced:
            return
        if outcome == OK:
            step = 1 / self._size if self._decreased > -math.inf else 1
            self._size = min(self._size + step, rust.WRITE_CONCURRENCY)
        elif now - self._decreased >= rust.ONE_DECREASE_PER:
            self._size = max(self._size / rust.DECREASE, 1)
            self._decreased = now

    def outage(self):
        """Whether the table was silent for so long that waiting for it makes no sense."""
        return self._simulation.now - self._heard > rust.SILENT_FOR_GOOD

    def back(self):
        self._in_flight -= 1
        for _ in range(min(len(self._waiting), 2)):
            self._simulation.wake(self._waiting.popleft())
