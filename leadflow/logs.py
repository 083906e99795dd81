"""Structured logs, without personal data: events carry ids, codes and counts, never a lead's text."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up_logs(as_json: bool) -> None:
    """Log to stderr, as JSON lines or for a terminal."""
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
