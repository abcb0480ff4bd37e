"""Hormonal therapy after breast cancer."""
