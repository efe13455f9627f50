"""What the processes of a fleet do: evaluate a hot flag out of their caches, or start and hand their data set to init."""

from dataclasses import dataclass

from harness.units import query_units, read_units, write_units

from . import constants as rust
from .engine import OK, Budget, Pace, attempts

# What an SDK waits before it hands its data set to a store again that failed: not this library's, and alike in all SDKs.
SDK_FIRST_WAIT, SDK_LONGEST_WAIT = 1.0, 30.0
# Threads of a process that evaluate flags; without coalescing each of them reads for itself.
THREADS = 16


@dataclass(frozen=True)
class Rules:
    """What bounds the load; each can be switched off, to see what it is good for."""

    jitter: bool = True  # of the time to live
    refresh_ahead: bool = True
    coalescing: bool = True
    stale: bool = True
    soft_wait: bool = True  # who has a stale value waits so long for DynamoDB, and no longer
    breaker: bool = True  # after a failure, stale values are served for a while without trying
    tokens: bool = True  # bound what a store spends on trying again
    retry_jitter: bool = True
    host: bool = True  # where processes share one, its cache is used
    diffing: bool = True
    pacing: bool = True


@dataclass
class Seen:
    """What the callers of all processes noticed."""

    waited: float = 0  # evaluations that waited for a request
    longest: float = 0  # seconds that one waited
    stale: float = 0  # evaluations that got a stale value
    failed: float = 0  # evaluations that got an error
    ready: int = 0  # processes that are initialised
    ready_at: float = 0  # when the last one was


@dataclass
class Host:
    """src/store/host_cache: what the processes of a host know together, of one flag."""

    read: float = float("-inf")
    claimed: bool = False


class Reader:
    """src/store/read_through: one flag in one process, evaluated `rate` times a second, read first at `start`."""

    def __init__(self, simulation, table, seen, rate, ttl, size, host=None):
        self._simulation, self._table, self._seen = simulation, table, seen
        self._host = host if simulation.rules.host else None
        self._rate, self._ttl, self._units = rate, ttl, read_units(size, True)
        self._budget = Budget(simulation)
        self._expires, self._began, self._reading = 0.0, 0.0, 0
        # The breaker: how long its last pause was, which ends it when it is closed, and when somebody may probe.
        self._pause, self._probe_at = 0.0, 0.0

    def run(self, start, age=0.0):
        """Read `age` seconds before `start`; the first read of all is no part of what is looked at."""
        yield start
        hot = self._keep(age)
        while True:
            yield from self._sleep_until_read(hot)
            expired, probing = self._expires, self._pause > 0
            self._reading += 1
            outcome = yield from self._read()
            self._reading -= 1
            hot = self._done(outcome, expired, probing)

    def _keep(self, age=0.0):
        """A value was read. Returns when it is refreshed, if it is."""
        simulation, rules = self._simulation, self._simulation.rules
        ttl = self._ttl * (1 - rust.TTL_JITTER * simulation.random.random() if rules.jitter else 1)
        if self._host and self._host.read > float("-inf"):
            age = simulation.now - self._host.read
        elif age >= rust.REFRESH_AT * ttl:
            # What is older than its time to live was read again meanwhile, who knows when.
            age = simulation.random.random() * rust.REFRESH_AT * ttl
        self._expires = simulation.now - age + ttl
        refresh = simulation.now - age + rust.REFRESH_AT * ttl
        evaluations = sum(simulation.exponential(self._rate) for _ in range(int(rust.HOT_HITS)))
        return refresh if rules.refresh_ahead and evaluations <= rust.REFRESH_AT * ttl else None

    def _sleep_until_read(self, refresh):
        """Until an evaluation finds that the value must be read."""
        simulation = self._simulation
        if refresh is not None:
            at = max(refresh, simulation.now) + simulation.exponential(self._rate)
            if at < self._expires:
                yield max(0.0, at - simulation.now)
                return
        expired = max(simulation.now, self._expires)
        until = max(expired, self._probe_at) if self._pause else expired
        self._seen.stale += self._rate * (until - expired)
        yield until - simulation.now + simulation.exponential(self._rate)

    def _read(self):
        simulation = self._simulation
        self._began = simulation.now
        if not simulation.rules.coalescing and simulation.now >= self._expires:
            simulation.wake(self._others())
        return (yield from (self._by_host() if self._host else self._attempts()))

    def _by_host(self):
        """Out of the host's files, unless this process is the one that asks."""
        simulation, host = self._simulation, self._host
        while True:
            age = simulation.now - host.read
            if age < rust.HOST_ASKS_AT * self._ttl or (age < self._ttl and host.claimed):
                return OK
            if not host.claimed:
                host.claimed, began = True, simulation.now
                outcome = yield from self._attempts()
                host.claimed = False
                if outcome == OK:
                    host.read = began
                return outcome
            yield rust.HOST_LOOKS

    def _attempts(self):
        ends = self._simulation.now + rust.TIMEOUT
        return attempts(self._simulation, self._table, "read", self._units, ends, budget=self._budget)

    def _others(self):
        """Without coalescing: whoever misses the same meanwhile reads it too, until the breaker opens."""
        expired = self._expires
        while self._simulation.now - self._began < self._patience():
            yield self._simulation.exponential(self._rate)
            if self._expires != expired or not self._reading:
                return
            if self._reading < THREADS:
                self._reading += 1
                self._simulation.wake(self._other())

    def _other(self):
        outcome = yield from self._attempts()
        self._reading -= 1
        if outcome == OK and self._simulation.now >= self._expires:
            self._keep()

    def _stands_in(self):
        return self._simulation.rules.stale and self._simulation.now < self._expires + rust.STALE

    def _patience(self):
        return rust.SOFT_WAIT if self._stands_in() and self._simulation.rules.soft_wait else rust.TIMEOUT

    def _done(self, outcome, expired, probing):
        """What the evaluations during a read got. Returns when the value is refreshed, if it is."""
        simulation, seen = self._simulation, self._seen
        now, stands_in = simulation.now, self._stands_in()
        # Who came after the expiry waited for this answer; or until it was known that it is late.
        since = max(self._began, expired)
        lasted = max(0.0, now - since)
        waits = 0.0 if probing else min(lasted, self._patience())
        late = waits < lasted
        # Once the breaker is open nobody waits any more.
        waited = self._rate * (waits if simulation.rules.breaker else lasted)
        waited += waits > 0 and self._began >= expired
        seen.waited += waited
        seen.longest = max(seen.longest, waits)
        if stands_in:
            seen.stale += self._rate * lasted + 1 if late or probing else waited if outcome != OK else 0
        elif outcome != OK:
            seen.failed += waited
        if outcome == OK:
            self._pause = 0.0
            return self._keep()
        if stands_in and simulation.rules.breaker:
            self._failed(probing, since + waits if late else now)
        return None

    def _failed(self, probing, opened):
        """src/store/read_through/breaker.rs: a read failed, and the breaker opened then, if it was closed. A process has one
        flag here: nobody else takes the probe that is left to others."""
        if not probing:
            self._pause = rust.BREAKER_FIRST
            self._probe_at = opened + self._jittered(rust.BREAKER_FIRST) + rust.BREAKER_LEFT
        if probing or self._probe_at < self._simulation.now:
            # A probe that was due meanwhile waited for the same answer.
            self._pause = min(2 * self._pause, rust.BREAKER_LONGEST)
            self._probe_at = self._simulation.now + self._jittered(self._pause) + rust.BREAKER_LEFT

    def _jittered(self, pause):
        return pause * (1 - 0.5 * self._simulation.random.random())


