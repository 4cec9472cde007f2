"""Which client ids were used before, in constant memory."""

BITS = 2**25


class SeenIds:
    """A Bloom filter of 4 MiB: an id that it does not know was never used; one that it knows, PostgreSQL decides.

    After a million orders it is wrong, and asks PostgreSQL needlessly, once in 6,000 new ids; after ten million once
    in four.
    """

    def __init__(self) -> None:
        self._bits = bytearray(BITS // 8)

    def add(self, client_id: str) -> None:
        bits = self._bits
        for place in _places(client_id):
            bits[place >> 3] |= 1 << (place & 7)

    def may_know(self, client_id: str) -> bool:
        bits = self._bits
        return all(bits[place >> 3] & (1 << (place & 7)) for place in _places(client_id))


def _places(client_id: str) -> tuple[int, int, int, int]:
    # Two independent hashes make any number of them (Kirsch and Mitzenmacher, 2006).
    value = hash(client_id)
    first, second = value & 0xFFFFFFFF, (value >> 32) | 1
    mask = BITS - 1
    return first & mask, (first + second) & mask, (first + 2 * second) & mask, (first + 3 * second) & mask
