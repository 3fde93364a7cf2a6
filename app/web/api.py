"""`/api/…`: what the pages show as JSON, and what the command line asks for.

`GET /api/openapi.json` describes it; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.clock import new_id
from app.collector import records
from app.collector.refusals import BadInput, Unavailable
from app.web import lead as leads
from app.web.parts import Parts
from app.web.view import Campaign
from schemas.facts import iso, printed
from schemas.ids import lead_id_problem
from schemas.records import ByHand
from streams.engine.tree import every_step

LIMIT_MAX = 1_000
BODY_BYTES_MAX = 64_000
_OPENAPI = Path(__file__).with_name("openapi.json")

Endpoint = Callable[[Request], Awaitable[Response]]


class ByHandBody(Struct, forbid_unknown_fields=True):
    """`do` one campaign's `enter` or `remove` with a lead; the same `id` twice acts once."""

    lead: str
    campaign: str
    do: str = "enter"
    by: str = ""
    id: str | None = None


def routes(parts: Parts) -> list[Route]:
    """The routes of the API."""
    api = _Api(parts)
    gets: dict[str, Endpoint] = {
        "/api/clock": api.clock,
        "/api/instance": api.instance,
        "/api/campaigns": api.campaigns,
        "/api/campaigns/{id}": api.campaign,
        "/api/facts": api.facts,
        "/api/leads/{id:path}": api.lead,
        "/api/mails": api.mails,
        "/api/mails/{number:int}": api.mail,
        "/api/openapi.json": api.openapi,
    }
    return [
        *(Route(path, _answering(endpoint), methods=["GET"]) for path, endpoint in gets.items()),
        Route("/api/by-hand", _answering(api.by_hand), methods=["POST"]),
    ]


class _Api:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def clock(self, _: Request) -> Response:
        clock = self._parts.clock
        now = clock.now_ms()
        return _json({"now": iso(now), "now_ms": now, "speed": clock.speed})

    async def instance(self, _: Request) -> Response:
        """Where the broker is and with which clock; for the command line on this machine."""
        settings = self._parts.settings
        return _json(
            {
                "kafka": settings.kafka,
                "clock": settings.clock,
                "public_url": settings.base_url(),
                "write_keys": sorted(settings.keys()),
                "partitions": self._parts.log.partitions,
                "caught_up": self._parts.tail.caught_up,
                "problem": self._parts.log.problem or self._parts.tail.problem,
            }
        )

    async def campaigns(self, _: Request) -> Response:
        view = self._parts.view
        found = [view.campaigns[id] for id in sorted(view.campaigns)]
        return _json({"campaigns": [self._campaign(campaign) for campaign in found]})

    async def campaign(self, request: Request) -> Response:
        campaign = self._parts.view.campaigns.get(request.path_params["id"])
        if campaign is None:
            return _missing("campaign", request.path_params["id"])
        return _json(self._campaign(campaign) | {"document": campaign.document})

    def _campaign(self, campaign: Campaign) -> dict[str, Any]:
        funnel = self._parts.view.funnel(campaign.id)
        own = every_step(campaign.definition.steps) if campaign.definition else ()
        steps = {step.id: {"step": step.id, "verb": step.verb} for step in own}
        for id in funnel.steps:
            steps.setdefault(id, {"step": id, "verb": ""})
        return {
            "campaign": campaign.id,
            "name": campaign.definition.name if campaign.definition else "",
            "version": campaign.version,
            "change": campaign.number,
            "entered": funnel.entered,
            "active": funnel.active,
            "waiting": funnel.waiting,
            "completed": funnel.completed,
            "converted": funnel.converted,
            "left": dict(funnel.left),
            "refused": dict(funnel.refused),
            "steps": [
                step | (funnel.steps[id].plain() if id in funnel.steps else {"came": 0})
                for id, step in steps.items()
            ],
        }

    async def facts(self, request: Request) -> Response:
        query = request.query_params
        found = self._parts.view.latest(
            lead=query.get("lead"), campaign=query.get("campaign"), limit=_limit(request)
        )
        return _json({"facts": [printed(facts, row) for facts, row in found]})

    async def lead(self, request: Request) -> Response:
        """The newest state and the latest facts of one lead."""
        id = request.path_params["id"]
        stored = self._parts.view.state(id)
        found = self._parts.view.latest(lead=id, limit=_limit(request))
        facts = [printed(facts, row) for facts, row in found]
        if stored is None and not facts:
            return _missing("lead", id)
        state = leads.plain(id, stored) if stored is not None else None
        return _json({"lead": id, "state": state, "facts": facts})

    async def mails(self, request: Request) -> Response:
        inbox = self._parts.inbox
        if inbox is None:
            return _json({"mails": [], "total": 0, "caught": False})
        mails = [
            {
                "number": mail.number,
                "at": iso(mail.at_ms),
                "to": list(mail.recipients),
                "subject": mail.subject,
            }
            for mail in inbox.mails(_limit(request))
        ]
        return _json({"mails": mails, "total": inbox.total, "caught": True})

    async def mail(self, request: Request) -> Response:
        number = request.path_params["number"]
        mail = self._parts.inbox.mail(number) if self._parts.inbox is not None else None
        if mail is None:
            return _missing("mail", str(number))
        return _json(
            {
                "number": mail.number,
                "at": iso(mail.at_ms),
                "from": mail.sender,
                "to": list(mail.recipients),
                "subject": mail.subject,
                "headers": [[name, str(value)] for name, value in mail.message.items()],
                "text": mail.text,
                "html": mail.html,
            }
        )

    async def by_hand(self, request: Request) -> Response:
        """A person's word about one lead and one campaign, appended to the lead's log."""
        asked = _asked(await _body(request))
        problem = lead_id_problem(asked.lead)
        if problem is not None:
            raise BadInput("bad_id", "lead", problem)
        if asked.do not in ("enter", "remove"):
            raise BadInput("bad_field", "do", "must be enter or remove")
        if self._parts.tail.caught_up and asked.campaign not in self._parts.view.campaigns:
            raise BadInput("unknown_campaign", "campaign", f"{asked.campaign!r} is not published")
        log = self._parts.log
        if not log.partitions:
            raise Unavailable(log.problem, 1)
        id = asked.id or new_id()
        value = ByHand("enter" if asked.do == "enter" else "remove", asked.campaign, asked.by)
        await log.append((records.body(asked.lead, id, value, log.partitions),))
        return _json({"success": True, "id": id})

    async def openapi(self, _: Request) -> Response:
        return Response(_OPENAPI.read_bytes(), media_type="application/json")


_decode = msgspec.json.Decoder(ByHandBody).decode


def _asked(body: bytes) -> ByHandBody:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        raise BadInput("wrong_type", where.rstrip("`").lstrip(".") or "body", what) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("malformed_json", "body", f"is not valid JSON ({error})") from None


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise BadInput("too_large", "body", f"is larger than {BODY_BYTES_MAX} bytes", 413)
    return body


def _answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its refusals as JSON answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BadInput as refusal:
            return _json(refusal.answer(), refusal.status)
        except Unavailable as error:
            body = {"success": False, "reason": "unavailable", "message": error.reason}
            return _json(body, 503, {"retry-after": str(error.after_seconds)})

    return answer


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "100")
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise BadInput("bad_field", "limit", f"must be a number from 1 to {LIMIT_MAX}")
    return int(text)


def _missing(what: str, id: str) -> Response:
    return _json({"success": False, "message": f"there is no {what} {id!r} here"}, 404)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
