"""Reports: findings written in the form that their reader wants, a format a file."""
