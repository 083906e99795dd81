"""What people read for each code of the program, in the words of the field. `N_` marks a text for the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Gettext = Callable[[str], str]


def N_(text: str) -> str:
    """Return the text; the catalogue's extractor looks for this name."""
    return text


CHANNELS = {
    "web": N_("Web"),
    "email": N_("Email"),
    "cti": N_("Calls"),
    "counter": N_("Front desk"),
    "list": N_("List"),
}

KINDS = {
    "enquiry": N_("Enquiry"),
    "existing_customer": N_("Existing customer"),
    "service": N_("Service"),
    "supplier": N_("Supplier"),
    "private": N_("Private"),
    "automatic": N_("Automatic message"),
    "correction": N_("Correction"),
}

ROLES = {
    "representative": N_("representative"),
    "manager": N_("manager"),
    "marketing": N_("marketing"),
    "front_desk": N_("front desk"),
    "operations": N_("operations"),
    "auditor": N_("auditor"),
}
ACCESS_KINDS = {
    "token": N_("Token of a program"),
    "link": N_("One-time link"),
    "invitation": N_("Invitation"),
    "session": N_("Signed in"),
    "calendar": N_("Calendar"),
}
ORIGINS = {
    "first_response": N_("First response"),
    "call_back": N_("Call back"),
    "plan": N_("Planned step"),
    "delegation": N_("Delegated"),
    "collaboration": N_("Collaboration"),
    "care": N_("Customer care"),
}

PERIODS = {
    "this_month": N_("This month"),
    "last_month": N_("Last month"),
    "this_quarter": N_("This quarter"),
    "this_year": N_("This year"),
}
STORIES = {
    "four_doors": N_("One customer by four doors"),
    "two_departments": N_("Two departments at once"),
    "leaver": N_("Somebody resigns"),
    "broken_row": N_("A broken row"),
}
STORIES_TOLD = {
    "four_doors": N_("王芳 fills in a form, writes a mail, calls in vain and walks in: is she one?"),
    "two_departments": N_("One customer asks Beijing and stands in the Shanghai showroom: who has them?"),
    "leaver": N_("All customers to colleagues, with a certificate, and back."),
    "broken_row": N_("A redesigned form sends fields that nobody knows: repaired, it gets an owner."),
}
REVIEWS = {
    "alike": N_("They are alike"),
    "conflict": N_("One enquiry came with the number of one and the mailbox of the other"),
    "crowded_identifier": N_("Only this ties them together, and too many people gave it"),
}
ANSWERS = {
    "same": N_("joined"),
    "apart": N_("kept apart"),
    "skipped": N_("left open"),
}
PRESENCE = {
    "here": N_("here"),
    "away": N_("away"),
    "off_shift": N_("off shift"),
    "left": N_("has left"),
}
INSTEAD = {
    "stand_in": N_("stands in"),
    "colleague": N_("colleague of the team"),
    "manager": N_("manager"),
}

DELIVERY_STATES = {
    "waiting": N_("waiting to be sent"),
    "sent": N_("sent"),
    "failed": N_("could not be sent"),
    "dropped": N_("not sent"),
}

CARRIERS: Mapping[str, str] = {
    "China Mobile": N_("China Mobile"),
    "China Unicom": N_("China Unicom"),
    "China Telecom": N_("China Telecom"),
}
"""As libphonenumber names them; the name itself where it is another."""

AGREED: Mapping[str, str] = {"contact": N_("being contacted")}
"""Purposes that people agree to or refuse; a purpose of the company's own is shown as it is."""

DROPPED = {
    "erased": N_("The customer was erased."),
    "sink_gone": N_("The sink was taken out of the company."),
    "moved_on": N_("Somebody else had the customer by the time it was to be told."),
}
"""Why something is not sent at all; why it could not be sent stands among the dead letters."""

PRIORITIES = {"high": N_("high"), "normal": N_("normal"), "low": N_("low")}

TASK_STATES = {"open": N_("open"), "done": N_("done"), "cancelled": N_("cancelled")}

COLUMNS = {
    "channel": N_("channel"),
    "source": N_("source"),
    "campaign": N_("campaign"),
    "product_line": N_("product line"),
    "territory": N_("territory"),
    "province": N_("province"),
    "city": N_("city"),
    "customer_kind": N_("kind of customer"),
    "language": N_("language"),
    "call_missed": N_("missed call"),
    "new_customer": N_("new customer"),
    "junk": N_("looks like junk"),
    "product": N_("product"),
    "industry": N_("industry"),
    "has_name": N_("name given"),
    "has_company": N_("company given"),
    "has_phone": N_("telephone given"),
    "has_email": N_("mail given"),
    "message_length": N_("characters of the message"),
    "score": N_("score"),
    "grade": N_("grade"),
    "came_on": N_("day it came"),
}
"""What a rule may ask about."""

VALUES: Mapping[str, Mapping[str, str]] = {
    "channel": CHANNELS,
    "customer_kind": {"person": N_("private customer"), "company": N_("company customer")},
    "language": {"zh": N_("Chinese"), "en": N_("English")},
    "call_missed": {"yes": N_("yes"), "no": N_("no")},
    **{
        fact: {"yes": N_("yes"), "no": N_("no")}
        for fact in ("new_customer", "has_name", "has_company", "has_phone", "has_email")
    },
}

