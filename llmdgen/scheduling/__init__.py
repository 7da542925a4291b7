"""The endpoint picker's configuration: the form that a release gives it, how it is built, and how it is looked at."""
