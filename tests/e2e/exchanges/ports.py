"""Where the simulators listen: the connector's own loopback has the same ports."""

from opensqt.api.exchange import Exchange

SERVICE = "exchanges"
"""The Service before the simulators' Pod."""
CONTROL_PORT = 7000
EXCHANGE_PORTS: dict[Exchange, int] = {
    exchange: CONTROL_PORT + number
    for number, exchange in enumerate((one for one in Exchange if one is not Exchange.PAPER), start=1)
}