PASSED_OVER = {
    "left": N_("has left"),
    "away": N_("away"),
    "off_shift": N_("off shift"),
    "no_share": N_("share 0"),
    "opening": N_("only just begun"),
    "closing": N_("about to stop"),
    "lacks_language": N_("not in that language"),
    "other_line": N_("other product line"),
    "other_territory": N_("other territory"),
    "at_cap": N_("at capacity"),
    "at_day_cap": N_("at capacity for today"),
    "lacks_skill": N_("others know it better"),
    "not_named": N_("not the one named"),
    "returned_it": N_("returned it before"),
}

PURPOSES = {
    "real": N_("real"),
    "test": N_("test"),
    "demo": N_("demo"),
    "probe": N_("self-test"),
}

DECISIONS = {
    "sticky_owner": N_("Stays with the owner"),
    "weighted_turn": N_("Given by turn"),
    "least_loaded": N_("Given to the least loaded"),
    "least_recent": N_("Given to whoever waited longest"),
    "best_match": N_("Given to the best match"),
    "fixed": N_("Given to whom the rule names"),
    "call_now": N_("Call now: the first to take it gets it"),
    "waiting": N_("Into the waiting queue"),
    "default_queue": N_("Into the default queue"),
    "pooled": N_("Into the open pool"),
    "claimed": N_("Taken"),
    "released": N_("Released into the pool"),
    "reminded": N_("Owner reminded"),
    "copied": N_("Manager told"),
    "offered": N_("Offered to others"),
    "reclaimed": N_("Taken back into the pool"),
    "moved": N_("Moved"),
    "moved_back": N_("Move undone"),
    "handed_over": N_("Hand-over"),
    "returned": N_("Returned"),
    "owner_left": N_("Handed over"),
    "nurtured": N_("Put aside until a date"),
    "woken": N_("Taken up again"),
    "merged": N_("Merged"),
    "parted": N_("Parted"),
    "registered": N_("Registered"),
    "claim_decided": N_("Decided between departments"),
    "auto_moved": N_("Moved by itself"),
    "imported": N_("Came with a list"),
    "list_reverted": N_("List taken back"),
    "probe": N_("Self-test"),
}

LIST_STATES = {
    "draft": N_("To be looked at"),
    "running": N_("Running"),
    "stopped": N_("Stopped"),
    "done": N_("Done"),
    "reverting": N_("Being taken back"),
    "reverted": N_("Taken back"),
}

TOOK = {
    "new": N_("Added"),
    "corrected": N_("Corrected"),
    "cancelled": N_("Cancelled"),
    "matched": N_("Now matched to a customer"),
    "known": N_("There already"),
}
"""What became of the rows of a file of spend or orders."""

LIST_STOPS = {
    "unknown_source": N_("Its sender is set up no longer. Set it up again, then go on."),
    "broken_table": N_(
        "The table cannot be read on; a quotation mark may be missing. Correct the file, and bring it as another list."
    ),
    "too_many_columns": N_("A row has too many columns. Correct the file, and bring it as another list."),
    "file_gone": N_(
        "The file is kept no longer. The rows that were taken are there; bring the others as a new file."
    ),
}
"""Why a list stopped half way, and what to do."""

LIST_CODES = {
    "nobody": N_("names nobody"),
    "phone_cut": N_("number rounded by a spreadsheet"),
    "phone_is_date": N_("number made a date by a spreadsheet"),
    "bad_row": N_("cannot be read"),
}

LIST_LEFT = {
    "out": N_("Rows taken back"),
    "moved_on": N_("Left: something went on since"),
    "merged": N_("Left: merged since"),
    "erased": N_("Left: erased"),
}

FIELDS = {
    "full_name": N_("Name"),
    "given_name": N_("Given name"),
    "family_name": N_("Family name"),
    "salutation": N_("Salutation"),
    "company": N_("Company"),
    "job_title": N_("Job title"),
    "phone": N_("Phone"),
    "email": N_("Email"),
    "address": N_("Address"),
    "city": N_("City"),
    "region": N_("Province"),
    "postcode": N_("Postcode"),
    "country": N_("Country"),
    "website": N_("Website"),
    "tax_id": N_("Tax number"),
    "product": N_("Product"),
    "industry": N_("Industry"),
    "subject": N_("Subject"),
    "message": N_("Message"),
    "heard_of_us": N_("Heard of us through"),
    "other": N_("Other"),
}

LIST_TARGETS = {
    **FIELDS,
    "owner": N_("Owner"),
    "since": N_("Customer since"),
    "last_contact": N_("Last contact"),
    "last_order": N_("Last order"),
    "stage": N_("Stage"),
    "next": N_("Next contact"),
    "date": N_("When it came"),
    "campaign": N_("Campaign"),
    "list_row": N_("Place in the list it came from"),
    "ignore": N_("Passed over"),
}

