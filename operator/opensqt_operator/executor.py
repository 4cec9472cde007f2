"""Carries plans out: each step is one write, in order; what the API server answers goes into the cache at once."""

from collections.abc import Awaitable, Callable

from opensqt_operator.api_client import ApiClient, RefusedError, StaleError
from opensqt_operator.bots import Order
from opensqt_operator.cache import Cache
from opensqt_operator.events import Events
from opensqt_operator.names import FINALIZER, Kind, Object
from opensqt_operator.steps import Announce, Apply, Delete, HoldOn, LetGo, Step, Tell

TellBot = Callable[[Order], Awaitable[None]]


class Executor:
    """The writing half of a reconcile."""

    def __init__(self, api: ApiClient, cache: Cache, events: Events) -> None:
        self._api, self._cache, self._events = api, cache, events

    async def carry_out(self, kind: Kind, raw: Object, steps: tuple[Step, ...], tell: TellBot | None = None) -> None:
        """Take the steps for the resource `raw`.

        Raises:
            RequestError, ConfigureError: a step failed; those after it were not taken.
        """
        for step in steps:
            match step:
                case HoldOn():
                    raw = await self._set_finalizer(kind, raw, held=True)
                case LetGo():
                    raw = await self._set_finalizer(kind, raw, held=False)
                case Apply():
                    await self._apply(step)
                case Delete():
                    await self._api.delete(step.kind, raw["metadata"]["namespace"], step.name, step.uid)
                case Announce():
                    await self._events.post(raw, step.reason, step.message, warning=step.warning)
                case Tell() if tell is not None:
                    await tell(step.order)

    async def _set_finalizer(self, kind: Kind, raw: Object, *, held: bool) -> Object:
        others = [one for one in raw["metadata"].get("finalizers", ()) if one != FINALIZER]
        patched = await self._api.set_finalizers(kind, raw, [*others, FINALIZER] if held else others)
        if patched is None:
            if held:
                raise StaleError(f"{raw['metadata']['name']} is gone")
            return raw
        if held or others or "deletionTimestamp" not in raw["metadata"]:
            self._cache.put(patched)
        return patched

    async def _apply(self, step: Apply) -> None:
        try:
            applied = await self._api.apply(step.kind, step.manifest, force=step.force)
        except RefusedError:
            if not step.force or "spec" not in step.manifest:
                raise
            # What somebody else has set may forbid what we set, and applying leaves theirs: take theirs away first.
            metadata = step.manifest["metadata"]
            patch = {"spec": step.manifest["spec"]}
            await self._api.merge(step.kind, metadata["namespace"], metadata["name"], patch)
            applied = await self._api.apply(step.kind, step.manifest)
        self._cache.put(applied)
        if "deletionTimestamp" in applied["metadata"]:
            # Nothing was made: what is on its way out was there still.
            raise StaleError(f"{step.kind.kind} {step.manifest['metadata']['name']} is being deleted")
