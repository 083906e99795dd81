"""Where decisions leave Leadflow: inboxes, webhooks, mail."""