IDENTIFIERS = {
    "mobile": N_("Mobile"),
    "email": N_("Email"),
    "landline_name": N_("Landline and name"),
    "tax_id": N_("Tax number"),
    "domain": N_("Mail domain"),
    "landline": N_("Landline"),
}

NOTES = {
    "new": N_("seen for the first time"),
    "conflict": N_("belongs to somebody else; nothing was merged"),
    "shared": N_("shared by many; not used"),
    "placeholder": N_("a placeholder; not used"),
    "demoted": N_("on too many people; not used"),
    "role_mailbox": N_("a department's mailbox; not used"),
    "bad_check_digit": N_("wrong check digit; not used"),
}

JUNK = {
    "link_in_name": N_("a web address where a name should stand"),
    "spam_words": N_("words of spam"),
    "test_entry": N_("a test entry"),
    "disposable_mail": N_("a throw-away mailbox"),
    "mashed_keys": N_("keys mashed at random"),
    "many_links": N_("many links"),
    "offers_to_us": N_("wants to sell us something"),
    "same_everywhere": N_("the same text in every field"),
    "no_way_back": N_("only placeholders to reach them by"),
}
"""Signs that a lead is junk (`enrich.junk`)."""

UNLISTED = {
    "utm": N_("Campaign in the address (UTM)"),
    "click": N_("Click of an advertisement"),
    "tag": N_("Tag of a mail address"),
    "dialled": N_("Dialled number"),
    "list": N_("List"),
    "heard": N_("Heard of us through"),
    "place": N_("Place on no territory"),
}
"""What a lead named and no list has (`sales.unlisted`)."""

ALIAS_LIKE = {
    "utm": N_("such as spring_fair, of utm_campaign=spring_fair"),
    "click": N_("its name: gclid, bd_vid …"),
    "tag": N_("such as fair, of sales+fair@…"),
    "dialled": N_("the number of yours that they call"),
    "list": N_("the name of a list that is imported"),
    "heard": N_("such as “exhibition”, as people say it"),
}
"""What the names look like by which a campaign is known."""

TABLE_BY = {"campaign": N_("Campaign"), "channel": N_("Channel"), "source": N_("Source")}

TABLE_BARS = {
    "leads": N_("Leads"),
    "valid": N_("Valid"),
    "opportunities": N_("Opportunities"),
    "won": N_("Won"),
}

STAGES = {
    "new": N_("New"),
    "contacted": N_("Contacted"),
    "opportunity": N_("Opportunity"),
    "won": N_("Won"),
    "later": N_("Later"),
    "lost": N_("Lost"),
}
"""Stages of the life cycle (`sales.life`)."""

WHY_OPEN = {
    "nobody": N_("nobody is known by this"),
    "several": N_("several customers fit"),
    "shared": N_("it names only what many share"),
    "no_reference": N_("it names nobody"),
    "unknown_customer": N_("there is no such customer"),
    "unknown_lead": N_("there is no such lead"),
    "erased": N_("the person was erased"),
}
"""Why an order belongs to nobody yet (`schemas.orders`)."""

STEPS = {
    "door": N_("at the door"),
    "parse": N_("while reading"),
    "resolve": N_("while recognising the customer"),
    "route": N_("while assigning"),
    "deliver": N_("while delivering"),
}

