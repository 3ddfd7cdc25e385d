"""The pods of one Deployment in release_world: they start, are ready, get endpoints a tick later, and end."""

from dataclasses import dataclass

from slipway_operator.planning.observed import Workload


@dataclass
class Pods:
    wanted: int = 0
    starting: int = 0
    ready: int = 0
    ending: int = 0
    endpoints: int = 0

    @property
    def alive(self):
        return self.starting + self.ready + self.ending

    def scale(self, wanted):
        self.wanted = wanted
        surplus = self.starting + self.ready - wanted
        if surplus > 0:
            fewer = min(self.starting, surplus)
            self.starting -= fewer
            self.ready -= surplus - fewer
            self.ending += surplus - fewer
            self.endpoints = min(self.endpoints, self.ready)

    def tick(self, *, works):
        """Whether anything moved. Endpoints are what was ready a tick before."""
        if self.ready == self.endpoints == self.wanted and not (self.starting or self.ending) and works:
            return False
        before, was_ready = (self.starting, self.ready, self.ending, self.endpoints), self.ready
        self.ending = 0
        if works:
            self.ready += self.starting
            self.starting = 0
        else:
            self.starting += self.ready
            self.ready = 0
        self.endpoints = min(self.ready, max(self.endpoints, was_ready))
        self.starting += max(0, self.wanted - self.ready - self.starting)
        return before != (self.starting, self.ready, self.ending, self.endpoints)

    def lose(self, count):
        lost = min(count, self.ready)
        self.ready -= lost
        self.endpoints = min(self.endpoints, self.ready)

    def view(self):
        return Workload(self.wanted, self.alive, self.ready, self.endpoints)
