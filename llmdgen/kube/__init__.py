"""Kubernetes objects as data: how rules, plans and comparisons read them."""