REFUSALS = {
    "not_below": N_("Who has them is not below you; ask their manager."),
    "backup_running": N_("A backup is being made; wait for it."),
    "no_breaker": N_("Nothing is held there any more."),
    "cell_changed": N_("Somebody else has changed this meanwhile; nothing of theirs was overwritten."),
    "row_gone": N_("Somebody has taken this rule out meanwhile."),
    "unknown_table": N_("There is no such table any more."),
    "unknown_column": N_("There is no such column, or it is there already."),
    "book_too_large": N_("There are too many rules for a page; edit the book as a file."),
    "book_replaced": N_(
        "Another version was published meanwhile. Load the page again and read what it changed."
    ),
    "book_refused": N_("It cannot be put in force: see what is wrong with it."),
    "draft_changed": N_("Somebody has changed the draft since you looked at it. Below is what it says now."),
    "draft_wrong": N_("The draft has errors, so nobody can say what it would do. Put them right first."),
    "publish_reason_missing": N_("Say what is changed and why; it is kept with your name."),
    "simulating": N_("Somebody simulates just now; try again in a moment."),
    "unknown_book": N_("There is no such version."),
    "unknown_dead_letter": N_("There is no such record any more."),
    "dead_letter_ended": N_("Somebody has settled this meanwhile. Below is what it is now."),
    "dead_letter_held": N_(
        "It waits for its source: reset the source's breaker, and all that is held is tried."
    ),
    "no_raw_bytes": N_("The raw bytes are gone (erased), so it cannot be repaired."),
    "delivery_ended": N_("It was sent meanwhile, or is on its way; there is nothing to send again."),
    "count_differs": N_(
        "The number you typed is not how many there are now. Look again, and type the new one."
    ),
    "discard_reason_missing": N_("Say why it is given up; it is kept with your name."),
    "numbers_masked": N_("Numbers are masked; have it shown in full first, and correct it then."),
    "quiet_hours": N_("Quiet hours have a beginning and an end, such as 22:00 and 07:00."),
    "task_open": N_("There is a task with this customer: record the outcome there."),
    "customer_closed": N_(
        "This customer is closed for good: their data was erased, or their list taken back."
    ),
    "unknown_review": N_("This is not on your list any more."),
    "answered_already": N_("Somebody has answered this already."),
    "one_already": N_("They are one already."),
    "parted_before": N_("Somebody said that these are two. Join them from the answered ones, and say why."),
    "conflicting_identifiers": N_(
        "They have different tax numbers. Join them from the answered ones, and say why."
    ),
    "nothing_merged": N_("Nothing was joined here that could be parted; name the enquiries that go."),
    "nothing_left": N_("These are all its enquiries; leave out those that stay."),
    "foreign_lead": N_("One of these enquiries is not this customer's."),
    "wrong_password": N_("The present password is not right."),
    "wrong_code": N_("The code is not right. Is the clock of your phone right?"),
    "code_used": N_("This code was used already; wait for the next one."),
    "too_many_tries": N_("Too many wrong passwords; wait a quarter of an hour."),
    "too_short": N_("This password is too short: at least 10 characters."),
    "too_long": N_("This password is too long: at most 200 characters."),
    "too_easy": N_("This password is easily guessed."),
    "second_factor_set": N_("There is a second factor already; switch it off first."),
    "no_password": N_("Nobody is signed in with a password here."),
    "last_operator": N_("Nobody else has the role operations; give it to somebody else first."),
    "unknown_person": N_("Nobody who works here has this code."),
    "unknown_access": N_("This is none of your devices."),
    "why_missing": N_("Say why; it is kept with your name."),
    "choose_file": N_("Choose a file first."),
    "too_large_list": N_(
        "The file is larger than this page takes; bring it by command: leadflow import run."
    ),
    "unknown_list": N_("There is no such list."),
    "too_large_money_file": N_(
        "The file is larger than this page takes; bring it by command: leadflow spend import, leadflow orders import."
    ),
    "source_by_hand": N_("By that name goes what is typed in; give the file another one."),
    "cell_too_long": N_("One of the texts is too long."),
    "list_begun": N_("It was begun already; take it back instead."),
    "unknown_heap": N_("There is no such place for customers whom nobody has."),
    "heap_routes": N_(
        "The people of that unit would get what waits there at once; choose a pool or a date each."
    ),
    "undo_too_late": N_("It is too long ago to be taken back."),
    "nothing_to_move": N_("Nothing of it was taken yet."),
    "unknown_task": N_("There is no such task any more."),
    "task_ended": N_("This task has ended already. Nothing was changed."),
    "not_taken": N_("Nobody has this customer yet: take it first, then record the outcome."),
    "date_missing": N_("“Later” needs the date on which to take it up again."),
    "taken_already": N_("A colleague was faster: somebody has this customer already."),
    "not_yours": N_("Only the owner can return a customer."),
    "claimed_already": N_("A colleague was faster: this customer is claimed."),
    "not_in_pool": N_("This customer is in no pool any more."),
    "other_pool": N_("This pool is for other units."),
    "held_back": N_("Held back for a time, so that all see it."),
    "was_yours": N_("You had this customer before and have to wait."),
    "pool_full": N_("You have as many open customers from this pool as it allows."),
    "pool_day_full": N_("You have claimed as many today as this pool allows."),
    "unknown_pool": N_("Choose a pool."),
    "unknown_customer": N_("There is no such customer any more."),
    "not_waiting": N_("This customer does not wait in a team's queue."),
    "other_team": N_("This customer waits for another team; its people or manager can take it."),
    "unknown_actor": N_("Say who you are: choose a person who works here."),
    "asked_too_often": N_("You asked too often within an hour. Ask your manager."),
    "name_fits_many": N_("This name fits many customers. Write it in full, or ask by telephone."),
    "names_not_kept": N_("Companies are not found by name here. Ask by telephone."),
    "not_a_name": N_("This name says too little. Write it as it is registered."),
    "not_a_number": N_("Write the whole telephone number, with its area code."),
    "reason_missing": N_("Say why it is returned; the team needs to know."),
    "key_reused": N_(
        "This form recorded something else before. That stands; what you entered now was not recorded."
    ),
    "without_owner": N_("This customer has no holder; an administrator must look at it."),
    "unknown_outcome": N_("Choose an outcome."),
    "more_is_open": N_("Something else is open with this customer: record the outcome of that first."),
    "ladder_ended": N_(
        "Nobody answered, and no further attempt is planned. Choose a date, or another outcome."
    ),
    "outcome_reason_missing": N_("Choose a reason for this outcome."),
    "bad_days": N_("Write days such as 2026-11-30, the first one first."),
    "missing": N_("Fill in every field that is needed."),
    "date_form": N_("This is no day."),
    "amount_form": N_("This is no amount such as 1234.50."),
    "currency_form": N_("This is no currency such as CNY."),
    "days_reversed": N_("The last day lies before the first, or ten years after."),
    "unknown_campaign": N_("Choose a campaign."),
    "unknown_spend": N_("This entry counts no more already."),
    "unknown_alias": N_("This name cannot stand with a campaign."),
    "alias_taken": N_("This name stands with a campaign already."),
    "campaign_taken": N_("A campaign has this code already. Choose another code, or change that campaign."),
    "campaign_code": N_(
        "A code has small letters, digits, - and _, 40 at most, and begins with a letter or digit."
    ),
    "campaign_name_missing": N_("Give the campaign a name, in Chinese or English."),
    "campaign_too_long": N_(
        "A campaign's name has 200 characters at most, each name it is known by 2,000, and there are 500 of these at most."
    ),
    "campaign_changed": N_(
        "Somebody changed this campaign meanwhile; nothing of theirs was overwritten. Compare what you entered with it as it "
        "stands now, and save again."
    ),
    "unknown_order": N_("There is no such order any more."),
    "unknown_stage": N_("Choose a stage."),
    "unknown_line": N_("There is no such product line."),
    "lost_reason_missing": N_("Choose why it was lost."),
    "until_past": N_("“Later” needs a date ahead on which to take it up again."),
    "unknown_source": N_("There is no such form, or sender of lists, any more."),
    "changed_meanwhile": N_(
        "Somebody changed this form meanwhile: compare what you entered with it as it is now, and save again."
    ),
    "consent_version_same": N_("Another consent text needs another version."),
    "form_unreachable": N_(
        "Ask for a phone number or a mail address, and for each field once: else nobody can be answered."
    ),
    "form_too_long": N_("One of the texts is too long."),
    "form_reason_missing": N_("Say why it is changed."),
    "order_of_another": N_("This order belongs to another customer. Check its number."),
    "order_number_missing": N_("An amount needs the number of its order."),
    "dates_reversed": N_("The end must be after the beginning, and after now."),
    "no_stand_in": N_("They do not work here any more, or are away then as well. Choose somebody else."),
    "not_away": N_("You are not away at present."),
    "no_such_leave": N_("This leave is over, or was cancelled already."),
    "bad_date": N_("This is no date and time."),
    "past_date": N_("The date lies in the past."),
    "fact_changed": N_(
        "Somebody else has put this right meanwhile. What stands there now is beside what you entered; save again if yours holds."
    ),
    "nothing_changed": N_("All of this is known so already."),
    "value_unreadable": N_("This telephone number or address cannot be read; correct it."),
    "value_too_long": N_("One of the texts is too long: at most 500 characters."),
    "known_as_anothers": N_(
        "This number or address is known as another customer's. If both are one, a manager joins them; else ask for another."
    ),
    "unknown_field": N_("This cannot be corrected here."),
}
"""Why an act was refused, by the code of `ActRefused`, and this page's own checks."""