class Starter:
    """src/store/init.rs: one process that starts, and hands `flags` unchanged flags to init until that succeeds."""

    def __init__(self, simulation, table, seen, flags, size):
        self._simulation, self._table, self._seen = simulation, table, seen
        self._flags, self._size = flags, size

    def run(self, start):
        yield start
        wait = SDK_FIRST_WAIT
        while not (yield from self._init()):
            yield wait * (0.5 + 0.5 * self._simulation.random.random())
            wait = min(2 * wait, SDK_LONGEST_WAIT)
        self._seen.ready += 1
        self._seen.ready_at = self._simulation.now

    def _init(self):
        simulation, table = self._simulation, self._table
        deadline = simulation.now + rust.INIT_TIMEOUT
        # The pages of flags, those of segments (none), and after the writes the row that says that there is a data set.
        reads = [query_units(1, 1, True), read_units(0, True)]
        page = query_units(self._flags, self._size, True)
        pace = Pace(simulation)
        for units in (page, reads[0]):
            if (yield from attempts(simulation, table, "read", units, deadline, pace)) != OK:
                return False
        if not simulation.rules.diffing and not (yield from self._write_all(deadline, pace)):
            return False
        return (yield from attempts(simulation, table, "read", reads[1], deadline, pace)) == OK

    def _write_all(self, deadline, pace):
        simulation = self._simulation
        parent = simulation.current
        left, done, workers = [self._flags], [0], min(int(rust.WRITE_CONCURRENCY), self._flags)

        def worker():
            while left[0]:
                left[0] -= 1
                outcome = yield from attempts(simulation, self._table, "write", write_units(self._size), deadline, pace)
                done[0] += outcome == OK
            ended[0] += 1
            if ended[0] == workers:
                simulation.wake(parent)

        ended = [0]
        for _ in range(workers):
            simulation.wake(worker())
        yield None
        return done[0] == self._flags
