"""The table of campaigns over the store: a period of local days, read in a few queries, reckoned by `sales.campaign_table`."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from sales.campaign_table import By, Line, Period, Spent, reckon
from sales.life_facts import list_costs, records_in, spend_rows
from worktime.localtime import moment, wall_clock, zone_of


def period_of(first: date, last: date, zone: ZoneInfo) -> Period:
    """Return the period from one local day to another, both included."""
    begin = moment(datetime.combine(first, time()), zone)
    end = moment(datetime.combine(last + timedelta(days=1), time()), zone)
    return Period(begin, end, first, last)


def this_month(now_us: int, zone: ZoneInfo) -> tuple[date, date]:
    """Return the first day of the month and today."""
    today = wall_clock(now_us, zone).date()
    return today.replace(day=1), today


def campaigns_table(connection: Connection, period: Period, by: By) -> list[Line]:
    """Return the table of a period; see `sales.campaign_table`."""
    spent = [
        Spent(
            row.campaign_id,
            date.fromisoformat(row.from_day).toordinal(),
            date.fromisoformat(row.to_day).toordinal(),
            row.amount_minor,
            row.currency,
        )
        for row in spend_rows(connection, period.first.isoformat(), period.last.isoformat())
    ]
    day = period.first.toordinal()  # a list is paid for at once: any day of the period is as good
    spent += [
        Spent(row.campaign_id, day, day, row.cost_minor, row.currency)
        for row in list_costs(connection, period.from_us, period.to_us)
    ]
    customers = ((record.leads, record.lives()) for record in records_in(connection, period))
    return reckon(period, customers, spent, by)


def asked_period(since: str, until: str, zone_name: str, now_us: int) -> Period:
    """Return the period between two days as asked for; empty: from the first of this month, until today.

    Raises ValueError for what is no day, and for an end before the beginning.
    """
    zone = zone_of(zone_name)
    first, last = this_month(now_us, zone)
    first = date.fromisoformat(since) if since else first
    last = date.fromisoformat(until) if until else max(last, first)
    if last < first:
        raise ValueError("the last day lies before the first")
    return period_of(first, last, zone)
