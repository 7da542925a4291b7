"""What changed in meaning between two deployments, whatever they come from: specs, rendered trees, git revisions.

Every side becomes files in memory (`sources`, `git`), every target's files one flat `State` (`reading`), two states
their changes (`step`) and what those do to a running deployment (`rules`), folded over targets (`fold`). `text`,
`markdown` and `json` write the result.
"""