ENTRANCE: Mapping[str, tuple[str, str]] = {
    "link": (
        N_("Your tasks are one step away"),
        N_("This link works once. After that this device stays in for 30 days, until you leave."),
    ),
    "link_unknown": (
        N_("This link is unknown"),
        N_("Was the address copied whole? Else ask for a new link."),
    ),
    "link_used": (
        N_("This link was used already"),
        N_("A link works once, on one device. Ask whoever looks after Leadflow for a new one."),
    ),
    "link_over": (
        N_("This link is not valid any more"),
        N_("Ask whoever looks after Leadflow for a new one."),
    ),
    "unknown_person": (N_("This link is not valid any more"), N_("It belongs to nobody who works here.")),
    "invitation": (
        N_("Choose a password"),
        N_("Nobody else learns it. You sign in with it and your mail address, on whatever device."),
    ),
    "too_short": (N_("Choose a password"), N_("This one is too short: at least 10 characters.")),
    "too_long": (N_("Choose a password"), N_("This one is too long: at most 200 characters.")),
    "too_easy": (
        N_("Choose a password"),
        N_(
            "This one is easily guessed. Several words that do not belong together are hard to guess and easy to keep."
        ),
    ),
    "sign_in": (N_("Sign in"), N_("With your mail address, mobile or staff code, and your password.")),
    "wrong_password": (N_("Sign in"), N_("Name or password is not right.")),
    "code_needed": (N_("Sign in"), N_("The password is right. Now also enter the code from your app.")),
    "wrong_code": (N_("Sign in"), N_("The code is not right. Is the clock of your phone right?")),
    "code_used": (N_("Sign in"), N_("This code was used already; wait for the next one.")),
    "too_many_tries": (
        N_("Wait a quarter of an hour"),
        N_(
            "Too many wrong passwords. Or ask whoever looks after Leadflow for a one-time link, which works at once."
        ),
    ),
    "left_for_now": (N_("You are signed out"), N_("What you see needs a sign-in again.")),
    "token_needed": (
        N_("You are not signed in"),
        N_("From here Leadflow opens by a one-time link. Ask whoever looks after it to send you one."),
    ),
    "token_invalid": (
        N_("You are no longer signed in"),
        N_("Your access is over or was ended. Ask whoever looks after Leadflow for a new link."),
    ),
    "not_allowed": (
        N_("This is not for you"),
        N_("You see your own customers, the queues of your teams, and what you manage."),
    ),
    "cross_site": (
        N_("Nothing was done"),
        N_("This request was sent by a page of another site. Open Leadflow itself and try again."),
    ),
    "left": (N_("You are signed out"), N_("Ask for a new link to come back.")),
}
"""Title and text of the pages before the console, by state or code."""

