"""Lists: tables of customers or leads as people keep and export them, read row by row."""
