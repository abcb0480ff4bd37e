"""Direct identifiers: what names, reaches or numbers a person, in column names and in values."""