BREAKERS: Mapping[str, tuple[str, str]] = {
    "open": (
        N_("%(source)s is held: of %(tried)s that came lately, %(refused)s could not be handled"),
        N_(
            "What comes in is kept and acknowledged, and waits. Put the cause right: see below what was refused; correct "
            "the source, or have the sender correct it."
        ),
    ),
    "destination": (
        N_("%(source)s takes nothing any more: %(refused)s deliveries in a row were refused"),
        N_(
            "What goes there waits, and nothing is lost. Correct the sink, or have the destination corrected: leadflow doctor "
            "looks at it."
        ),
    ),
    "draining": (
        N_("%(source)s goes on: what was held is handled in order"),
        N_("Nothing to do. What comes in meanwhile waits behind it."),
    ),
    "stopped": (
        N_("Stopped: %(refused)s of %(tried)s sources fail at once (%(stage)s)"),
        N_(
            "That is no sender's doing. The doors stay open, nothing is skipped. Put the cause right (the company's files, "
            "an update, this machine)."
        ),
    ),
}
"""What is said of a breaker in each state, and what to do."""

DEAD: Mapping[str, tuple[str, str]] = {
    "held": (
        N_("Not tried: its source is held, because nearly everything from there could not be handled."),
        N_("Put the cause right, then have the source go on: leadflow breaker reset"),
    ),
    "bug": (
        N_("Leadflow broke on this. The fault is ours, not the sender's."),
        N_("Keep it, report it, and replay it after the update."),
    ),
    "no_event": (
        N_("Something that is no event of Leadflow lies in one of its topics."),
        N_("Find out who else writes to this topic; only Leadflow may."),
    ),
    "no_key": (
        N_("It was not erased, and the key that opens it is missing."),
        N_("Restore the database and the keys again, then replay."),
    ),
    "no_raw_bytes": (
        N_("Its raw bytes are no longer where they were kept: its topic, or the store of large bodies."),
        N_(
            "If that store can be put back, replay it then. Else ask the sender for it again, and discard this."
        ),
    ),
    "unknown_format": (
        N_("There is no reader for this format."),
        N_("Correct the source's format, then replay."),
    ),
    "unknown_source": (
        N_("Its source is not configured, or was switched off."),
        N_("Add or switch on the source, then replay."),
    ),
    "bad_sink": (
        N_("The settings of the sink are wrong, so nothing goes out by it."),
        N_("Correct the sink, then replay."),
    ),
    "no_address": (
        N_("Nobody who should be told has a mail address."),
        N_("Write one into the list of people, then replay."),
    ),
    "timeout": (
        N_("The destination did not answer in time."),
        N_("Look whether the destination works, then replay."),
    ),
    "unreachable": (
        N_("The destination could not be reached."),
        N_("Check its address and the network, then replay."),
    ),
    "bad_certificate": (
        N_("The destination shows a certificate that this machine does not trust."),
        N_("Have it renewed, or let this machine trust who issued it; then replay."),
    ),
    "busy": (
        N_("The destination asked for patience."),
        N_("Ask whoever runs the destination, then replay."),
    ),
    "broken": (
        N_("The destination answered with a fault of its own."),
        N_("Ask whoever runs the destination, then replay."),
    ),
    "gone": (
        N_("The destination says that this address is no longer in use."),
        N_("Correct the address or switch the sink off; then replay or discard."),
    ),
    "redirected": (
        N_("The destination has moved."),
        N_("Write the new address into the sink, then replay."),
    ),
    "refused": (
        N_("The destination refused this for good."),
        N_("Correct the sink or the destination, then replay."),
    ),
    "no_secret": (N_("The sink has no secret."), N_("Write the secret into the sink, then replay.")),
    "no_starttls": (
        N_("The mail server offers no encryption."),
        N_("Have it offered there, or choose another encryption for the sink; then replay."),
    ),
    "login_refused": (
        N_("The mail server refused user or password."),
        N_("Correct both in the sink, then replay."),
    ),
    "bad_source": (N_("The settings of its source are wrong."), N_("Correct the source, then replay.")),
    "no_known_field": (
        N_("No field has a name that this source knows."),
        N_("Map the site's field names in the source's settings, then replay."),
    ),
    "bad_json": (N_("This is not valid JSON."), N_("Tell the sender; enter what can be read by hand.")),
    "bad_multipart": (
        N_("The form arrived damaged."),
        N_("Tell whoever looks after the site; enter what can be read by hand."),
    ),
    "unsupported_type": (
        N_("It was sent in an encoding that forms do not have."),
        N_("Tell whoever looks after the site."),
    ),
    "too_many_fields": (N_("It has more fields than any form."), N_("Probably an attack; discard it.")),
}
"""Message and hint of a dead letter by its code; one that is not here is shown as it was recorded."""


