"""What only Binance has: listen keys that expire, and on spot subscriptions that are ended."""

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.venue import Gap, VenueFill
from tests.conformance.subject import Follow, Subject, placed
from tests.venues.binance.face import BinanceFace

pytestmark = pytest.mark.exchanges(Exchange.BINANCE)


@pytest.mark.spot
async def test_a_stream_outlives_its_listen_key(impatient: None, simulated: Subject, following: Follow) -> None:
    """The exchange says so once and goes silent; the stream is given up, and comes back with a new key."""
    face = simulated.face
    assert isinstance(face, BinanceFace)
    stream = following(simulated.venue.watch_orders([simulated.symbol]))
    await simulated.following_orders()
    before = set(face.listen_keys.owners)
    await face.expire_listen_keys()
    await stream.until(lambda _: bool(stream.of(Gap)))
    if not simulated.spot:
        await face.until(lambda: bool(face.listen_keys.owners.keys() - before))
    await face.until(lambda: bool(face.private))
    await stream.until(lambda _: sum("subscribed again" in gap.reason for gap in stream.of(Gap)) >= 2)
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    await face.fill(order.client_id, order.quantity)
    await stream.until(lambda _: bool(stream.of(VenueFill)))
