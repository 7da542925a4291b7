"""From one llm-d release to a later one: a spec's text edited where the new release needs it, and nowhere else.

What has to move is data (`moves`: releases/<tag>/upgrade.toml). `decide` asks it of one document, `edits` changes the
text at the positions that `layout` knows, `run` does both to a whole file, and `show` says what came of it.
"""
