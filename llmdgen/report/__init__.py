"""Reports: findings written in the form that their reader wants, one small file a format.

A format is a module here with one function, `write(findings) -> str`. Every line of it ends with a line break, and it
keeps the order of the findings.
"""
