"""Death within a year after a heart attack: one hospital's part in training a model."""
