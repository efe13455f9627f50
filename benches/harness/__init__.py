"""How the rows are measured."""
