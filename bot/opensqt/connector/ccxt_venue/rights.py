"""What is made of an API key's rights: whether it is taken, and what about it is weaker than it could be."""

from opensqt.connector.ccxt_venue.dialect import KeyRights


class RightsError(Exception):
    """The key is not taken: `reason` is for the health, the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check(rights: KeyRights, markets: str, *, allow_withdrawal: bool) -> None:
    """Raises `RightsError` where the key may do too little, or more than a trading key should."""
    if rights.trade is False:
        raise RightsError("MissingPermission", f"the API key may not trade a {markets}: give it that permission")
    if rights.withdraw and not allow_withdrawal:
        raise RightsError(
            "WithdrawalPermission",
            "the API key may withdraw, which a trading key should not: make one without that permission, "
            "or set allowWithdrawalPermission to true",
        )


def weaknesses(rights: KeyRights) -> tuple[str, ...]:
    """For people, in the connector's capabilities."""
    found = []
    if rights.withdraw:
        found.append("the API key may withdraw")
    elif rights.withdraw is None:
        found.append("the exchange does not tell here whether the API key may withdraw")
    if rights.bound is False:
        found.append("the API key works from any address: bind it to the cluster's")
    return tuple(found)
