"""Who owns a child: we touch only what is controlled by the very resource that is being reconciled."""

from enum import Enum, auto

from opensqt_operator.names import Object


class Ownership(Enum):
    OURS = auto()
    EARLIER = auto()
    """Controlled by an earlier resource of the same kind and name: it goes with that resource."""
    FOREIGN = auto()
    """Controlled by something else, or by nothing: never adopted."""


def ownership(child: Object, owner: Object) -> Ownership:
    for reference in child["metadata"].get("ownerReferences", ()):
        if not reference.get("controller"):
            continue
        if reference["uid"] == owner["metadata"]["uid"]:
            return Ownership.OURS
        same = (reference["kind"], reference["name"]) == (owner["kind"], owner["metadata"]["name"])
        return Ownership.EARLIER if same else Ownership.FOREIGN
    return Ownership.FOREIGN


def orphaned(child: Object) -> bool:
    """Controlled by nothing: `--cascade=orphan`, or a hand, has taken the reference away."""
    return not any(reference.get("controller") for reference in child["metadata"].get("ownerReferences", ()))


def owner_reference(owner: Object) -> Object:
    """The reference that makes `owner` the controller.

    A child that is made while its owner is being deleted must not hold a foreground deletion up: the garbage collector
    would delete it at once, and the owner needs it to wind down.
    """
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": "deletionTimestamp" not in metadata,
    }


def as_born(desired: Object, live: Object) -> Object:
    """The desired metadata of a child that exists: whether it holds its owner up was decided at its birth."""
    (reference,) = desired["ownerReferences"]
    born = next((one for one in live.get("ownerReferences", ()) if one["uid"] == reference["uid"]), reference)
    block = born.get("blockOwnerDeletion", reference["blockOwnerDeletion"])
    return desired | {"ownerReferences": [reference | {"blockOwnerDeletion": block}]}