ACTS = {
    "correct": N_("corrected what is known"),
    "sign_in": N_("signed in"),
    "set_password": N_("chose a password"),
    "second_factor": N_("changed the second factor"),
    "end_access": N_("ended sessions or tokens"),
    "grant": N_("gave access"),
    "enter": N_("came in by a one-time link"),
    "set_roles": N_("changed roles"),
    "reveal": N_("saw masked numbers"),
    "move": N_("moved customers"),
    "undo": N_("took an act back"),
    "undo_scope": N_("took several acts back"),
    "hand_over": N_("handed customers over"),
    "hand_over_go": N_("went on with a handover"),
    "hand_over_stop": N_("stopped a handover"),
    "hand_back": N_("gave customers back"),
    "come_back": N_("took a leaver back"),
    "auto_move": N_("moved by a rule"),
    "contact": N_("recorded a contact"),
    "take": N_("took a customer"),
    "return": N_("returned a customer"),
    "outcome": N_("recorded an outcome"),
    "stage": N_("changed a stage"),
    "claim": N_("claimed from a pool"),
    "release": N_("released into a pool"),
    "offer": N_("put into a pool"),
    "register": N_("registered a claim"),
    "decide_claim": N_("decided a claim"),
    "ask_taken": N_("asked whether it is taken"),
    "away": N_("noted an absence"),
    "back": N_("noted a return"),
    "cancel_leave": N_("cancelled a leave"),
    "merge": N_("made two customers one"),
    "unmerge": N_("parted a customer"),
    "review": N_("answered a match review"),
    "demote": N_("trusted an identifier less"),
    "use_model": N_("put a match model in use"),
    "publish": N_("published the company"),
    "publish_book": N_("published the rule book"),
    "roll_back_book": N_("took a rule book back"),
    "edit_book": N_("changed the draft of the rule book"),
    "drop_draft": N_("ended the draft of the rule book"),
    "save_form": N_("changed a web form"),
    "import_list": N_("brought a list"),
    "throw_list_away": N_("discarded a list that was not begun"),
    "revert_list_begin": N_("began to take a list back"),
    "revert_list": N_("took a list back"),
    "take_orders": N_("brought orders"),
    "assign_order": N_("assigned an order"),
    "take_spend": N_("entered spend"),
    "end_spend": N_("took spend out"),
    "assign_alias": N_("assigned a campaign's alias"),
    "add_campaign": N_("added a campaign"),
    "change_campaign": N_("changed a campaign"),
    "repair": N_("repaired"),
    "replay": N_("had it replayed"),
    "discard": N_("gave it up"),
    "reset_breaker": N_("reset a breaker"),
    "backup": N_("made a backup"),
    "erase": N_("erased a customer"),
    "opt_out": N_("noted an objection"),
    "hand_over_begin": N_("began a hand-over"),
    "hand_over_more": N_("took what came meanwhile into a hand-over"),
    "cover": N_("gave customers to stand-ins"),
    "leave": N_("marked somebody as left"),
    "certify": N_("made a certificate"),
    "give_back": N_("gave customers back, taking a scope back"),
    "end_undo": N_("ended taking a scope back"),
    "set_notice": N_("chose how to be told"),
}
"""Acts as what somebody did; in the order in which the audit log offers them."""

MACHINES = {
    "leadflow": N_("Leadflow itself"),
    "operator": N_("the machine's operator"),
    "restore": N_("a restore"),
}
"""Actors that are no people."""

WAYS = {"mail": N_("mail"), "webhook": N_("webhook")}
BACKUP_WHYS = {"nightly": N_("nightly"), "manual": N_("by hand"), "upgrade": N_("before an update")}

DOOR_STATES = {
    "open": N_("takes leads"),
    "silent": N_("silent"),
    "held": N_("held"),
    "draining": N_("being replayed"),
    "stopped": N_("stopped"),
    "off": N_("switched off"),
}

CAPTURE_RESULTS = {
    "lead": N_("became a lead"),
    "ignored": N_("no lead"),
    "refused": N_("needs repair"),
    "part": N_("part of a lead"),
}

RULE_COLUMNS = {
    "rule": N_("name of the rule"),
    "note": N_("note"),
    "then_team": N_("goes to team"),
    "then_pool": N_("goes into pool"),
    "then_strategy": N_("chosen how"),
    "then_respond_within": N_("minutes to answer"),
    "then_table": N_("goes on in table"),
    "then_collaborators": N_("works on it, too"),
    "then_protect_days": N_("days protected"),
    "then_priority": N_("priority"),
    "then_playbook": N_("playbook"),
    "then_if_owned": N_("if somebody has it"),
}
"""Columns of the rule book that are no conditions."""

DEAD_STATES = {
    "open": N_("open"),
    "held": N_("held"),
    "repaired": N_("repaired"),
    "replayed": N_("replayed"),
    "discarded": N_("discarded"),
}


def word(words: Mapping[str, str], code: str | None, gettext: Gettext) -> str:
    """Return the text for a code in the language of `gettext`; the code itself where there is none."""
    if code is None:
        return ""
    return gettext(words[code]) if code in words else code


