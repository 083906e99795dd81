"""The HTTP server: door routes for the world, everything else for this machine, a token or a session."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import FrameType

import uvicorn
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan

from answers.problem import problem
from console.accounts import account_routes
from console.app import console_routes
from console.counter_answer import CounterAnswers, counter_staff
from console.desk import Desk
from console.gate import Gate, Guard, visitor
from console.kill import Kill
from console.stories import Sender
from ingest.counter.door import CounterDoor
from ingest.email.door import serve_smtp
from ingest.local import is_local
from ingest.web.door import WebDoor
from leadflow.archive import Kept
from leadflow.canary import Canary
from leadflow.clock import new_id, new_secret, wall_clock_us
from leadflow.console_backups import ConsoleBackups
from leadflow.desk_handover import ConsoleHandOver
from leadflow.desk_moves import ConsoleMoves
from leadflow.doctor import Doorway
from leadflow.embedded import Embedded, Files, open_files
from leadflow.engine import Engine, Part
from leadflow.forms_page import FormsPage
from leadflow.imports.desk import ConsoleLists
from leadflow.kept_folder import KeptFolder
from leadflow.kept_postgres import KeptPostgres
from leadflow.lock import take_lock
from leadflow.logs import set_up_logs
from leadflow.metrics import CONTENT_TYPE, StoreMetrics, TimedDoors
from leadflow.nightly import nightly_backup
from leadflow.operate import VERBS
from leadflow.operations_desk import OperationsDesk
from leadflow.payload import payload_of
from leadflow.set_up import SET_UP_HOURS, set_up_link
from leadflow.settings import Settings
from leadflow.telling import tellers
from leadflow.terminal import say
from leadflow.visits import ConsoleVisits
from schemas.results import Stage as StageName
from store.acts import ActRefused
from stream import crash

Stories = Callable[[Engine], Sender]
"""Makes what the demo's stories send, over the engine."""

DOOR_PREFIXES = (
    "/in/",
    "/servlet/",
    "/thanks/",
    "/f/",
    "/counter/",
    "/api/counter/",
    "/enter/",
    "/calendar/",
    "/sign-in",
    "/static/",
)
"""What strangers may reach."""

COLLECT_AFTER = 20_000
"""Objects made before the collector looks at the young ones (Python: 700, less than ten requests make). Cycles are
rare here, and hold a few MB at most until then."""


def make_app(
    engine: Engine,
    settings: Settings,
    kill: Kill | None = None,
    part: Part | None = None,
    stories: Stories | None = None,
) -> Starlette:
    """Return the application over an engine, which it starts and stops with itself; `part`: only that of it."""
    routes: list[BaseRoute] = [*_well(engine)]
    middleware = []
    if part in (None, "doors"):
        routes += _doors(engine)
        middleware.append(Middleware(TimedDoors, metrics=engine.metrics))
    if part in (None, "doors", "console"):
        desk = Desk(
            engine.files.store, wall_clock_us, new_id, engine.files.store_log.append, engine.companies
        )
        guard = Guard(desk, is_local)
        middleware.append(Middleware(Gate, guard=guard, doors=DOOR_PREFIXES))
    if part in (None, "console"):
        routes.append(Route("/api/operate/{verb}", _operate(engine), methods=["POST"]))
        routes += account_routes(guard, new_secret, engine.files.keys.second_factor_key, settings.public_url)
        routes += _console(engine, settings, kill, stories)
        routes += FormsPage(desk).routes()
    lifespan = _lifespan(engine, settings, part)
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.stopping = threading.Event()
    return app


def _lifespan(engine: Engine, settings: Settings, part: Part | None) -> Lifespan[Starlette]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(engine.start)
        telling = []
        if part in (None, "sinks"):
            telling = tellers(settings, engine.files.store, engine.files.folder, engine.unwell)
        canary = _canary(engine, settings) if part in (None, "doors") else None
        for one in telling:
            one.start()
        if canary is not None:
            canary.start()
        smtp = await _smtp(engine, settings) if part in (None, "doors") else None
        try:
            yield
        finally:
            if smtp is not None:
                smtp.close()
            for one in telling:
                one.stop()
            if canary is not None:
                await run_in_threadpool(canary.stop)
            await run_in_threadpool(engine.stop)

    return lifespan


