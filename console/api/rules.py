"""The rule book: read, checked, simulated, published, taken back; cell by cell it is edited on the page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from answers.language import language_of
from console.api.acting import Key, about, command_for, company_of
from console.api.models_rules import (
    RulesBack,
    RulesBook,
    RulesChecked,
    RulesDone,
    RulesProblem,
    RulesPublished,
    RulesSimulated,
    RulesText,
    RulesVersion,
    RulesVersions,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.api.refusals import Refused
from console.desk import Desk
from console.operations import Operations
from console.rules import MOST_CHECKED, MOST_LEADS
from sales.book_files import EXAMPLES, BookText, book_of
from sales.diff import diff
from schemas.company import Company
from store.acts import ActRefused, Command
from store.company import last_book_number, list_books, load_book

DAY_US = 24 * 3_600_000_000
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a version")]


def rule_routes(desk: Desk, host: Operations) -> APIRouter:
    """Return the operations about the rule book."""
    router = operations("rules")

    @router.get("/rules", summary="The rule book in force")
    def rules() -> RulesBook:
        with desk.store.read() as connection:
            book, number = book_of(desk.companies.get(connection)), last_book_number(connection)
        if book is None:
            raise ActRefused("unknown_book", "No rule book is in force.")
        return _book(number, book)

    @router.get("/rules/versions", summary="Every version that is or was in force, the newest first")
    def rule_versions(cursor: Cursor = "", limit: Limit = 50) -> RulesVersions:
        place = place_of(cursor, int)
        with desk.store.read() as connection:
            found = list_books(connection, limit + 1, int(place[0]) if place else None)
        shown = [RulesVersion.model_validate(one) for one in found[:limit]]
        return RulesVersions(versions=shown, next=cursor_of(shown[-1].number) if len(found) > limit else None)

    @router.get("/rules/versions/{number}", summary="One version of the rule book")
    def rule_version(number: Number) -> RulesBook:
        with desk.store.read() as connection:
            found = load_book(connection, number)
        if found is None:
            raise ActRefused("unknown_book", f"There is no version {number} of the rule book.")
        return _book(number, BookText(**found))

    @router.post("/rules/check", summary="What is wrong or odd in a rule book, and what it would change")
    def check_rules(request: Request, body: RulesText) -> RulesChecked:
        company = company_of(desk)
        changed = _with(company, body)
        thorough = sum(len(text.splitlines()) for text in (body.csv, *body.tables.values())) <= MOST_CHECKED
        problems = host.problems_of_book(changed, thorough=thorough)
        language = language_of(request, company.language)
        is_right = all(one.severity != "error" for one in problems)
        return RulesChecked(
            may_be_published=is_right,
            problems=[
                RulesProblem(
                    code=one.code,
                    severity=one.severity,
                    file=one.file,
                    line=one.line,
                    column=one.column,
                    message=one.message(language),
                    fix=one.fix(language),
                )
                for one in problems
            ],
            overlaps_looked_for=thorough,
            changes=[one.text(language) for one in (diff(company, changed) if is_right else ())],
        )

    @router.post(
        "/rules/simulate",
        summary=f"Who would have had the leads of some days, at most the last {MOST_LEADS:,}",
    )
    def simulate_rules(body: RulesSimulated) -> dict[str, Any]:
        changed = _with(company_of(desk), body)
        if any(one.severity == "error" for one in host.problems_of_book(changed, thorough=False)):
            raise ActRefused("book_refused", "The rule book has errors; POST /api/rules/check tells which.")
        return host.simulated(changed, desk.clock() - body.days * DAY_US, MOST_LEADS)

    def put(request: Request, command: Command, more: dict[str, Any]) -> RulesDone:
        if not command.reason:
            raise ActRefused("publish_reason_missing", "Say what is changed and why.")
        done = host.do(command.verb, {"id": command.scope_id, **about(request, command), **more})
        return RulesDone(act_id=done["act_id"], repeated=done["repeated"], number=done["number"])

    @router.post("/rules/publish", summary="Put a rule book in force, as the next version")
    def publish_rules(request: Request, body: RulesPublished, key: Key = "") -> RulesDone:
        command = command_for(desk, request, body, "publish_book", key, scope="book", reason=body.reason)
        text = _text(body)
        more = {"csv": text.csv, "tables": dict(text.tables), "examples": text.examples, "over": body.over}
        return put(request, command, more)

    @router.post("/rules/rollback", summary="Put an earlier version in force again, as the newest")
    def roll_back_rules(request: Request, body: RulesBack, key: Key = "") -> RulesDone:
        command = command_for(desk, request, body, "roll_back_book", key, scope="book", reason=body.reason)
        return put(request, command, {"number": body.number})

    return router


def _book(number: int, book: BookText) -> RulesBook:
    return RulesBook(
        number=number, version=book.version, csv=book.csv, tables=dict(book.tables), examples=book.examples
    )


def _text(body: RulesText) -> BookText:
    """Return the book that was sent. Raises Refused for examples that are sent as a table."""
    if EXAMPLES in body.tables:
        raise Refused(422, "bad_body", f"tables: {EXAMPLES} stand in a field of their own.", "tables")
    return BookText(body.csv, body.tables, body.examples)


def _with(company: Company, body: RulesText) -> Company:
    return company.model_copy(update=_text(body).fields())
