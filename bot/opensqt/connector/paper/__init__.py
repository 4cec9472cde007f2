"""The paper exchange: a matching engine over recorded or modelled markets, with books that survive its death."""
