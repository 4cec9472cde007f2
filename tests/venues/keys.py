"""API keys of the simulators, and what each may do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """`addresses` are those that it is bound to, empty where to none."""

    api_key: str
    secret: str
    passphrase: str
    may_trade: bool = True
    may_withdraw: bool = False
    addresses: tuple[str, ...] = ()


TRADER = Key("simulated-key-5e1a0c77d1f2", "simulated-secret-90ab3c4416", "simulated-phrase-1c7b")
NEXT = Key("simulated-key-the-next-8812", "simulated-secret-the-next-03", "simulated-phrase-next")
