"""Every table, as SQLAlchemy Core. The database states the invariants; the code makes them pleasant.

Moments are BIGINT microseconds UTC (`_us`). What changes over time is an interval: `from_us`, and `to_us`
that is NULL while the row holds; a partial unique index allows one open row. JSON is TEXT, written by us,
so that both databases hold the same bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

state = MetaData(naming_convention=_NAMING)
"""`store.db`, or the PostgreSQL database."""

doors = MetaData(naming_convention=_NAMING)
"""`doors.db`: what has to be durable before a door answers. Always a local SQLite file."""


def _id(name: str = "", *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null)


def _us(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _interval() -> tuple[Column[int], Column[int]]:
    return _us("from_us"), _us("to_us", null=True)


def _open_unique(name: str, *columns: str, extra: str = "") -> Index:
    where = text("to_us IS NULL" + extra)
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


# --- the log, in both files ---------------------------------------------------------------------------


def _log_tables(metadata: MetaData) -> tuple[Table, Table]:
    log_table = Table(
        "log",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", Integer, primary_key=True),
        Column("off", BigInteger, primary_key=True),
        _id("event_id"),
        _id("source"),
        _id("type"),
        _id("subject"),
        _id("key"),
        _us("time_us"),
        _id("trace_id"),
        _id("purpose"),
        _id("key_id", null=True),
        Column("sealed", LargeBinary, nullable=False),
        _us("appended_us"),
        sqlite_with_rowid=False,
    )
    head_table = Table(
        "topic_head",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", Integer, primary_key=True),
        _id("topic_id"),
        Column("next_off", BigInteger, nullable=False),
        Column("start_off", BigInteger, nullable=False, comment="the first offset that is still kept"),
    )
    return log_table, head_table


log, topic_head = _log_tables(state)
door_log, door_head = _log_tables(doors)


def _key_table(metadata: MetaData) -> Table:
    return Table(
        "pii_key",
        metadata,
        _id("key_id", key=True),
        _id("capture_id"),
        Column("wrapped", LargeBinary, nullable=False),
        Index("ix_pii_key_capture_id", "capture_id"),
    )


door_key = _key_table(doors)
"""Keys of captures, written with them: in `doors.db`; in the cluster, of those that wait there for the brokers."""
pii_key = _key_table(state)
"""Keys of captures in the cluster, where every worker reads them. Empty on one machine."""
tail_checkpoint = Table(
    "tail_checkpoint",
    doors,
    _id("source_id", key=True),
    _id("path", key=True),
    Column("state_json", Text, nullable=False),
    _us("saved_us"),
)

progress = Table(
    "progress",
    state,
    _id("stage", key=True),
    _id("topic", key=True),
    Column("part", Integer, primary_key=True),
    _id("topic_id"),
    Column("next_off", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

log_past = Table(
    "log_past",
    state,
    _id("topic", key=True),
    _id("topic_id", key=True),
    Column(
        "end_off",
        BigInteger,
        nullable=False,
        comment="what was forwarded under this identity from here on was undone by a restore",
    ),
)
"""Identities that topics of the store's log had before the store was put back."""

# --- what came in -------------------------------------------------------------------------------------

