"""How long patients of the heart attack study stay in hospital."""
