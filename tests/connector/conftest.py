"""Hypothesis without deadlines: the machine that runs the tests has other work too."""

from hypothesis import HealthCheck, settings

settings.register_profile("connector", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("connector")