capture = Table(
    "capture",
    state,
    _id("capture_id", key=True),
    _id("source_id"),
    _id("channel"),
    _id("format"),
    Column("idem_hash", Text, nullable=False, comment="digest of the key: a sender's key may hold a name"),
    Column("key_given", Boolean, nullable=False),
    _id("digest"),
    _us("occurred_us", null=True),
    _us("accepted_us"),
    _id("trace_id"),
    _id("traceparent", null=True),
    _id("purpose"),
    _id("parent_id", null=True),
    _id("key_id", null=True),
    Column("part", Integer, nullable=False),
    Column("off", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    _id("kind", null=True),
    _id("code", null=True),
    Column("detail_json", Text, nullable=True),
    UniqueConstraint("source_id", "idem_hash", "digest"),
    CheckConstraint("result IN ('lead', 'ignored', 'refused', 'part')", name="result"),
    Index("ix_capture_source_id_digest", "source_id", "digest", "accepted_us"),
    Index("ix_capture_trace_id", "trace_id"),
    Index("ix_capture_accepted_us", "accepted_us"),
    Index("ix_capture_source_id_accepted_us", "source_id", "accepted_us"),
    Index(
        "ix_capture_probe",
        "source_id",
        "accepted_us",
        sqlite_where=text("purpose = 'probe'"),
        postgresql_where=text("purpose = 'probe'"),
    ),
)
lead_capture = Table(
    "lead_capture",
    state,
    _id("lead_id", key=True),
    _id("capture_id", key=True),
    Column("role", Text, nullable=False),
    CheckConstraint("role IN ('origin', 'correction', 'leg', 'repair')", name="role"),
    Index("ix_lead_capture_capture_id", "capture_id"),
)
mail_thread = Table(
    "mail_thread",
    state,
    Column("message_hash", Text, primary_key=True, comment="digest of the Message-ID, which may hold a name"),
    _id("lead_id"),
)
part = Table(
    "part",
    state,
    _id("group_id", key=True),
    _id("capture_id", key=True),
    Column("off", BigInteger, nullable=False),
    _us("at_us"),
    Column("data_json", Text, nullable=False),
)
lead = Table(
    "lead",
    state,
    _id("lead_id", key=True),
    _id("capture_id"),
    _id("source_id"),
    _id("channel"),
    _id("kind"),
    _id("purpose"),
    _id("trace_id"),
    _us("occurred_us", null=True),
    _us("accepted_us"),
    _us("resolved_us"),
    _id("campaign_id", null=True),
    _id("product_line", null=True),
    _id("product", null=True),
    _id("industry", null=True),
    Column("score", Integer, nullable=True, comment="0 to 100; none of what is no enquiry"),
    _id("grade", null=True),
    _id("language", null=True),
    _id("province", null=True),
    _id("city", null=True),
    _id("region_basis", null=True),
    _id("joined_lead_id", null=True),
    Column("fields_json", Text, nullable=False),
    Column("more_json", Text, nullable=False),
    Index("ix_lead_accepted_us", "accepted_us"),
    Index("ix_lead_campaign_id", "campaign_id"),
    Index("ix_lead_resolved_us", "resolved_us"),
    Index("ix_lead_trace_id", "trace_id"),
)
lead_identifier = Table(
    "lead_identifier",
    state,
    _id("lead_id", key=True),
    _id("kind", key=True),
    _id("value", key=True),
    _id("trust"),
    Index("ix_lead_identifier_kind_value", "kind", "value"),
)
identifier_status = Table(
    "identifier_status",
    state,
    _id("kind", key=True),
    _id("value", key=True),
    Column("status", Text, nullable=False),
    CheckConstraint("status IN ('shared', 'placeholder', 'demoted')", name="status"),
)
dead = Table(
    "dead",
    state,
    _id("dead_id", key=True),
    _id("stage"),
    _id("event_id"),
    _id("capture_id", null=True),
    _id("source_id", null=True),
    _id("trace_id"),
    Column("attempt", Integer, nullable=False),
    _id("code"),
    _id("field", null=True),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("state", Text, nullable=False),
    _us("refused_us"),
    Column("topic", Text, nullable=False),
    Column("part", Integer, nullable=False),
    Column("off", BigInteger, nullable=False),
    UniqueConstraint("stage", "event_id", "attempt"),
    CheckConstraint("state IN ('open', 'held', 'repaired', 'replayed', 'discarded')", name="state"),
    Index("ix_dead_state", "state", "refused_us", "dead_id"),
    Index("ix_dead_capture_id", "capture_id"),
    Index("ix_dead_trace_id", "trace_id"),
    Index(
        "ix_dead_held",
        "stage",
        "source_id",
        "part",
        "off",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
)
breaker = Table(
    "breaker",
    state,
    _id("stage", key=True),
    Column("source_id", Text, primary_key=True, comment="* for a stage that stopped"),
    Column("state", Text, nullable=False),
    _us("since_us"),
    Column("tried", Integer, nullable=False, comment="within the window, when it opened"),
    Column("refused", Integer, nullable=False),
    _id("code", null=True),
    CheckConstraint("state IN ('open', 'draining', 'stopped')", name="state"),
)
breaker_count = Table(
    "breaker_count",
    state,
    _id("stage", key=True),
    _id("source_id", key=True),
    Column("part", Integer, primary_key=True),
    Column("from_us", BigInteger, primary_key=True),
    Column("tried", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
)
alarm = Table(
    "alarm",
    state,
    _id("alarm_id", key=True),
    _id("what"),
    _id("stage"),
    _id("source_id"),
    _us("at_us"),
    Column("tried", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    _id("code", null=True),
    Index("ix_alarm_at_us", "at_us", "alarm_id"),
)
alarm_way = Table(
    "alarm_way",
    state,
    _id("alarm_id", key=True),
    Column("way", Text, primary_key=True),
    Column("attempt", Integer, nullable=False, comment="tries that failed"),
    _us("next_us"),
    _us("told_us", null=True),
    _id("code", null=True),
    CheckConstraint("way IN ('mail', 'webhook') OR way LIKE 'sinks.%'", name="way"),
)
process = Table(
    "process",
    state,
    _id("process_id", key=True),
    _id("part"),
    Column("stages", Text, nullable=False, comment="which ones it runs, with spaces between"),
    Column("trouble", Text, comment="why it does not move"),
    Column("beat_us", BigInteger, nullable=False, comment="by the store's own clock"),
    Column("has_left", Boolean, nullable=False, comment="it ended as it was told to"),
)
"""The processes of a cluster that were heard of lately. Empty on one machine."""
door_silence = Table(
    "door_silence",
    state,
    _id("source_id", key=True),
    _us("last_us"),
    _us("found_us"),
)
"""The sources that are silent against their rhythm: since which capture, and when a person was told."""
door_rhythm = Table(
    "door_rhythm",
    state,
    _id("source_id", key=True),
    Column(
        "hourly_json",
        Text,
        nullable=False,
        comment="what comes in an hour of the week, Monday 0 o'clock first",
    ),
    Column("zone", Text, nullable=False),
    _us("learnt_us"),
)
"""How each door usually speaks, learnt anew every hour by whoever watches the doors."""

door_reader = Table(
    "door_reader",
    state,
    _id("source_id", key=True),
    Column("worker", Text, comment="the process that reads it; none on one machine"),
    _us("until_us"),
    Column("path", Text, comment="which mailbox or table; how far it was read is of this one alone"),
    Column("state_json", Text, comment="how far; may lag behind what that process keeps with its captures"),
)
"""The sources that a door fetches from (mailboxes, tables of calls): which process of a cluster may, and how far it is."""

# --- who it is ----------------------------------------------------------------------------------------
#
# `binding` and `membership` point at atoms: contacts and customers as they were born, which are never renamed.
# `joined` and `parted` say which atoms are one; `alias` is what follows from them (enrich.identity.group).

contact = Table(
    "contact",
    state,
    _id("contact_id", key=True),
    _id("born_lead"),
    _us("born_us"),
    UniqueConstraint("born_lead"),
)
customer = Table(
    "customer",
    state,
    _id("customer_id", key=True),
    _id("kind"),
    _id("born_lead"),
    _id("purpose"),
    _us("born_us"),
    _us("touched_us"),
    _us("routed_us"),
    Column("state", Text, nullable=False),
    UniqueConstraint("born_lead"),
    CheckConstraint("kind IN ('person', 'company')", name="kind"),
    CheckConstraint("state IN ('open', 'closed', 'merged')", name="state"),
)
alias = Table(
    "alias", state, _id("old_id", key=True), _id("now_id"), _id("act_id"), Index("ix_alias_now_id", "now_id")
)
binding = Table(
    "binding",
    state,
    _id("kind", key=True),
    _id("value", key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us", null=True),
    _id("target_id"),
    _id("lead_id"),
    _open_unique("uq_binding_open", "kind", "value"),
    Index("ix_binding_target_id", "target_id"),
)
membership = Table(
    "membership",
    state,
    _id("lead_id", key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us", null=True),
    Column("contact_id", Text, ForeignKey("contact.contact_id"), nullable=False),
    Column("customer_id", Text, ForeignKey("customer.customer_id"), nullable=False),
    _open_unique("uq_membership_open", "lead_id"),
    Index("ix_membership_customer_id", "customer_id"),
    Index("ix_membership_contact_id", "contact_id"),
)
contact_customer = Table(
    "contact_customer",
    state,
    Column("contact_id", Text, ForeignKey("contact.contact_id"), primary_key=True),
    Column("customer_id", Text, ForeignKey("customer.customer_id"), primary_key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us", null=True),
    Column("is_primary", Boolean, nullable=False),
    _open_unique("uq_contact_customer_open", "contact_id", "customer_id"),
    _open_unique("uq_contact_customer_primary", "contact_id", extra=" AND is_primary"),
    Index("ix_contact_customer_customer_id", "customer_id"),
)
evidence = Table(
    "evidence",
    state,
    _id("lead_id", key=True),
    Column("ordinal", Integer, primary_key=True),
    _id("kind"),
    _id("value"),
    _id("pointed_at", null=True),
    Column("used", Boolean, nullable=False),
    _id("note", null=True),
)
joined = Table(
    "joined",
    state,
    _id("join_id", key=True),
    Column("rank", Integer, nullable=False, comment="0 a person said so, 1 the machine"),
    _id("a"),
    _id("b"),
    _id("act_id", null=True),
    *_interval(),
    Index("ix_joined_a", "a"),
    Index("ix_joined_b", "b"),
)
parted = Table(
    "parted",
    state,
    _id("a", key=True),
    _id("b", key=True),
    _id("act_id"),
    CheckConstraint("a < b", name="ordered"),
)
match_record = Table(
    "match_record",
    state,
    _id("lead_id", key=True),
    Column("packed", Text, nullable=False, comment="what is compared, see enrich.match.pack"),
    Column("keys_json", Text, nullable=False, comment="numbers of the keys that it is found under"),
)
match_key = Table(
    "match_key",
    state,
    Column("number", BigInteger, primary_key=True, comment="of a blocking key, see enrich.match.block"),
    _id("lead_id", key=True),
    Column("signature", Integer, nullable=False, comment="name and company, see enrich.match.block"),
    sqlite_with_rowid=False,
)
"""Under which keys a lead is found by others that may be of the same person; rows of a key lie together."""
find_key = Table(
    "find_key",
    state,
    Column(
        "key",
        # Ranges of keys are read: in the order of their bytes, whatever the database's language is.
        Text().with_variant(Text(collation="C"), "postgresql"),
        primary_key=True,
        comment="what a customer is found by at the front desk, see enrich.findable",
    ),
    _id("lead_id", key=True),
    Index("ix_find_key_lead_id", "lead_id"),
    sqlite_with_rowid=False,
)
match_model = Table(
    "match_model",
    state,
    Column("number", Integer, primary_key=True, comment="the greatest is in use"),
    Column("model_json", Text, nullable=True, comment="empty: the one that comes with Leadflow"),
    Column("digest", Text, nullable=False, comment="of the model: bits of another one are other bits"),
    Column("bands_json", Text, nullable=False, comment="by question, see enrich.match.tuning"),
    _us("published_us"),
    _id("act_id"),
)
"""Every model and its bands that were ever in use; a row never changes."""
review = Table(
    "review",
    state,
    _id("review_id", key=True),
    Column("kind", Text, nullable=False, comment="pair: are a and b one; leads: do these leads belong to a"),
    _id("a"),
    _id("b", null=True),
    Column("leads_json", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("evidence_json", Text, nullable=False),
    Column("millibits", Integer, nullable=True, comment="thousandths of a bit for one, prior included"),
    Column("state", Text, nullable=False),
    _us("made_us"),
    _us("answered_us", null=True),
    _us("looked_us", null=True),
    _id("act_id", null=True),
    CheckConstraint("kind IN ('pair', 'leads')", name="kind"),
    CheckConstraint("state IN ('open', 'same', 'apart', 'skipped')", name="state"),
    Index("ix_review_state", "state", "made_us"),
    Index("ix_review_sure", "state", "looked_us", "millibits"),
    Index("ix_review_a", "a"),
    Index("ix_review_b", "b"),
)
"""What a person should look at: pairs that may be one, and leads that may be somebody else's. `looked_us`: when the
machine had looked at a pair of whom it was sure at first, and left it to a person."""

# --- who has it ---------------------------------------------------------------------------------------

holding = Table(
    "holding",
    state,
    Column("customer_id", Text, ForeignKey("customer.customer_id"), primary_key=True),
    _id("role", key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us", null=True),
    _id("holder_kind"),
    _id("holder_id"),
    _id("decision_id", null=True),
    Column(
        "protected_until_us",
        BigInteger,
        nullable=True,
        comment="of an owner: no reclaim and no automatic move before, see store.protection",
    ),
    _open_unique("uq_holding_owner", "customer_id", extra=" AND role = 'owner'"),
    CheckConstraint("role IN ('owner', 'collaborator', 'stand_in')", name="role"),
    CheckConstraint("holder_kind IN ('person', 'queue', 'pool', 'nurture')", name="holder_kind"),
    Index(
        "ix_holding_had",
        "holder_kind",
        "holder_id",
        "customer_id",
        sqlite_where=text("to_us IS NOT NULL"),
        postgresql_where=text("to_us IS NOT NULL"),
    ),
    Index(
        "ix_holding_holder",
        "holder_kind",
        "holder_id",
        "from_us",
        sqlite_where=text("to_us IS NULL"),
        postgresql_where=text("to_us IS NULL"),
    ),
)
decision = Table(
    "decision",
    state,
    _id("decision_id", key=True),
    _id("stage"),
    _id("event_id"),
    _id("subject_id"),
    _id("lead_id", null=True),
    _id("trace_id"),
    _us("decided_us"),
    _id("code"),
    _id("book_version", null=True),
    _id("rule_id", null=True),
    Column("reason_json", Text, nullable=False),
    UniqueConstraint("stage", "event_id", "subject_id"),
    Index("ix_decision_subject_id", "subject_id"),
    Index("ix_decision_lead_id", "lead_id"),
    Index("ix_decision_decided_us", "decided_us"),
)
ledger = Table(
    "ledger",
    state,
    _id("decision_id", key=True),
    _id("person_id", key=True),
    _id("kind", key=True),
    _id("team_id"),
    Column("period", Text, nullable=False, comment="the local month"),
    Column("grade", Text, nullable=False, comment="of the lead"),
    Column("delta", Integer, nullable=False),
    _us("at_us"),
    _id("act_id", null=True),
    CheckConstraint("kind IN ('received', 'invalid', 'moved')", name="kind"),
    CheckConstraint("delta = CASE kind WHEN 'received' THEN 1 ELSE -1 END", name="delta"),
    Index(
        "uq_ledger_credit",
        "decision_id",
        unique=True,
        sqlite_where=text("delta < 0"),
        postgresql_where=text("delta < 0"),
    ),
    Index("ix_ledger_person_id", "person_id", "at_us"),
    Index("ix_ledger_team_id", "team_id", "at_us"),
)
"""What people got by rule or took (`received`), and what is credited back to them, once at most; of each the decision
that gave it, and of a credit the act. A row never changes."""
ledger_total = Table(
    "ledger_total",
    state,
    _id("team_id", key=True),
    _id("period", key=True),
    _id("grade", key=True),
    _id("person_id", key=True),
    Column("received", Integer, nullable=False, comment="credits taken off"),
    Column("entitled", BigInteger, nullable=False, comment="in parts of a lead, see schemas.shares"),
    Column("last_us", BigInteger, nullable=False, comment="when they got the last one; 0 for none"),
)
"""The sums of the ledger by which turns are decided."""
task = Table(
    "task",
    state,
    _id("task_id", key=True),
    Column("customer_id", Text, ForeignKey("customer.customer_id"), nullable=False),
    _id("lead_id", null=True),
    _id("decision_id"),
    Column("ordinal", Integer, nullable=False),
    _id("origin"),
    _id("holder_kind"),
    _id("holder_id"),
    _us("due_us"),
    Column("state", Text, nullable=False),
    _id("priority", null=True),
    Column("playbook", Text, nullable=True, comment="the rule's, by the company's own name for it"),
    _us("created_us"),
    _us("ended_us", null=True),
    UniqueConstraint("decision_id", "ordinal"),
    CheckConstraint("priority IN ('high', 'normal', 'low')", name="priority"),
    CheckConstraint("state IN ('open', 'done', 'cancelled')", name="state"),
    Index("ix_task_customer_id", "customer_id"),
    Index("ix_task_holder", "holder_id", "state", "due_us"),
    Index("ix_task_lead_id", "lead_id"),
    Index(
        "ix_task_call_back",
        "due_us",
        sqlite_where=text("origin = 'call_back' AND state = 'open'"),
        postgresql_where=text("origin = 'call_back' AND state = 'open'"),
    ),
)
outcome = Table(
    "outcome",
    state,
    _id("outcome_id", key=True),
    _id("task_id"),
    _id("customer_id"),
    _id("person_id"),
    _id("code"),
    _id("reason", null=True),
    Column("note", Text, nullable=True),
    _us("next_us", null=True),
    _us("recorded_us"),
    UniqueConstraint("task_id"),
    Index("ix_outcome_customer_id", "customer_id"),
)
act = Table(
    "act",
    state,
    _id("act_id", key=True),
    _id("idem_key"),
    _id("actor"),
    _id("verb"),
    Column("reason", Text, nullable=True),
    _id("scope_id", null=True),
    _id("undoes", null=True),
    Column("asked", Text, nullable=True, comment="Digest of what was sent with the key"),
    Column("told_json", Text, nullable=True, comment="What it was answered with, for who asks again"),
    _us("recorded_us"),
    UniqueConstraint("idem_key"),
    UniqueConstraint("undoes"),
    Index("ix_act_scope_id", "scope_id"),
    Index("ix_act_actor", "actor", "recorded_us", "act_id"),
    Index("ix_act_actor_verb", "actor", "verb", "recorded_us", "act_id"),
    Index("ix_act_verb", "verb", "recorded_us", "act_id"),
    Index("ix_act_recorded_us", "recorded_us", "act_id"),
)
act_left = Table(
    "act_left",
    state,
    Column("act_id", Text, ForeignKey("act.act_id"), primary_key=True),
    _id("customer_id", key=True),
    _id("code"),
)
"""Customers that an act on many left where they were, and why: the one thing that its decisions do not tell."""
stage = Table(
    "stage",
    state,
    _id("stage_id", key=True),
    Column("lead_id", Text, nullable=False, comment="whose life cycle: merging and parting follow the lead"),
    Column("line", Text, nullable=True, comment="product line; without one, the lead's own"),
    Column("stage", Text, nullable=False),
    _id("person_id"),
    _id("reason", null=True),
    Column("until_us", BigInteger, nullable=True, comment="of later: when it is taken up again"),
    _id("act_id"),
    _us("at_us"),
    CheckConstraint("stage IN ('new', 'contacted', 'opportunity', 'won', 'later', 'lost')", name="stage"),
    Index("ix_stage_lead_id", "lead_id"),
)
"""Stages that people set by hand; a row never changes. What outcomes and orders say is not repeated here, see sales.life."""
sale_order = Table(
    "sale_order",
    state,
    Column("order_id", Text, primary_key=True, comment="of one version of an order"),
    Column("source", Text, nullable=False, comment="the system it comes from; hand: typed with an outcome"),
    _id("order_no"),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False, comment="of what was sent: the same again is a repetition"),
    Column("state", Text, nullable=False),
    Column("product", Text, nullable=True),
    _id("line", null=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    _us("ordered_us"),
    Column("lead_id", Text, nullable=True, comment="of whose customer it is; none while that is open"),
    Column("matched_by", Text, nullable=True),
    Column("why_open", Text, nullable=True),
    Column("given_json", Text, nullable=True, comment="what names the buyer, kept only while it is open"),
    _id("act_id"),
    *_interval(),
    UniqueConstraint("source", "order_no", "version"),
    _open_unique("uq_sale_order_open", "source", "order_no"),
    CheckConstraint("state IN ('placed', 'cancelled')", name="state"),
    CheckConstraint("(lead_id IS NULL) = (why_open IS NOT NULL)", name="open"),
    Index("ix_sale_order_order_no", "order_no"),
    Index("ix_sale_order_lead_id", "lead_id"),
)
"""Orders, each version an interval: a correction or cancellation ends the one before and is a row of its own."""
spend = Table(
    "spend",
    state,
    _id("spend_id", key=True),
    _id("campaign_id"),
    Column("from_day", Text, nullable=False, comment="local day, ISO 8601"),
    Column("to_day", Text, nullable=False, comment="local day, included"),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("note", Text, nullable=True),
    Column("source", Text, nullable=False, comment="the file's name, or hand"),
    Column(
        "ordinal",
        Integer,
        nullable=False,
        comment="among the rows of its source for that campaign and period",
    ),
    _id("act_id"),
    *_interval(),
    _open_unique("uq_spend_open", "campaign_id", "from_day", "to_day", "source", "ordinal"),
    CheckConstraint("from_day <= to_day", name="days"),
    Index("ix_spend_to_day", "to_day"),
)
"""What campaigns cost, each version an interval, as with orders."""
claim = Table(
    "claim",
    state,
    _id("claim_id", key=True),
    _id("customer_id"),
    Column("claimant_id", Text, nullable=False, comment="a person or a unit"),
    Column(
        "why", Text, nullable=False, comment="rule: met an owner of another department; registered: an act"
    ),
    Column("state", Text, nullable=False),
    _us("made_us"),
    Column("until_us", BigInteger, nullable=True, comment="after that it is over by itself"),
    Column("caused_by", Text, nullable=False, comment="the decision or the act it came by"),
    _us("ended_us", null=True),
    _id("ended_by", null=True),
    CheckConstraint("why IN ('rule', 'registered')", name="why"),
    CheckConstraint("state IN ('open', 'owner', 'collaborator', 'refused')", name="state"),
    Index(
        "uq_claim_open",
        "customer_id",
        "claimant_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_claim_customer_id", "customer_id"),
)
"""Claims on customers that somebody else has, or had: open ones wait for a manager; see store.acts_claim."""
job = Table(
    "job",
    state,
    _id("job_id", key=True),
    _id("kind"),
    Column(
        "person_id", Text, nullable=False, comment="whose customers are handed over; what an undo takes back"
    ),
    _id("actor"),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("spec_json", Text, nullable=False, comment="what was asked for, and what only undoing needs"),
    Column("items", Integer, nullable=False),
    Column("next_item", Integer, nullable=False, comment="everything before it is done"),
    _us("until_us", null=True),
    _us("made_us"),
    _us("ended_us", null=True),
    _id("code", null=True),
    CheckConstraint("kind IN ('hand_over', 'undo')", name="kind"),
    CheckConstraint(
        "state IN ('running', 'covering', 'returning', 'undoing', 'stopped', 'done', 'returned', 'undone')",
        name="state",
    ),
    Index("ix_job_person_id", "person_id"),
    Index("ix_job_state", "state"),
)
"""Hand-overs, and undoing of scopes: each a resumable job, done in chunks; see store.acts_job, store.acts_scope."""
job_item = Table(
    "job_item",
    state,
    _id("job_id", key=True),
    Column("number", Integer, primary_key=True),
    _id("customer_id"),
    _id("holder_kind"),
    _id("holder_id"),
    Column("reason_json", Text, nullable=False, comment="team, rule and conditions, if it was by one"),
    Column("state", Text, nullable=False),
    _id("code", null=True),
    CheckConstraint("state IN ('open', 'given', 'left')", name="state"),
)
certificate = Table(
    "certificate",
    state,
    _id("certificate_id", key=True),
    Column("number", Integer, nullable=False),
    _id("job_id"),
    _id("person_id"),
    Column("body_json", Text, nullable=False, comment="every object with its new holder"),
    Column("before", Text, nullable=False, comment="digest of the certificate before; empty for the first"),
    Column("digest", Text, nullable=False, comment="SHA-256, see store.certificates"),
    _us("made_us"),
    UniqueConstraint("number"),
    UniqueConstraint("job_id"),
)
"""Proofs that nothing of somebody's was left behind: a chain, no row of which ever changes."""
access = Table(
    "access",
    state,
    _id("access_id", key=True),
    Column("token_hash", Text, nullable=False, comment="SHA-256 of the secret, which is kept nowhere"),
    _id("person_id"),
    _id("kind"),
    Column("role", Text, nullable=True, comment="none: whatever roles its person has at that moment"),
    Column("scope", Text, nullable=True, comment="of a token: the only parts of the API that it opens"),
    _us("made_us"),
    _us("expires_us"),
    _us("used_us", null=True),
    _us("ended_us", null=True),
    _us("seen_us", null=True),
    Column("device", Text, nullable=True, comment="what a session's browser says of itself"),
    _id("made_by_act"),
    UniqueConstraint("token_hash"),
    CheckConstraint("kind IN ('token', 'link', 'invitation', 'session', 'calendar')", name="kind"),
    CheckConstraint(
        "role IN ('representative', 'manager', 'marketing', 'front_desk', 'operations', 'auditor')",
        name="role",
    ),
    Index("ix_access_person_id", "person_id"),
    Index(
        "ix_access_open",
        "kind",
        "person_id",
        "expires_us",
        sqlite_where=text("ended_us IS NULL AND used_us IS NULL"),
        postgresql_where=text("ended_us IS NULL AND used_us IS NULL"),
    ),
    Index("ix_access_made_by_act", "made_by_act"),
)
account = Table(
    "account",
    state,
    _id("person_id", key=True),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its parameters and salt"),
    Column(
        "second_factor",
        LargeBinary,
        nullable=True,
        comment="TOTP secret, sealed under a key of the master key",
    ),
    Column(
        "last_step", BigInteger, nullable=False, comment="of the last code that was taken: none works twice"
    ),
    _us("set_us"),
    _id("made_by_act"),
)
"""Who signs in with a password; see store.accounts."""
notice = Table(
    "notice",
    state,
    _id("person_id", key=True),
    Column("mail", Boolean, nullable=False, comment="whether they are told of their own by mail at all"),
    Column("robot", Boolean, nullable=False, comment="the same, by a robot of their own"),
    Column("quiet_from", Integer, nullable=True, comment="minute of their local day; none: no quiet hours"),
    Column("quiet_to", Integer, nullable=True),
    _us("set_us"),
    CheckConstraint("(quiet_from IS NULL) = (quiet_to IS NULL)", name="quiet"),
    CheckConstraint("quiet_from BETWEEN 0 AND 1439 AND quiet_to BETWEEN 0 AND 1439", name="minutes"),
)
"""What each person chose to be told, and when not; see store.notices."""
erased = Table(
    "erased",
    state,
    _id("kind", key=True),
    Column(
        "keyed_hash",
        Text,
        primary_key=True,
        comment="HMAC of an identifier (store.marks); of kind capture its id, of kind occurrence what schemas.capture makes of it",
    ),
    _id("act_id", key=True),
    Column("at_us", BigInteger, nullable=False, comment="what is older than this is not taken again"),
)
opt_out = Table(
    "opt_out",
    state,
    _id("kind", key=True),
    Column("keyed_hash", Text, primary_key=True, comment="HMAC of an identifier (store.marks)"),
    _id("purpose", key=True),
    _id("act_id", key=True),
    _us("at_us"),
)
"""What people do not agree to any more; outlives the erasure of who said so."""
lead_opt_out = Table(
    "lead_opt_out",
    state,
    _id("lead_id", key=True),
    _id("purpose", key=True),
    Column("at_us", BigInteger, nullable=False, comment="only what is agreed to later counts"),
)
key_to_erase = Table(
    "key_to_erase",
    state,
    Column(
        "key_id", Text, primary_key=True, comment="of a capture that came again after its customer was erased"
    ),
)
timer = Table(
    "timer",
    state,
    _id("kind", key=True),
    _id("subject_id", key=True),
    Column("due_us", BigInteger, primary_key=True),
    _us("fired_us", null=True),
    Index(
        "ix_timer_due",
        "due_us",
        sqlite_where=text("fired_us IS NULL"),
        postgresql_where=text("fired_us IS NULL"),
    ),
)

# --- lists that were brought in ------------------------------------------------------------------------

import_run = Table(
    "import_run",
    state,
    _id("import_id", key=True),
    _id("source_id"),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, comment="of the file"),
    Column("digest", Text, nullable=False, comment="of the file's bytes"),
    Column("bytes", BigInteger, nullable=False),
    _id("actor"),
    Column("state", Text, nullable=False),
    Column("spec_json", Text, nullable=False, comment="what was asked for, and what the columns are"),
    Column("next_row", Integer, nullable=False, comment="every row of the file before it is done"),
    Column("taken", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("total", Integer, nullable=True, comment="rows in the file, once they are known"),
    Column(
        "aside_json", Text, nullable=False, comment="how many were put aside so far, by whose they will be"
    ),
    _id("campaign_id", null=True),
    Column("cost_minor", BigInteger, nullable=True, comment="in the smallest unit of the currency"),
    _id("currency", null=True),
    _us("at_us"),
    _us("ended_us", null=True),
    _us("reverted_us", null=True),
    Column("dropped", Boolean, nullable=False, comment="the file itself is kept no longer"),
    _id("code", null=True),
    CheckConstraint("kind IN ('leads', 'customers')", name="kind"),
    CheckConstraint(
        "state IN ('draft', 'running', 'stopped', 'done', 'reverting', 'reverted')", name="state"
    ),
    Index("ix_import_run_state", "state"),
    Index("ix_import_run_at_us", "at_us"),
)
"""Lists: each a resumable job, taken in batches; see leadflow.imports."""
import_piece = Table(
    "import_piece",
    state,
    _id("import_id", key=True),
    Column("number", Integer, primary_key=True),
    _id("capture_id"),
    Index("ix_import_piece_capture_id", "capture_id"),
)
"""The captures that the file itself is kept in, in their order."""
import_row = Table(
    "import_row",
    state,
    _id("import_id", key=True),
    Column("number", Integer, primary_key=True, comment="in the file, as a spreadsheet program shows it"),
    _id("capture_id", null=True),
    _id("code", null=True),
    _id("field", null=True),
    Column("reverted", Text, nullable=True, comment="out, or why it was left when the list was taken back"),
    CheckConstraint("(capture_id IS NULL) <> (code IS NULL)", name="taken_or_refused"),
    Index("ix_import_row_capture_id", "capture_id"),
)
"""What became of each row: the capture it is, or the code it was refused with. Holds nothing of what stood in it."""
import_mapping = Table(
    "import_mapping",
    state,
    _id("source_id", key=True),
    Column("column_key", Text, primary_key=True, comment="as compared, see ingest.lists.columns"),
    Column("target", Text, nullable=False),
    _us("at_us"),
)
"""What people said that a sender's columns are; the next list of the sender is read so, too."""

# --- what goes out --------------------------------------------------------------------------------------

delivery = Table(
    "delivery",
    state,
    _id("delivery_id", key=True),
    _id("sink_id"),
    Column("dest", Text, nullable=False, comment="a person's id, else the sink's own"),
    Column("lane", Text, nullable=False, comment="what goes out one after the other"),
    _id("event_id"),
    _id("decision_id"),
    _id("customer_id"),
    _id("lead_id", null=True),
    _id("trace_id"),
    _id("purpose"),
    _id("holder_kind"),
    _id("holder_id"),
    _us("decided_us"),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, comment="tries that failed since since_us"),
    Column("replays", Integer, nullable=False),
    _us("since_us"),
    _us("next_us"),
    _us("answered_us", null=True),
    _id("code", null=True),
    Column("answer", Text, nullable=True, comment="the destination's status, never its words"),
    Column(
        "told_in",
        Text,
        nullable=True,
        comment="the message that tells it, its own or one of many, from its first try on; none: surely not taken yet",
    ),
    UniqueConstraint("sink_id", "dest", "event_id"),
    CheckConstraint("state IN ('waiting', 'sent', 'failed', 'dropped')", name="state"),
    Index(
        "ix_delivery_lane",
        "lane",
        "decided_us",
        "delivery_id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("ix_delivery_customer_id", "customer_id"),
)

lane_claim = Table(
    "lane_claim",
    state,
    _id("lane", key=True),
    Column(
        "claimed_by",
        Text,
        nullable=False,
        comment="the process that sends what is first in this lane; or that it gathers, see sinks.claims",
    ),
    _us("until_us"),
)

# --- the company --------------------------------------------------------------------------------------

config_version = Table(
    "config_version",
    state,
    Column("one", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
setting = Table("setting", state, _id("key", key=True), Column("value_json", Text, nullable=False))
relocation = Table(
    "relocation",
    state,
    Column("one", Integer, primary_key=True),
    _id("state"),
    Column("origin", Text, nullable=False, comment="the identity of the captures' topic where it comes from"),
    _us("since_us"),
    CheckConstraint("one = 1", name="one"),
    CheckConstraint("state IN ('coming', 'here', 'gone')", name="state"),
)
"""Whether this store is being moved to, was moved here, or was moved away; empty where nothing was ever moved."""
source = Table(
    "source",
    state,
    _id("source_id", key=True),
    _id("channel"),
    _id("format"),
    Column("settings_json", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
)
sink = Table(
    "sink",
    state,
    _id("sink_id", key=True),
    _id("kind"),
    Column("settings_json", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
)
unit = Table(
    "unit",
    state,
    _id("unit_id", key=True),
    _id("parent_id", null=True),
    _id("kind"),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    _id("manager_id", null=True),
    _id("language", null=True),
    _id("zone", null=True),
    _id("calendar_id", null=True),
    CheckConstraint("kind IN ('company', 'branch', 'department', 'team')", name="kind"),
)
person = Table(
    "person",
    state,
    _id("person_id", key=True),
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=True),
    Column("email", Text, nullable=True),
    Column("phone", Text, nullable=True),
    Column("extension", Text, nullable=True),
    Column("desk_code", Text, nullable=True),
    _id("language"),
    _id("calendar_id", null=True),
    Column("state", Text, nullable=False),
    Column("skills_json", Text, nullable=False),
    Column("languages_json", Text, nullable=False),
    Column("lines_json", Text, nullable=False),
    Column("territories_json", Text, nullable=False),
    Column("open_cap", Integer, nullable=True),
    Column("day_cap", Integer, nullable=True),
    Column("opening_minutes", Integer, nullable=False),
    Column("closing_minutes", Integer, nullable=False),
    Column("roles_json", Text, nullable=False),
    CheckConstraint("state IN ('active', 'left')", name="state"),
)
member = Table(
    "member",
    state,
    _id("unit_id", key=True),
    _id("person_id", key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us", null=True),
    Column("share", Integer, nullable=False),
    _open_unique("uq_member_open", "unit_id", "person_id"),
)
absence = Table(
    "absence",
    state,
    _id("person_id", key=True),
    Column("from_us", BigInteger, primary_key=True),
    _us("to_us"),
    _id("stand_in_id", null=True),
)
calendar = Table(
    "calendar", state, _id("calendar_id", key=True), Column("calendar_json", Text, nullable=False)
)
product_line = Table(
    "product_line",
    state,
    _id("line_id", key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("aliases_json", Text, nullable=False),
)
product = Table(
    "product",
    state,
    _id("product_id", key=True),
    _id("line_id"),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("aliases_json", Text, nullable=False),
)
industry = Table(
    "industry",
    state,
    _id("industry_id", key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("aliases_json", Text, nullable=False),
)
campaign = Table(
    "campaign",
    state,
    _id("campaign_id", key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
)
campaign_alias = Table(
    "campaign_alias",
    state,
    _id("kind", key=True),
    Column("alias_key", Text, primary_key=True, comment="as compared, see schemas.company.alias_key"),
    Column("value", Text, nullable=False, comment="as a person wrote it"),
    _id("campaign_id"),
    Column("ordinal", Integer, nullable=False),
    CheckConstraint("kind IN ('utm', 'click', 'tag', 'dialled', 'list', 'heard')", name="kind"),
)
territory = Table(
    "territory",
    state,
    _id("territory_id", key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    _id("unit_id", null=True),
)
territory_place = Table(
    "territory_place",
    state,
    Column("province_key", Text, primary_key=True, comment="as compared, see schemas.company.place_key"),
    Column("city_key", Text, primary_key=True, comment="empty for the whole province"),
    Column("province", Text, nullable=False),
    Column("city", Text, nullable=True),
    _id("territory_id"),
    Column("ordinal", Integer, nullable=False),
)
choice = Table(
    "choice",
    state,
    _id("list", key=True),
    _id("code", key=True),
    Column("ordinal", Integer, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("retry_json", Text, nullable=False),
    Column("wake_json", Text, nullable=False),
    CheckConstraint("list IN ('outcome', 'return', 'no_need', 'not_a_lead', 'move', 'nurture')", name="list"),
)
pool = Table(
    "pool",
    state,
    _id("pool_id", key=True),
    Column("ordinal", Integer, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("units_json", Text, nullable=False),
    Column("open_limit", Integer, nullable=True),
    Column("day_limit", Integer, nullable=True),
    Column("again_days", Integer, nullable=False),
    Column("owner_days", Integer, nullable=False),
    Column("hold_hours", Integer, nullable=False),
    Column("ladder_json", Text, nullable=False),
    Column("old_days", Integer, nullable=False),
    _id("reclaim"),
    Column("grades_json", Text, nullable=False),
    Column("lines_json", Text, nullable=False),
    Column("protected", Integer, nullable=False),
    CheckConstraint("reclaim IN ('offer', 'yes', 'no')", name="reclaim"),
)
unlisted = Table(
    "unlisted",
    state,
    Column("kind", Text, primary_key=True, comment="utm, click, tag, dialled, list, heard, or place"),
    Column("value", Text, primary_key=True, comment="what the lead named and no list of the company has"),
    _id("lead_id", key=True),
    _us("at_us"),
    Index("ix_unlisted_lead_id", "lead_id"),
)
book = Table(
    "book",
    state,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _id("version"),
    Column("csv", Text, nullable=False),
    Column("tables_json", Text, nullable=False, comment="further tables by name, each as CSV"),
    Column("examples_csv", Text, nullable=True),
    _us("published_us"),
    _id("act_id", null=True),
    Index("ix_book_version", "version"),
)
"""Every rule book that was ever in force, the last one is; a row never changes."""
book_draft = Table(
    "book_draft",
    state,
    Column("draft_id", Text, primary_key=True, comment="always book: there is one draft"),
    Column("revision", Integer, nullable=False),
    Column("base", Integer, nullable=False, comment="the number of the rule book that it began from"),
    Column("grids_json", Text, nullable=False, comment="its tables: columns, and rows by id"),
    Column("actor", Text, nullable=False),
    _us("changed_us"),
)
