"""Which client ids were used before, in constant memory."""

BITS = 2**25


class SeenIds:
    """A Bloom filter of 4 MiB: an id that it does not know was never used; one that it knows, PostgreSQL decides.

    After a million orders it is wrong, and asks PostgreSQL needlessly, once in 6,000 new ids; after ten million once
    in four.
    """

    def __init__(self) -> None:
        self._bits = bytearray(BITS // 8)

    def add(self, client_id: str) -> bool:
        """Says whether the id may have been there before."""
        # Two independent hashes make any number of them (Kirsch and Mitzenmacher, 2006).
        value = hash(client_id)
        first, second = value & 0xFFFFFFFF, (value >> 32) | 1
        bits, known = self._bits, True
        for number in (first, first + second, first + 2 * second, first + 3 * second):
            place = number % BITS
            byte, bit = place >> 3, 1 << (place & 7)
            if not bits[byte] & bit:
                bits[byte] |= bit
                known = False
        return known
