"""What a plan is made of: each step is one write, safe to repeat."""

from dataclasses import dataclass

from opensqt_operator.bots import Order
from opensqt_operator.names import Kind, Object


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply a child."""

    kind: Kind
    manifest: Object
    force: bool = True
    """Take the fields from whoever set them; without it, what somebody else has made in the meantime is a conflict."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the child of exactly this uid."""

    kind: Kind
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class HoldOn:
    """Put our finalizer on the resource."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """Take our finalizer off the resource."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Configure the bot."""

    order: Order


@dataclass(frozen=True, slots=True)
class Announce:
    """Post an Event about the resource."""

    reason: str
    message: str
    warning: bool = False


Step = Apply | Delete | HoldOn | LetGo | Tell | Announce


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, what it is for, and when to look again at the latest."""

    steps: tuple[Step, ...] = ()
    reason: str = "UpToDate"
    """CamelCase: why the resource is not (or is) what its spec asks for; the reason of Progressing."""
    message: str = ""
    progressing: bool = False
    look_again: float | None = None
    """Seconds."""
    blocked: bool = False
    """Something that is not ours is in the way; no event tells when it is gone."""

    @property
    def needs_live(self) -> bool:
        """Whether it must be made from live objects: what the cache remembers is not enough to change anything."""
        return self.blocked or any(isinstance(step, Apply | Delete | HoldOn | LetGo) for step in self.steps)
