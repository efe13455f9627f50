"""Which request meets which fault: rules as they are posted, checked word by word, and the dice.

The dice have no order. Whether a rule acts on a request, and which of its actions, is computed from the seed, the rule
and the request's own name (operation, namespace, key, and how often that was asked before), so that the same seed gives
a request the same fate however threads and processes take turns.
"""

from __future__ import annotations

import hashlib

from actions import ACTIONS


class Refused(Exception):
    """The script has a mistake: a fault that is never injected would prove nothing."""


def dice(*parts: object) -> float:
    """A number from 0 to below 1 that looks random and is the same for the same parts."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


class Action:
    """What to do with a request: a name out of ACTIONS, with its parameters."""

    def __init__(self, given: object):
        words = {"do": given} if isinstance(given, str) else given
        if not isinstance(words, dict) or not isinstance(words.get("do"), str):
            raise Refused(f'an action is a name, or an object with a "do", not {given!r}')
        self.name = words["do"]
        if self.name not in ACTIONS:
            raise Refused(f"there is no action {self.name!r}; there are {', '.join(ACTIONS)}")
        self.run, defaults = ACTIONS[self.name]
        self.parameters = dict(defaults)
        for name, value in words.items():
            if name == "do":
                continue
            if name not in defaults:
                known = ", ".join(defaults) or "no parameters"
                raise Refused(f"the action {self.name!r} has no parameter {name!r}; it has {known}")
            self.parameters[name] = checked(f"{self.name}: {name}", value, defaults[name])

    def __str__(self) -> str:
        words = [str(self.parameters[name]) for name in ("type", "status") if name in self.parameters]
        at = self.parameters.get("at")
        return " ".join([self.name, *words, *(["at", at] if at else [])])


def checked(name: str, value: object, default: object) -> object:
    if not (is_number(value) if is_number(default) else type(value) is type(default)):
        raise Refused(f"{name} is {value!r}, and should be like {default!r}")
    if name.endswith(": at") and value not in ("request", "response", "body", "end"):
        raise Refused(f'{name} is {value!r}, and should be "request", "response", "body" or "end"')
    return value


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Rule:
    """When to act, and how."""

    MEMBERS = ("operation", "namespace", "key", "nth", "from", "to", "probability", "times", "do")

    def __init__(self, number: int, given: object):
        if not isinstance(given, dict) or "do" not in given:
            raise Refused(f'rule {number} is not an object with a "do"')
        unknown = [name for name in given if name not in self.MEMBERS]
        if unknown:
            raise Refused(f"rule {number} has no member {unknown[0]!r}; it has {', '.join(self.MEMBERS)}")
        self.number = number
        self.only = {name: as_list(given[name]) for name in ("operation", "namespace", "key") if name in given}
        self.first = given.get("nth", given.get("from", 1))
        self.last = given.get("nth", given.get("to", float("inf")))
        self.probability = given.get("probability", 1)
        self.left = given.get("times", float("inf"))
        for name in ("nth", "from", "to", "probability", "times"):
            if name in given and not is_number(given[name]):
                raise Refused(f"rule {number}: {name} is {given[name]!r}, and should be a number")
        self.actions = [Action(one) for one in as_list(given["do"])]
        self.seen = 0

    def action(self, seed: int, request: dict) -> Action | None:
        """What this rule does with a request; None if it leaves it alone."""
        if any(request[name] not in wanted for name, wanted in self.only.items()):
            return None
        self.seen += 1
        if not self.first <= self.seen <= self.last or self.left <= 0:
            return None
        name = (seed, self.number, request["identity"], request["attempt"])
        if dice("whether", *name) >= self.probability:
            return None
        self.left -= 1
        return self.actions[int(dice("which", *name) * len(self.actions))]


def as_list(given: object) -> list:
    return given if isinstance(given, list) else [given]


class Script:
    """The rules in force: the first that acts on a request decides."""

    def __init__(self, given: object, seed: int):
        if not isinstance(given, dict) or set(given) - {"rules", "seed"} or not isinstance(given.get("rules"), list):
            raise Refused('a script is {"rules": [...]}, with a "seed" if the generator is to have another one')
        self.seed = given.get("seed", seed)
        if not isinstance(self.seed, int):
            raise Refused(f"the seed is {self.seed!r}, and should be a whole number")
        self.rules = [Rule(number, rule) for number, rule in enumerate(given["rules"])]
        self.asked: dict[str, int] = {}

    def name(self, request: dict) -> None:
        """Tells a request from the earlier ones for the same thing."""
        identity = request["identity"]
        self.asked[identity] = request["attempt"] = self.asked.get(identity, 0) + 1

    def action(self, request: dict) -> tuple[int | None, Action | None]:
        """The rule's number and its action. Every rule counts the request, also when an earlier one acts on it."""
        acting = [(rule.number, action) for rule in self.rules if (action := rule.action(self.seed, request))]
        return acting[0] if acting else (None, None)
