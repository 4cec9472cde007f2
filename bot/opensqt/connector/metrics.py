"""The connector's Prometheus metrics."""

from prometheus_client import Counter, Gauge, Histogram

CALL_SECONDS = Histogram(
    "opensqt_connector_call_seconds",
    "Time a call took in the connector, the exchange's answer included.",
    ["method"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
REFUSED = Counter(
    "opensqt_connector_refused_total", "Calls refused as a whole, by what the caller must do.", ["method", "remedy"]
)
ORDERS = Counter(
    "opensqt_connector_orders_total", "Orders placed, by outcome: Accepted, or what the caller must do.", ["outcome"]
)
CANCELS = Counter(
    "opensqt_connector_cancels_total", "Cancels, by outcome: Accepted, or what the caller must do.", ["outcome"]
)
SUBSCRIBERS = Gauge("opensqt_connector_subscribers", "Open streams.", ["kind"])
READY = Gauge("opensqt_connector_ready", "1 while the exchange can be traded through this connector.")
RATE_LIMIT_LEFT = Gauge(
    "opensqt_connector_rate_limit_left_ratio",
    "What the exchange last said is left of an allowance: of all requests, of placements, of an endpoint.",
    ["counted"],
)
CLOCK_SKEW_SECONDS = Gauge("opensqt_connector_clock_skew_seconds", "Our clock minus the exchange's.")
MARKET_STEPS = Gauge(
    "opensqt_paper_market_steps", "Price steps of a paper market, played and in all.", ["symbol", "what"]
)
COMMIT_SECONDS = Histogram(
    "opensqt_paper_commit_seconds",
    "Time a commit of the paper exchange's books took.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