def _canary(engine: Engine, settings: Settings) -> Canary | None:
    """Return what sends probes through the doors of this process; None if nobody wants it, or nothing could mark them."""
    if not settings.canary_minutes or not engine.door.probe_token:
        return None
    host = Doorway(settings.local_url, settings.smtp_port, engine.door.probe_token)
    return Canary(engine.files, host, settings.canary_minutes * 60.0)


def _well(engine: Engine) -> list[Route]:
    async def healthz(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> JSONResponse:
        if (why := engine.unwell()) is not None:
            return JSONResponse({"ready": False, "why": why}, status_code=503)
        try:
            held = await run_in_threadpool(engine.breakers)
        except DBAPIError as error:
            why = f"the store does not answer: {type(error.orig).__name__}"
            return JSONResponse({"ready": False, "why": why}, status_code=503)
        # A source that fails is no reason to turn the others away.
        return JSONResponse({"ready": True, "breakers": held})

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(engine.metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    engine.metrics.registry.register(StoreMetrics(engine.files.store, engine.backlogs, wall_clock_us))
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _doors(engine: Engine) -> list[Route]:
    store, companies = engine.files.store, engine.companies
    web = WebDoor(engine.door, engine.sources, wall_clock_us, new_id)
    staff, answers = counter_staff(store, companies), CounterAnswers(store, companies, wall_clock_us)
    counter = CounterDoor(engine.door, engine.sources, wall_clock_us, new_id, staff, answers)
    return [*web.routes(), *counter.routes(), *engine.calls.routes()]


def _console(
    engine: Engine, settings: Settings, kill: Kill | None, stories: Stories | None
) -> list[BaseRoute]:
    return list(
        console_routes(
            engine.files.store,
            wall_clock_us,
            new_id,
            engine.files.store_log.append,
            smtp_port=settings.smtp_port,
            kill=kill,
            find_capture=engine.files.capture,
            operations=OperationsDesk(engine, settings.console_url),
            backups=ConsoleBackups(engine, _kept(engine, settings), settings),
            lists=ConsoleLists(engine, settings.list_upload_mb * 1024**2),
            mover=ConsoleMoves(engine),
            hand_over=ConsoleHandOver(engine),
            visits=ConsoleVisits(engine),
            stories=stories(engine) if stories else None,
        )
    )


def _kept(engine: Engine, settings: Settings) -> Kept:
    """Return what backups are made of: the two files of the folder, or the cluster's database."""
    files = engine.files
    if isinstance(files, Files):
        return KeptFolder(files.folder, files.doors, files.store, files.journal)
    return KeptPostgres(files.store, settings.data, settings.key_file, settings.erasures)


def _operate(engine: Engine) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def operate(request: Request) -> JSONResponse:
        verb = VERBS.get(request.path_params["verb"])
        if verb is None:
            return problem(404, "unknown_verb", f"Verbs are {', '.join(VERBS)}.")
        try:
            payload = payload_of(await request.body())
            if person_id := visitor(request).person_id:
                payload["actor"] = person_id
            return JSONResponse(await run_in_threadpool(verb, engine, payload))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ActRefused):
                return problem(409, error.code, str(error))
            why = str(error) if type(error) is ValueError else "see leadflow --help for what it takes"
            return problem(400, "bad_body", f"The body is not what {request.url.path} takes: {why}.")

    return operate


async def _smtp(engine: Engine, settings: Settings) -> asyncio.Server | None:
    if not settings.smtp_port:
        return None
    tls = None
    if settings.tls_cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.tls_cert, settings.tls_key)
    return await serve_smtp(engine.mail, settings.host, settings.smtp_port, tls)


