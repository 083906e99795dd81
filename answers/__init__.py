"""What doors and console answer with alike: languages, catalogues and templates, and errors as JSON."""
