"""What a rule book, or another plan of people, would have done: read, run, told and shown. `router.simulate` decides."""