def run_host(settings: Settings, kill: Kill | None = None, stories: Stories | None = None) -> None:
    """Run everything on the settings' data folder until told to stop. Raises AlreadyRunning.

    `kill` is the demo's button, `stories` makes what its stories send. Tests choose by the environment where the process dies.
    """
    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    mark = new_id()
    lock = take_lock(settings.data, settings.local_url, smtp_port=settings.smtp_port, probe_token=mark)
    files = open_files(
        settings.data, settings.wal_limit_bytes, backups=settings.backups, journal=settings.erasures
    )
    engine = Embedded(files, mark, settings.public_url, settings.breaker, settings.log_keep_us)
    kept = _kept(engine, settings)
    nightly = nightly_backup(kept, settings, engine.metrics)
    nightly.start()
    _tell_set_up(engine, settings)
    serve(engine, settings, kill, stories=stories)
    nightly.stop()
    lock.close()


def run_part(settings: Settings, part: Part, stages: Sequence[StageName] = ()) -> bool:
    """Run one part of the cluster until told to stop; False if it did not start, or broke down. Raises AlreadyRunning, NotReady.

    `stages`: which ones a process for stages runs; none named, all of them.
    """
    from leadflow.cluster import ClusterEngine, check_topics, open_cluster  # Kafka's client is an extra

    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    check_topics(settings)
    lock = take_lock(settings.data, settings.local_url, smtp_port=settings.smtp_port)
    cluster = open_cluster(settings, part)
    engine = ClusterEngine(cluster, settings, part, stages)
    kept = _kept(engine, settings)
    nightly = nightly_backup(kept, settings, engine.metrics) if part == "timers" else None
    if nightly is not None:
        nightly.start()
    if part == "console":
        _tell_set_up(engine, settings)
    has_started = True
    try:
        serve(engine, settings, part=part)
    except SystemExit:
        has_started = False
    if nightly is not None:
        nightly.stop()
    lock.close()
    is_well = has_started and not engine.broke_down
    if not engine.has_let_go:  # Python would wait for the threads that are left at its end
        os._exit(0 if is_well else 1)
    return is_well


def _tell_set_up(engine: Engine, settings: Settings) -> None:
    """Print the first way in, for a person at this terminal; it is no log line, which would be kept."""
    files = engine.files
    url = settings.console_url
    if (made := set_up_link(files.store, wall_clock_us(), new_secret, files.store_log.append, url)) is None:
        return
    person_id, link = made
    say(
        f"Nobody can sign in yet. For {person_id}, once, within {SET_UP_HOURS} hours, and not shown again:",
        f"还没有人可以登录。供 {person_id} 使用，{SET_UP_HOURS} 小时内有效，仅此一次，不再显示：",
    )
    print(f"  {link}", flush=True)


def serve(
    engine: Engine,
    settings: Settings,
    kill: Kill | None = None,
    part: Part | None = None,
    stories: Stories | None = None,
) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); requests at hand are answered first. `kill`, `stories`: the demo's buttons.

    Raises SystemExit if it cannot start; the log says why.
    """
    serve_app(make_app(engine, settings, kill, part, stories), settings.host, settings.http_port)


def serve_app(app: ASGIApp, host: str, port: int) -> None:
    """Serve an application as `serve` does: what the benches compare runs on the same server."""
    _allow_many_connections()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=4_000,
        proxy_headers=False,
    )
    _spare_the_collector()
    with suppress(KeyboardInterrupt):
        _Server(config).run()


class _Server(uvicorn.Server):
    """Tells open pages to let go when it is to stop: else each holds it up until the time for that is over."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second SIGINT cuts short what is being answered.

        uvicorn's own raises the signal again when it has served, which ends the process before a backup under way.
        """
        app = self.config.app
        if isinstance(app, Starlette) and hasattr(app.state, "stopping"):
            app.state.stopping.set()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: each connection is a file, and 1,024 is soon reached."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spare_the_collector() -> None:
    """Keep what is loaded by now out of garbage collection, and let it run less often.

    Each full collection went through some 120,000 objects of imported modules that never become garbage, and
    held up every request meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
