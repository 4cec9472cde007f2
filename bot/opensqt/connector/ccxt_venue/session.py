"""The connection to one account: opens, checks the credentials and the clock, says how it is, and keeps trying."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from opensqt.connector.ccxt_venue import credentials as secrets
from opensqt.connector.ccxt_venue import errors, loader, transport
from opensqt.connector.ccxt_venue.budget import Budget, BudgetExhausted, Priority
from opensqt.connector.ccxt_venue.credentials import Credentials, CredentialsError
from opensqt.connector.ccxt_venue.dialect import Dialect, KeyRights
from opensqt.connector.ccxt_venue.limits import Counts, Limits
from opensqt.connector.ccxt_venue.rights import RightsError
from opensqt.connector.ccxt_venue.rights import check as check_rights
from opensqt.connector.metrics import RATE_LIMIT_LEFT
from opensqt.connector.retry import RECONNECTS, retry
from opensqt.connector.venue import Failure, VenueError, VenueHealth
from opensqt.engine.events import Remedy

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

CHECK_SECONDS = 30.0
RECHECK_SECONDS = 10.0
"""However many calls fail, the account is not asked more often than so: that would eat the budget that is needed."""
FILES_SECONDS = 2.0
RIGHTS_SECONDS = 600.0
MAX_SKEW_US = 5_000_000
"""Below it we correct our timestamps; above it the machine's clock is wrong for everything else as well."""
CURRENCY = "USDT"

_REASONS = {
    Remedy.FIX_CREDENTIALS: "WrongCredentials",
    Remedy.HALT: "TradingHalted",
    Remedy.BACK_OFF: "RateLimited",
}


class CallError(VenueError):
    """A failed call with what the exchange answered: `body` is its JSON, None where there is none."""

    def __init__(self, failure: Failure, body: Any) -> None:
        super().__init__(failure)
        self.body = body


