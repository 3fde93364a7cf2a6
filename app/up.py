"""`dripline up`: everything on this machine. One parent, three children.

Parent: supervisor, collector and pages on one port, mail catcher. Children: the embedded broker
(in memory), worker, delivery. Worker or delivery gone: started again, they recover from the log.
Broker gone: the log is gone: say so, stop all, exit status 70.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import TypeVar

import uvloop

from app import logs, metrics, up_parts, up_texts
from app.clock import starting_clock, system_clock
from app.demo.run import run as run_demo
from app.embedded.broker import EmbeddedBroker
from app.embedded.catcher import Catcher
from app.running import Running, Wishes
from app.settings import Settings
from app.web.guard import check_binding
from schemas.errors import Halt, UsageError

INTERRUPTED_STATUS = 130
Result = TypeVar("Result")


def run(settings: Settings, wishes: Wishes) -> int:
    """Start everything, serve until Ctrl-C or SIGTERM, stop everything; the exit status.

    Raises `UsageError` for wishes that exclude each other, `Unreachable` for a service that does
    not answer, `Halt` when the broker dies or a child cannot be kept running.
    """
    settings = checked(settings, wishes)
    logs.configure("up", settings.log_level, settings.log_format)
    metrics.says_who("up")
    return uvloop.run(_until_told(settings, wishes))


def checked(settings: Settings, wishes: Wishes) -> Settings:
    """The settings with the wishes in them; what the embedded broker needs is put in later."""
    update: dict[str, object] = {}
    if wishes.kafka is not None:
        update["kafka"] = wishes.kafka
    if wishes.campaigns is not None:
        update["campaigns"] = wishes.campaigns
    if "log_level" not in settings.model_fields_set:
        update["log_level"] = "warning"
    settings = settings.model_copy(update=update)
    check_binding(settings)
    if settings.clock is not None:
        raise UsageError("DRIPLINE_CLOCK is made by `up`: unset it, and say --speed")
    if not 0.001 <= wishes.speed <= 1_000_000:
        raise UsageError(
            f"--speed {wishes.speed} is out of range: 1 is real time, 3600 an hour a second"
        )
    if settings.kafka is not None:
        if wishes.speed != 1:
            raise UsageError("--speed works on the embedded broker only: leave out --kafka")
        if wishes.demo:
            raise UsageError("--demo runs on the embedded broker only: leave out --kafka")
        settings.signing_secret()
    return settings


async def _until_told(settings: Settings, wishes: Wishes) -> int:
    loop = asyncio.get_running_loop()
    told = False
    main = asyncio.create_task(_serve(settings, wishes))

    def tell() -> None:
        nonlocal told
        if told:
            os._exit(INTERRUPTED_STATUS)  # twice means at once; the children see our end
        told = True
        up_texts.note("stopping …")
        main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    try:
        await main
    except asyncio.CancelledError:
        if not told:
            raise
    return 0


async def _serve(settings: Settings, wishes: Wishes) -> None:
    watch = Watch()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(up_texts.farewell, settings)
        stack.push_async_callback(watch.end)
        running = await watch.during(_start(settings, wishes, stack, watch))
        up_texts.addresses(running)
        if wishes.demo:
            stack.push_async_callback(watch.end, watch.add(run_demo(running)))
        await watch.failed()


async def _start(
    settings: Settings, wishes: Wishes, stack: contextlib.AsyncExitStack, watch: Watch
) -> Running:
    """Start every part in order; each is stopped in the reverse order when `stack` is left."""
    listener = up_parts.listener(settings, wishes.port)
    stack.callback(listener.close)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    clock, broker, inbox = system_clock(), None, None
    if settings.kafka is None:
        broker = await stack.enter_async_context(up_parts.broker())
        watch.add(_broker_ended(broker))
        data = stack.enter_context(up_parts.data_directory())
        clock = up_parts.demo_clock(wishes.speed) if wishes.demo else starting_clock(wishes.speed)
        settings = up_parts.on_embedded(settings, broker, clock, data)
    settings = up_parts.with_secrets(settings)
    if settings.smtp is None:
        inbox = await stack.enter_async_context(up_parts.inbox(clock))
        settings = up_parts.with_inbox(settings, inbox)
    await asyncio.to_thread(up_parts.topics_and_campaigns, settings, wishes.demo)
    children = up_parts.children(settings, clock)
    stack.push_async_callback(up_parts.stop_all, children)
    for child in children:
        watch.add(child.keep_running())
    running = Running(settings, wishes, clock, broker, inbox, Catcher(), children)
    await stack.enter_async_context(up_parts.served(running, listener))
    await up_parts.ready(children, running.url)
    return running


async def _broker_ended(broker: EmbeddedBroker) -> None:
    status = await broker.wait()
    raise Halt(
        f"the embedded broker has ended (status {status}), and with it the log that it held in "
        "memory: start again; with --kafka and a real broker a log outlives its broker"
    )


class Watch:
    """Things that run side by side; the first that fails is the end of all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def add(self, coroutine: Coroutine[object, object, object]) -> asyncio.Task[object]:
        """Begin one."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        return task

    async def during(self, work: Coroutine[object, object, Result]) -> Result:
        """The result of `work`, unless something fails first: then that is raised."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                self._raise_first()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        return task.result()

    async def failed(self) -> None:
        """Never returns: raises what fails first."""
        while True:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._raise_first()

    async def end(self, *only: asyncio.Task[object]) -> None:
        """Cancel these, or all that still run."""
        ending = only or tuple(self._tasks)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _raise_first(self) -> None:
        """Raise the error of one that failed; forget those that are through."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
