"""A spec out of a deployment that others wrote: values of llm-d's guides and of the charts that they use, or model
servers as Kubernetes objects. What has no place in a spec is named with the reason; nothing is dropped in silence."""
