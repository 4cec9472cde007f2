"""The connector: the only holder of exchange credentials, and the one door to an exchange account."""