CUSTOMER_STATES = {"open": N_("being worked on"), "closed": N_("at rest")}

MOVE_VERBS = {"move": N_("Customers moved"), "undo": N_("Taken back")}

MOVE_ROWS = {
    "unknown_customer": N_("there is no such customer, or it was erased"),
    "in_intake": N_("it is still on its way through the stages; try again in a moment"),
    "not_below": N_("who has it is not below you"),
    "target_not_below": N_("whom it is to go to is not below you"),
    "there_already": N_("they have it already"),
    "holder_gone": N_("who is to have it does not work here any more"),
    "moved_on": N_("somebody else has it since"),
    "too_old": N_("it is too long ago to be taken back"),
    "merged": N_("it was merged into another customer since"),
    "erased": N_("it was erased since"),
}
"""Why one customer of many is left where it is (store.acts_move, store.acts_undo)."""

MOVE_REFUSALS = {
    "reason_missing": N_("Say why; both sides will ask."),
    "choice": N_("Choose who is to have them."),
    "weights": N_("Name each person once, with a whole number above 0, such as 60 and 40."),
    "nothing_chosen": N_("Choose customers first."),
    "nothing_to_move": N_("None of them can be moved: see why below."),
    "too_many": N_("More match than one act moves. Narrow the filter."),
    "count_differs": N_("Type how many match: the number beside “all”, as it is now."),
    "key_reused": N_("This page was used already. Choose once more."),
    "unknown_act": N_("There is no such move of yours or of somebody below you."),
    "undone_already": N_("It was taken back already."),
    "undo_too_late": N_("It is too long ago to be taken back; move them by hand."),
    "not_undoable": N_("Only moves are taken back here."),
    "not_below": N_("Who has them is not below you; ask their manager."),
}
"""Why a move, or taking one back, was refused."""


COLLISION_REFUSALS = {
    "reason_missing": N_("Say why; both sides will ask."),
    "no_claim": N_("It is decided already, or the claim is over."),
    "unknown_claimant": N_("Choose somebody who works here."),
    "not_below": N_("One side is not below you: whoever manages both decides."),
    "unknown_customer": N_("There is no such customer any more."),
    "in_intake": N_("it is still on its way through the stages; try again in a moment"),
    "key_reused": N_("This page was used already. Choose once more."),
}
"""Why a claim could not be decided."""

HANDOVER_WHY = {
    "leaving": N_("they leave: everything of theirs goes"),
    "transfer": N_("for good: what is chosen goes, all else stays"),
    "until": N_("a stand-in: it comes back by itself"),
}

JOB_STATES = {
    "running": N_("being handed over"),
    "covering": N_("with stand-ins"),
    "returning": N_("coming back"),
    "undoing": N_("being taken back"),
    "stopped": N_("stopped, waits for you"),
    "done": N_("handed over"),
    "returned": N_("back with who had them"),
    "undone": N_("taken back"),
}

JOB_ROWS = {"open": N_("on its way"), "given": N_("handed over"), "left": N_("left")}

HANDOVER_REFUSALS = {
    "reason_missing": N_("Say why; both sides will ask."),
    "choice": N_("Choose why, and who gets them. A filter is written as grade=A; days_silent=>= 60."),
    "unknown_person": N_("Choose somebody below you."),
    "unknown_job": N_("There is no such hand-over of yours or of somebody below you."),
    "unknown_certificate": N_("There is no certificate yet."),
    "job_under_way": N_("A hand-over of theirs is under way: see below."),
    "left_over": N_(
        "Something of theirs would be left behind: say who gets all else, and change what names them first."
    ),
    "duties_missing": N_("They manage, stand in or answer for something: choose who takes their duties."),
    "would_orphan": N_("There is no queue that could take what they leave."),
    "nothing_to_move": N_("None of their customers would go over: see why below."),
    "not_below": N_("They are not below you; ask their manager."),
    "bad_date": N_("Choose the day on which they are back."),
    "past_date": N_("The day on which they are back lies in the past."),
    "key_reused": N_("This page was used already. Begin once more."),
    "undone_already": N_("It was taken back already."),
    "undo_too_late": N_("It is too long ago to be taken back; move them by hand."),
}
"""Why a hand-over, or taking one back, was refused or has stopped."""


DAY_STATES = {
    "works": N_("works"),
    "off": N_("no working day"),
    "away": N_("away"),
    "partly": N_("away for part of the day"),
}

DAY_SIGNS = {"works": "·", "off": "–", "away": N_("A"), "partly": N_("a")}
"""A day of the calendar in one letter."""

AWAY_REFUSALS = {
    "unknown_person": N_("Choose somebody below you."),
    "not_above": N_("Only the person, or a manager above them, can say so."),
    "dates_reversed": N_("The end must be after the beginning, and after now."),
    "no_stand_in": N_("They do not work here any more, or are away then as well. Choose somebody else."),
    "not_away": N_("They are not away at present."),
    "no_such_leave": N_("This leave is over, or was cancelled already."),
    "bad_date": N_("Write days such as 2026-11-30, the first one first."),
    "key_reused": N_("This page was used already. Enter it once more."),
}
"""Why an absence was not entered."""
