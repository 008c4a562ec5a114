"""Alarms: the instants at which a core wants to be called again."""

import math
from collections.abc import Hashable


class Alarms[Name: Hashable]:
    """At most one instant per name; names and instants are the user's."""

    def __init__(self) -> None:
        self._at: dict[Name, float] = {}
        self._earliest = math.inf
        """Not later than any of them: setting one must cost nothing, since each chunk of audio does."""

    def __contains__(self, name: Name) -> bool:
        return name in self._at

    def set(self, name: Name, at: float) -> None:
        """Replaces the name's earlier instant."""
        self._at[name] = at
        self._earliest = min(self._earliest, at)

    def clear(self, *names: Name) -> None:
        """They do not ring."""
        for name in names:
            self._at.pop(name, None)

    def clear_all(self) -> None:
        """Nothing rings."""
        self._at.clear()

    @property
    def deadline(self) -> float | None:
        """When to ask `due`: at the earliest instant, or before it if that was put off since."""
        return self._earliest if self._at else None

    def due(self, now: float) -> list[Name]:
        """The names that ring now, earliest first; each rings once."""
        if now < self._earliest:
            return []
        names = sorted((name for name, at in self._at.items() if at <= now), key=self._at.__getitem__)
        self.clear(*names)
        self._earliest = min(self._at.values(), default=math.inf)
        return names