class Session:
    """One account at one exchange through ccxt; `exchange` is ccxt's instance once the credentials could be read."""

    def __init__(
        self,
        dialect: Dialect,
        credentials_dir: Path,
        *,
        live: bool,
        endpoint: str | None = None,
        allow_withdrawal: bool = False,
    ) -> None:
        self.dialect = dialect
        self.live = live
        self.rights = KeyRights()
        self._allow_withdrawal = allow_withdrawal
        self.exchange: Any = None
        profile = dialect.profile
        self.budget = Budget(profile.rate, profile.burst, limits=Limits(profile.endpoint_window))
        self._held_until_ms = 0
        self._credentials_dir = credentials_dir
        self._endpoint = endpoint
        self._credentials: Credentials | None = None
        self._health = VenueHealth(False, "Connecting", f"connecting to {dialect.profile.name}")
        self._changed = asyncio.Event()
        self._kick = asyncio.Event()
        self._markets_loaded = asyncio.Event()
        self._rights_at = -RIGHTS_SECONDS
        self._checked_at = -RECHECK_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._check()
        self._task = asyncio.create_task(self._supervise())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop(self.exchange)

    @property
    def health(self) -> VenueHealth:
        if self._health.ready and self.budget.held_for > 0:
            until = datetime.fromtimestamp(self._held_until_ms / 1000, UTC)
            message = f"{self.dialect.profile.name} asked for a pause until {until:%H:%M:%S} UTC: nothing is sent"
            return VenueHealth(False, "RateLimited", message, self._health.clock_skew_us)
        return self._health

    @property
    def credentials(self) -> Credentials:
        """Empty as long as none could be read."""
        return self._credentials or Credentials("", "")

    async def health_changed(self) -> None:
        await self._changed.wait()

    def now_us(self) -> int:
        """The exchange's time, by our clock and the difference last measured."""
        return time.time_ns() // 1000 - self._health.clock_skew_us

    async def ready_for_streams(self) -> Any:
        """ccxt's instance, as soon as its markets are known."""
        await self._markets_loaded.wait()
        return self.exchange

    async def call(self, use: Callable[[Any], Awaitable[Result]], priority: Priority, *, doubt: bool = False) -> Result:
        """One use of ccxt's instance; raises `CallError` alone. `doubt`: an unknown outcome must be looked up."""
        if not self._markets_loaded.is_set():
            health = self._health
            remedy = Remedy.FIX_CREDENTIALS if health.reason == "WrongCredentials" else Remedy.RETRY
            raise CallError(
                Failure(remedy, f"not connected, nothing was sent: {health.message}", retry_after_ms=1000), None
            )
        result, _ = await self._call(use, priority, doubt=doubt)
        return result

    async def call_with_answer(
        self, use: Callable[[Any], Awaitable[Result]], priority: Priority, *, doubt: bool = False
    ) -> tuple[Result, Any]:
        """As `call`, with the JSON of the exchange's last answer beside ccxt's result."""
        await self.call(_nothing, priority)
        return await self._call(use, priority, doubt=doubt)

    async def read(self, use: Callable[[Any], Awaitable[Result]], priority: Priority = Priority.READ) -> Result:
        """As `call`, repeated where that may help."""
        return await retry(lambda: self.call(use, priority))

    async def drop_streams(self, exchange: Any, serving: str) -> None:
        """Hangs up the connections on which something named like `serving` is awaited: ccxt then subscribes anew."""
        self.dialect.forget_log_in(exchange)
        for url, client in list((exchange.clients or {}).items()):
            if any(serving in name for name in client.futures):
                exchange.clients.pop(url, None)
                await client.close()

    async def _call(
        self, use: Callable[[Any], Awaitable[Result]], priority: Priority, *, doubt: bool = False
    ) -> tuple[Result, Any]:
        call = transport.Call(priority)
        token = transport.current_call.set(call)
        try:
            return await use(self.exchange), call.body
        except Exception as error:  # ccxt raises KeyErrors as well as its own
            failure = self._failed(error, call, doubt=doubt)
        finally:
            transport.current_call.reset(token)
        # Without the cause: its message has the signed address.
        raise CallError(failure, call.body)

    def _failed(self, error: Exception, call: transport.Call, *, doubt: bool) -> Failure:
        now_ms = self.now_us() // 1000
        failure = errors.failure_of(error, call, self.dialect, self.credentials, doubt=doubt, now_ms=now_ms)
        if failure.remedy is Remedy.BACK_OFF and call.sent and not isinstance(error, BudgetExhausted):
            self._hold(failure.retry_after_ms / 1000)
        if failure.remedy in {Remedy.FIX_CREDENTIALS, Remedy.HALT} or errors.is_clock_error(error):
            self._rights_at = -RIGHTS_SECONDS
            if time.monotonic() - self._checked_at > RECHECK_SECONDS:
                self._kick.set()
        log.info("call_failed", remedy=failure.remedy.value, code=failure.venue_code, message=failure.message)
        return failure

    def _hold(self, seconds: float) -> None:
        self.budget.back_off(seconds)
        self._held_until_ms = int(time.time() * 1000 + self.budget.held_for * 1000)
        self._notify()
        asyncio.get_running_loop().call_later(seconds + 0.01, self._notify)

    def _set_health(self, health: VenueHealth) -> None:
        known = self._health
        self._health = health
        if (known.ready, known.reason, known.message) != (health.ready, health.reason, health.message):
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _supervise(self) -> None:
        delays = RECONNECTS.delays()
        while True:
            if self._health.ready:
                delays = RECONNECTS.delays()
            await self._pause(CHECK_SECONDS if self._health.ready else next(delays))
            await self._check()

    async def _pause(self, seconds: float) -> None:
        """Until a call asks for a check, the credentials change, or the time is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, FILES_SECONDS)):
                    await self._kick.wait()
            if self._kick.is_set() or self._credentials_changed():
                return

    def _credentials_changed(self) -> bool:
        try:
            found = secrets.read(self._credentials_dir, passphrase=self.dialect.profile.passphrase)
        except CredentialsError:
            return False  # half-way through a rotation: what we have goes on, and a restart would say what is missing
        return found != self._credentials

    async def _check(self) -> None:
        self._kick.clear()
        self._checked_at = time.monotonic()
        try:
            await self._read_credentials()
            skew = await self._measure_clock()
            await self._load_markets()
            await self._check_rights()
        except CredentialsError as error:
            self._set_health(VenueHealth(False, "WrongCredentials", str(error)))
        except RightsError as error:
            self._set_health(VenueHealth(False, error.reason, str(error), self._health.clock_skew_us))
        except VenueError as error:
            self._set_health(self._unhealthy(error.failure))
        else:
            name, mode = self.dialect.profile.name, "live" if self.live else "demo"
            if abs(skew) > MAX_SKEW_US:
                message = f"this machine's clock is {skew / 1e6:+.1f} s off {name}'s: set it right"
                self._set_health(VenueHealth(False, "ClockSkew", message, skew))
            else:
                self._set_health(VenueHealth(True, "Ready", f"connected to {name} ({mode})", skew))

    def _unhealthy(self, failure: Failure) -> VenueHealth:
        reason = self.dialect.profile.reasons.get(failure.venue_code) or _REASONS.get(
            failure.remedy, "VenueUnreachable"
        )
        return VenueHealth(False, reason, failure.message, self._health.clock_skew_us)

    async def _read_credentials(self) -> None:
        if self._credentials is not None and not self._credentials_changed():
            return
        found = secrets.read(self._credentials_dir, passphrase=self.dialect.profile.passphrase)
        old, self.exchange, self._credentials = self.exchange, self._build(found), found
        self._rights_at = -RIGHTS_SECONDS
        if old is not None:
            log.info("credentials_changed", exchange=self.dialect.profile.name)
            if old.markets:
                self.exchange.set_markets(old.markets)
            await self._drop(old)

    def _build(self, found: Credentials) -> Any:
        exchange = loader.connection(self.dialect.profile, found, live=self.live, endpoint=self._endpoint)
        self.dialect.adapt(exchange)
        exchange.budget_gate = self.budget.take
        exchange.heard = self._heard
        exchange.weights = self.dialect.profile.weights
        exchange.batches_count_items = self.dialect.profile.batches_count_items
        exchange.expiry_header = self.dialect.profile.expiry_header
        exchange.log_in_ended = lambda message: self._log_in_ended(exchange, message)
        return exchange

    def _heard(self, endpoint: str, headers: Mapping[str, str]) -> None:
        for allowance in self.dialect.allowances(headers, self.now_us() // 1000):
            self.budget.told(endpoint, allowance)
            told = endpoint if allowance.counts is Counts.ENDPOINT else allowance.counts.name.lower()
            RATE_LIMIT_LEFT.labels(told).set(allowance.share)

    def _log_in_ended(self, exchange: Any, message: Any) -> bool:
        if not self.dialect.log_in_ended(message):
            return False
        log.warning("stream_log_in_ended", exchange=self.dialect.profile.name)
        self.dialect.forget_log_in(exchange)
        return True

    async def _measure_clock(self) -> int:
        """Our clock minus the exchange's, in microseconds; what ccxt signs is corrected by it."""

        async def measure(exchange: Any) -> int:
            theirs = int(await exchange.fetch_time())
            # Between sending and answer: the wait for the rate budget is no difference of clocks.
            call = transport.current_call.get()
            assert call is not None  # noqa: S101 - `_call` has set it
            return (call.sent_ns + call.answered_ns) // 2000 - theirs * 1000

        skew, _ = await retry(lambda: self._call(measure, Priority.READ), attempts=2)
        self.exchange.options["timeDifference"] = skew // 1000
        return skew

    async def _load_markets(self) -> None:
        if not self.exchange.markets:
            await self._call(lambda exchange: exchange.load_markets(), Priority.READ)
        self._markets_loaded.set()

    async def _check_rights(self) -> None:
        if time.monotonic() - self._rights_at < RIGHTS_SECONDS:
            return
        balance, _ = await self._call(lambda exchange: exchange.fetch_balance(), Priority.READ)
        await self.dialect.signed_in(self.exchange, balance)
        try:
            rights, _ = await self._call(
                lambda exchange: self.dialect.key_rights(exchange, live=self.live), Priority.READ
            )
        except CallError as error:
            if error.failure.remedy is not Remedy.FIX_REQUEST:
                raise
            rights = KeyRights()  # this environment does not know the question
        self.rights = rights
        check_rights(rights, self.dialect.profile.markets, allow_withdrawal=self._allow_withdrawal)
        self._rights_at = time.monotonic()

    @staticmethod
    async def _drop(exchange: Any) -> None:
        if exchange is not None:
            with contextlib.suppress(Exception):
                await exchange.close()


async def _nothing(_: Any) -> None:
    return None
