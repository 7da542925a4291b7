"""From one llm-d release to a later one: a spec edited where the new release needs it, and nowhere else.

What has to move is data (releases/<tag>/upgrade.toml, `llmdgen.facts.upgrades`). `decide` asks it of one document, and
`notes` says what changes besides. `edits` changes a document's text in place, by its `layout`. `run` upgrades a whole
file, `effect` says what comes of it, `replacement` how a deployment gets there, and `show` prints it.
"""
