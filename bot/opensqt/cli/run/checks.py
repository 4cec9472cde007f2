"""What must hold between the manifests before anything starts: a cluster would say it in conditions."""

from collections.abc import Iterator

from opensqt.api.connector import ExchangeConnector
from opensqt.api.exchange import Exchange
from opensqt.api.gridbot import GridBot
from opensqt.api.paper import Candles
from opensqt.cli.run.manifests import ManifestError, Manifests

CREDENTIAL_KEYS = ("apiKey", "apiSecret")
PASSPHRASE_KEY = "passphrase"  # noqa: S105 - the name of a key, not one
_WITH_PASSPHRASE = {Exchange.BITGET, Exchange.OKX}


def check(manifests: Manifests) -> None:
    """Raises ManifestError with everything that is wrong."""
    wrong = [line for bot in manifests.bots.values() for line in _bot(bot, manifests)]
    wrong += [line for connector in manifests.connectors.values() for line in _connector(connector, manifests)]
    if not manifests.bots:
        wrong.append("there is no GridBot in the files: nothing would trade")
    if wrong:
        raise ManifestError("\n".join(wrong))


def _bot(bot: GridBot, manifests: Manifests) -> Iterator[str]:
    origin, namespace, reference = manifests.origin(bot), bot.metadata.namespace, bot.spec.connector_ref.name
    connector = manifests.connectors.get((namespace, reference))
    if connector is None:
        there = ", ".join(name for space, name in manifests.connectors if space == namespace) or "none"
        yield (
            f"{origin}: spec.connectorRef.name: there is no ExchangeConnector {reference!r} "
            f"in the files for namespace {namespace} (there: {there})"
        )
    elif connector.spec.paper is not None:
        markets = [market.symbol for market in connector.spec.paper.markets]
        if bot.spec.symbol not in markets:
            yield (
                f"{origin}: spec.symbol: {bot.spec.symbol} is no market of the paper exchange {reference!r}, "
                f"which has {', '.join(markets)}: add it to spec.paper.markets there"
            )


def _connector(connector: ExchangeConnector, manifests: Manifests) -> Iterator[str]:
    origin, namespace = manifests.origin(connector), connector.metadata.namespace
    if (reference := connector.spec.credentials_secret_ref) is not None:
        secret = manifests.secrets.get((namespace, reference.name))
        wanted = (*CREDENTIAL_KEYS, PASSPHRASE_KEY) if connector.spec.exchange in _WITH_PASSPHRASE else CREDENTIAL_KEYS
        if secret is None:
            yield (
                f"{origin}: spec.credentialsSecretRef.name: there is no Secret {reference.name!r} in the files: "
                f"add one with the keys {', '.join(wanted)}"
            )
        elif lacking := [key for key in wanted if not secret.get(key)]:
            there = ", ".join(sorted(secret)) or "none"
            yield (
                f"{manifests.origins['Secret', namespace, reference.name]}: lacks the key {', '.join(lacking)} "
                f"that {connector.spec.exchange} needs (there: {there})"
            )
    for number, market in enumerate(connector.spec.paper.markets if connector.spec.paper else ()):
        if market.candles is not None:
            for line in _candles(market.candles, manifests, namespace):
                yield f"{origin}: spec.paper.markets[{number}].candles.{line}"


def _candles(candles: Candles, manifests: Manifests, namespace: str) -> Iterator[str]:
    if candles.volume is not None:
        yield "volume: there are no volumes on this machine: use path, or --candles FILE"
    if (reference := candles.config_map_ref) is not None:
        config_map = manifests.config_maps.get((namespace, reference.name))
        if config_map is None:
            yield f"configMapRef.name: there is no ConfigMap {reference.name!r} in the files"
        elif reference.key not in config_map:
            yield (
                f"configMapRef.key: ConfigMap {reference.name} has no key {reference.key!r} "
                f"(there: {', '.join(sorted(config_map)) or 'none'})"
            )
