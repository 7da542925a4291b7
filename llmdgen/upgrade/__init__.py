"""From one llm-d release to a later one: a spec edited where the new release needs it, and nowhere else. What has to
move is data (releases/<tag>/upgrade.toml, `llmdgen.facts.upgrades`)."""
