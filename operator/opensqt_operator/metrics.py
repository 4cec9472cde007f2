"""What the operator counts and measures."""

from prometheus_client import Counter, Gauge, Histogram

QUEUE_DEPTH = Gauge("opensqt_operator_queue_depth", "Keys that are due and wait for a worker.")
QUEUE_OLDEST = Gauge(
    "opensqt_operator_queue_oldest_seconds", "How long the oldest due or running key has waited or run."
)
RECONCILE_SECONDS = Histogram(
    "opensqt_operator_reconcile_seconds", "Duration of a reconcile.", ["kind"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)  # fmt: skip
RECONCILE_FAILURES = Counter(
    "opensqt_operator_reconcile_failures_total", "Reconciles that failed and are tried again.", ["kind", "failure"]
)
API_REQUESTS = Counter("opensqt_operator_api_requests_total", "Requests to the API server.", ["verb", "kind", "code"])
STATUS_WRITES = Counter("opensqt_operator_status_writes_total", "Status writes.", ["kind", "urgency"])
RESYNC_SECONDS = Gauge("opensqt_operator_resync_seconds", "Duration of the last resync.")
MISSED_EVENTS = Counter(
    "opensqt_operator_missed_events_total", "Changes that a resync found and the watch had not told.", ["kind"]
)
LINES = Gauge("opensqt_operator_lines", "gRPC lines to bots and connectors.", ["kind", "state"])
