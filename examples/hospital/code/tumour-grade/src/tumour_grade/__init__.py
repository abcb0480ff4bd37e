"""Grades of tumours in the breast cancer study."""
